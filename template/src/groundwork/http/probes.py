"""Probes: load balancers and container platforms ask again and again, by address, whether the service answers."""

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["Live", "probes"]


def probes(scope: Scope) -> bool:
    """Whether this request does."""
    return _path(scope).startswith("/health/")


class Live:
    """Answers GET /health/live before anything is bounded, timed or routed: it reads nothing and waits for nothing.

    The route of this path stands in the OpenAPI document, and answers HEAD and methods that are not allowed.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app, self.answer = app, JSONResponse({"status": "ok"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("method") == "GET" and _path(scope) == "/health/live":
            await self.answer(scope, receive, send)
        else:
            await self.app(scope, receive, send)


def _path(scope: Scope) -> str:
    """Below the path of PUBLIC_URL."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))
