"""One line of the log for each request, and its id in every line and in `X-Request-ID`."""

import re
from time import perf_counter

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uuid_utils.compat import uuid7

__all__ = ["RequestLog"]

REQUEST_ID = re.compile(rb"[\w.:-]{1,64}")


class RequestLog:
    """Pure ASGI middleware: a request id in every log line and in `X-Request-ID`, one line per request."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.log = structlog.get_logger("groundwork.request")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = dict(scope["headers"]).get(b"x-request-id", b"")
        # A client's own id is kept for tracing, unless it could forge a line of the log.
        request_id = given.decode() if REQUEST_ID.fullmatch(given) else str(uuid7())
        scope["state"] = {**scope.get("state", {}), "request_id": request_id}
        status, started = 500, perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self.app(scope, receive, send_with_id)
            except Exception:
                # Logged here, where the request's id is known; the handler of errors.py replies.
                self.log.exception("request failed")
                raise
            finally:
                milliseconds = round((perf_counter() - started) * 1000, 1)
                path = scope["path"]
                self.log.info("request", method=scope["method"], path=path, status=status, ms=milliseconds)
