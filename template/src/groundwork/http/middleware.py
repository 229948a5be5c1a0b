"""What every answer carries, and what every request must respect: pure ASGI, which costs next to nothing."""

import re
from asyncio import CancelledError, Task, create_task, current_task, get_running_loop, timeout
from ipaddress import ip_address

import structlog
from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from groundwork.http.bounds import BodyLimit, BodyTooLarge, CookiesTooLarge, KindRefused
from groundwork.http.problem import InternalError, Invalid, Problem, Unavailable, refuse, safe_headers
from groundwork.http.request_log import RequestLog
from groundwork.settings import Settings

__all__ = ["ANYWHERE", "protect"]

log = structlog.get_logger(__name__)

# Seconds that a part of an answer may wait for a client to take what was sent before.
PATIENCE = 20.0
# A name, or an IPv6 address in brackets; the port says nothing about who is meant.
HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9.-]*[a-z0-9-])\.?(:\d*)?", re.IGNORECASE)


class HostUnknown(Problem):
    """This service has another name."""

    status, code, title = 400, "host-unknown", "Host unknown"


class TimedOut(Problem):
    """It took too long, and was given up; try again later."""

    status, code, title = 503, "timed-out", "Timed out"
    # Or a client that sends its body slowly would keep its connection.
    headers = {"Retry-After": "5", "Connection": "close"}


# What any route may answer.
ANYWHERE = (HostUnknown, BodyTooLarge, KindRefused, CookiesTooLarge, Invalid, InternalError, TimedOut, Unavailable)


def protect(api: FastAPI, settings: Settings) -> None:
    """Add the middleware of all requests. What is added last is met first."""
    api.add_middleware(Patience, seconds=PATIENCE)
    api.add_middleware(BodyLimit, most=settings.max_body_bytes)
    api.add_middleware(Timeout, seconds=settings.request_timeout_seconds)
    if settings.cors_origins:
        api.add_middleware(
            CORSMiddleware,
            allow_origins=settings.listed(settings.cors_origins),
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "Last-Event-ID"],
            expose_headers=["ETag", "Location", "Retry-After", "X-Request-ID"],
            max_age=600,
        )
    if hosts := _known_hosts(settings):
        # In development too: a page whose name leads to this machine, by DNS rebinding, would read /dev/mail.
        api.add_middleware(KnownHosts, hosts=hosts, addresses=settings.environment == "development")
    api.add_middleware(SafeHeaders, headers=safe_headers())
    api.add_middleware(RequestLog)


def _known_hosts(settings: Settings) -> list[str]:
    """Names in lower case; empty: any."""
    if settings.trusted_hosts:
        return [host.lower() for host in settings.listed(settings.trusted_hosts)]
    if settings.environment == "test":
        return []
    ours = str(settings.public_url.host).strip("[]")
    return [ours] if settings.environment == "production" else [ours, "localhost"]


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


class KnownHosts:
    """Refuses other names than ours, but for the probes of container platforms, which ask by address.

    In development people ask by address too, by that of a container or from another machine.
    """

    def __init__(self, app: ASGIApp, hosts: list[str], addresses: bool) -> None:
        self.app, self.hosts, self.addresses = app, frozenset(hosts), addresses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and not scope["path"].startswith("/health/"):
            # More than one is a trick: others might read another one than we do.
            given = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
            if len(given) != 1 or not self._known(_name(given[0])):
                await refuse(HostUnknown(), scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _known(self, name: str) -> bool:
        try:
            ip_address(name)
        except ValueError:
            return name in self.hosts
        return self.addresses or name in self.hosts


def _name(host: str) -> str:
    match = HOST.fullmatch(host)
    return match[1].lower().strip("[]") if match else ""


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
