"""An answer that a client asks for again and again travels once, as long as it stays the same."""

from hashlib import sha256
from typing import Any

from fastapi import Request, Response
from pydantic import BaseModel

__all__ = ["UNCHANGED", "answer"]

# OpenAPI's `responses` of a route that answers so.
UNCHANGED: dict[int | str, dict[str, Any]] = {
    304: {"description": "`If-None-Match` names the present ETag: as it was."}
}


def answer(request: Request, body: BaseModel) -> Response:
    """The body as JSON with its ETag, or 304 where `If-None-Match` has this ETag."""
    content = body.model_dump_json().encode()
    tag = f'"{sha256(content).hexdigest()[:32]}"'
    known = {each.strip().removeprefix("W/") for each in request.headers.get("If-None-Match", "").split(",")}
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if tag in known:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type="application/json", headers=headers)
