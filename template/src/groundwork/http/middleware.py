"""What every answer carries, and what every request must respect: pure ASGI, which costs next to nothing."""

from asyncio import CancelledError, Task, create_task, current_task, get_running_loop, timeout

import structlog
from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from groundwork.http.below_path import BelowPath, public_path
from groundwork.http.bounds import BodyLimit, BodyTooLarge, CookiesTooLarge, KindRefused
from groundwork.http.heads import Heads
from groundwork.http.hosts import HostUnknown, KnownHosts, known_hosts
from groundwork.http.problem import InternalError, Invalid, Problem, Unavailable, refuse, reply_of, safe_headers
from groundwork.http.proxies import BelievedProxies
from groundwork.http.request_log import RequestLog
from groundwork.settings import Settings

__all__ = ["ANYWHERE", "protect"]

log = structlog.get_logger(__name__)

# Seconds that a part of an answer may wait for a client to take what was sent before.
PATIENCE = 20.0
# Of an answer, what a page of another site may read.
EXPOSED = ["Content-Disposition", "ETag", "Link", "Location", "Retry-After", "WWW-Authenticate", "X-Request-ID"]


class TimedOut(Problem):
    """It took too long, and was given up; try again later."""

    status, code, title = 503, "timed-out", "Timed out"
    # Or a client that sends its body slowly would keep its connection.
    headers = {"Retry-After": "5", "Connection": "close"}


# What any route may answer.
ANYWHERE = (HostUnknown, BodyTooLarge, KindRefused, CookiesTooLarge, Invalid, InternalError, TimedOut, Unavailable)


def protect(api: FastAPI, settings: Settings) -> None:
    """Add the middleware of all requests. What is added last is met first."""
    api.add_middleware(Heads)
    api.add_middleware(Patience, seconds=PATIENCE)
    api.add_middleware(BodyLimit, most=settings.max_body_bytes)
    api.add_middleware(Timeout, seconds=settings.request_timeout_seconds)
    if hosts := known_hosts(settings):
        # In development too: a page whose name leads to this machine, by DNS rebinding, would read /dev/mail.
        api.add_middleware(KnownHosts, hosts=hosts, addresses=settings.environment == "development")
    api.add_middleware(Bugs)
    if settings.cors_origins:
        # Outside of everything that refuses, so that a page of a named site can read each refusal.
        api.add_middleware(
            CORSMiddleware,
            allow_origins=settings.listed(settings.cors_origins),
            # The origin decides: no cookie is believed, and a page of ours may send any header too.
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=EXPOSED,
            max_age=600,
        )
    api.add_middleware(SafeHeaders, headers=safe_headers())
    api.add_middleware(RequestLog)
    api.add_middleware(BelievedProxies)
    api.add_middleware(BelowPath, path=public_path(settings))


class Bugs:
    """Answers what breaks, inside of what every answer carries; what logs the error is outside."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = scope["type"] != "http"

        async def send_and_note(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, send_and_note)
        except Exception:
            if not begun:
                await reply_of(Request(scope), InternalError())(scope, receive, send)
            raise


class SafeHeaders:
    """Where a route says nothing else, a browser may do nothing with the answer but show it."""

    def __init__(self, app: ASGIApp, headers: dict[str, str]) -> None:
        self.app = app
        self.headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                said = {name.lower() for name, _ in message["headers"]}
                more = [header for header in self.headers if header[0] not in said]
                message["headers"] = [*message["headers"], *more]
            await send(message)

        await self.app(scope, receive, send_safely if scope["type"] == "http" else send)


class Timeout:
    """Gives a request up that has no answer yet; one that has begun, a stream say, may go on for ever."""

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self.app, self.seconds = app, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        work = current_task()
        if scope["type"] != "http" or work is None:
            await self.app(scope, receive, send)
            return
        refusal: Task[None] | None = None

        def give_up() -> None:
            nonlocal refusal
            # At once: what runs in a thread cannot be stopped, and nobody is to wait for it.
            refusal = create_task(refuse(TimedOut(), scope, receive, send))
            work.cancel()

        async def send_in_time(message: Message) -> None:
            timer.cancel()
            if refusal is None:
                await send(message)

        timer = get_running_loop().call_later(self.seconds, give_up)
        try:
            await self.app(scope, receive, send_in_time)
        except CancelledError:
            # Somebody else's, or ours as well as somebody else's.
            if refusal is None or work.uncancel():
                raise
        finally:
            timer.cancel()
        if refusal is not None:
            await refusal


class Patience:
    """Gives a client up that takes nothing; its connection alone stays, until TCP drops it or the server ends."""

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self.app, self.seconds = app, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        taking = timeout(None)

        async def send_in_time(message: Message) -> None:
            nonlocal taking
            async with (taking := timeout(self.seconds)):
                await send(message)

        try:
            await self.app(scope, receive, send_in_time)
        except Exception:
            if not taking.expired():
                raise
        if taking.expired():
            log.warning("client given up: it takes nothing", path=scope["path"])
