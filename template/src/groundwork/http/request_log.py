"""One line of the log for each request, its id in every line, and the headers of every answer."""

import re
from time import perf_counter

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, reset_contextvars
from uuid_utils import uuid7

from groundwork.http.probes import probes

__all__ = ["RequestLog"]

REQUEST_ID = re.compile(rb"[\w.:-]{1,64}")


class RequestLog:
    """Pure ASGI middleware: a request id in every log line and in `X-Request-ID`, one line per request.

    Probes that succeed have no line. Answers get those of `headers` that they do not name: where a route says nothing
    else, a browser may do nothing with the answer but show it.
    """

    def __init__(self, app: ASGIApp, headers: dict[str, str]) -> None:
        self.app = app
        self.headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
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

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                said = {name.lower() for name, _ in message["headers"]}
                more = [header for header in self.headers if header[0] not in said]
                message["headers"] = [*message["headers"], *more, (b"x-request-id", request_id.encode())]
            await send(message)

        bound = bind_contextvars(request_id=request_id)
        try:
            await self.app(scope, receive, send_with_headers)
        except Exception:
            # Logged here, where the request's id is known; the handler of problem.py replies.
            self.log.exception("request failed")
            raise
        finally:
            if status >= 400 or not probes(scope):
                milliseconds = round((perf_counter() - started) * 1000, 1)
                path = scope["path"]
                self.log.info("request", method=scope["method"], path=path, status=status, ms=milliseconds)
            reset_contextvars(**bound)
