"""Problems: every error that a client sees, as RFC 9457 JSON."""

from typing import Any, ClassVar

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DataError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from groundwork.settings import get_settings

__all__ = [
    "SCHEMA",
    "InternalError",
    "Invalid",
    "NotAdmin",
    "NotAuthenticated",
    "NotFound",
    "Problem",
    "Unavailable",
    "add_problem_handlers",
    "problems",
    "refuse",
    "reply_of",
    "safe_headers",
]

# What is meant for programs loads nothing, is no part of a page, and is not kept.
SAFE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}
HTTPS_ONLY = {"Strict-Transport-Security": "max-age=31536000; includeSubDomains"}
MEDIA_TYPE = "application/problem+json"
# What document.py calls the schema of a problem.
SCHEMA = "Problem"
log = structlog.get_logger(__name__)


class Problem(Exception):
    """An error for the client, as RFC 9457 JSON. Raise a subclass anywhere below a route.

    The docstring of the subclass is the text that the client reads, unless `detail` replaces it. `status` is the HTTP
    status, `code` the stable name in the problem's `type`, `title` its heading.
    """

    status: ClassVar[int]
    code: ClassVar[str]
    title: ClassVar[str]
    headers: dict[str, str] = {}

    def __init__(self, detail: str = "", *, headers: dict[str, str] | None = None) -> None:
        self.detail = detail or (type(self).__doc__ or self.title)
        self.headers = headers or type(self).headers
        super().__init__(self.detail)


class NotFound(Problem):
    """There is nothing here, or it is not yours."""

    status, code, title = 404, "not-found", "Not found"


class NotAuthenticated(Problem):
    """Sign in first: the access token is missing, expired or not valid."""

    status, code, title = 401, "not-authenticated", "Not authenticated"
    headers = {"WWW-Authenticate": "Bearer"}


class NotAdmin(Problem):
    """Only administrators may do this."""

    status, code, title = 403, "not-admin", "Not an administrator"


class Invalid(Problem):
    """Something in the request is missing or wrong; `errors` says where."""

    status, code, title = 422, "invalid-request", "Invalid request"


class Unavailable(Problem):
    """The database does not answer; try again in a few seconds."""

    status, code, title = 503, "unavailable", "Unavailable"
    headers = {"Retry-After": "5"}


class InternalError(Problem):
    """Something broke here; the log has it."""

    status, code, title = 500, "internal-error", "Internal error"


def problems(*kinds: type[Problem]) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that raises these problems, for the OpenAPI document."""
    content = {MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{SCHEMA}"}}}
    by_status: dict[int | str, dict[str, Any]] = {}
    for kind in kinds:
        said = by_status.setdefault(kind.status, {"description": "", "content": content})
        said["description"] = "; ".join(filter(None, [said["description"], f"{kind.code}: {kind.__doc__}"]))
    return by_status


def add_problem_handlers(api: FastAPI) -> None:
    """Answer every error of the API with a problem document."""

    @api.exception_handler(Problem)
    async def problem(request: Request, error: Problem) -> Response:
        return reply_of(request, error)

    @api.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        # Of a library that reads bodies, in words of its own.
        if error.status_code == 400:
            return reply_of(request, Invalid("The body cannot be read as what its Content-Type says."))
        detail = str(error.detail)
        code = detail.lower().replace(" ", "-")
        return _reply(request, error.status_code, code, detail, f"{detail}.", headers=error.headers)

    @api.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        # Without the input: it may be a password.
        errors = [{"where": list(e["loc"]), "message": e["msg"].removeprefix("Value error, ")} for e in error.errors()]
        detail = "; ".join(f"{e['where'][-1]}: {e['message']}" for e in errors)
        return _reply(request, Invalid.status, Invalid.code, Invalid.title, detail, errors=errors)

    @api.exception_handler(DataError)
    async def not_storable(request: Request, error: DataError) -> Response:
        log.warning("the database refused a value", exc_info=error)
        detail = "A text has a NUL character, or a value is out of range; nothing was stored."
        return _reply(request, Invalid.status, Invalid.code, Invalid.title, detail)

    @api.exception_handler(OperationalError)
    @api.exception_handler(PoolTimeout)
    @api.exception_handler(TimeoutError)
    async def no_database(request: Request, error: Exception) -> Response:
        log.error("database unavailable", exc_info=error)
        return reply_of(request, Unavailable())

    @api.exception_handler(Exception)
    async def bug(request: Request, error: Exception) -> Response:
        # Starlette replies to this one outside of all middleware, so their headers are added here.
        return reply_of(request, InternalError(headers=safe_headers() | {"X-Request-ID": _request_id(request)}))


def safe_headers() -> dict[str, str]:
    """Of every answer that names no others."""
    return SAFE_HEADERS | (HTTPS_ONLY if get_settings().public_url.scheme == "https" else {})


def reply_of(request: Request, problem: Problem) -> Response:
    return _reply(request, problem.status, problem.code, problem.title, problem.detail, headers=problem.headers)


async def refuse(problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
    """Answers a request, or closes a socket, that reaches no route."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": problem.detail})
    else:
        await reply_of(Request(scope), problem)(scope, receive, send)


def _request_id(request: Request) -> str:
    return getattr(request.state, "request_id", "unknown")


def _reply(
    request: Request, status: int, code: str, title: str, detail: str, *, headers: Any = None, **extra: Any
) -> Response:
    body = {
        "type": f"urn:problem:{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": f"urn:request:{_request_id(request)}",
    }
    return JSONResponse(body | extra, status, headers=headers, media_type=MEDIA_TYPE)
