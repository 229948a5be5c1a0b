"""A request that says it comes from the provider, and the ways to find out whether it does."""

import hmac
import json
from base64 import b64decode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from time import time
from typing import Any

import structlog
from starlette.requests import Request

from groundwork.mail.events import MailEvent, Received
from groundwork.settings import get_settings

__all__ = [
    "Callback",
    "CallbackRefused",
    "CallbackUnreadable",
    "NothingAgreed",
    "agreed",
    "callback_of",
    "documented",
    "each",
]

log = structlog.get_logger(__name__)

# Seconds between the provider's clock and ours, or that somebody who recorded a request may wait.
TOLERANCE = 300
# What reading JSON of another shape raises.
OTHER_SHAPE = (AttributeError, LookupError, TypeError, ValueError, OverflowError)


class CallbackRefused(Exception):
    """Nobody can tell that the provider sent it."""


class CallbackUnreadable(CallbackRefused):
    """It has another shape than the provider documents, and would have it again."""


class NothingAgreed(CallbackRefused):
    """Nobody can tell as long as a setting of ours is missing; then it is worth saying again."""


def agreed(name: str) -> str:
    """The setting of that name; raises NothingAgreed if it is empty."""
    secret: str = getattr(get_settings(), name)
    if not secret:
        raise NothingAgreed(f"{name.upper()} is not set.")
    return secret


@dataclass(frozen=True)
class Callback:
    """`url` is the one that the provider was told, with its query. Names of `headers` are in lower case."""

    url: str
    query: Mapping[str, str] = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    # Of signatures that cover nothing of the report: each proves one, whether or not that one is kept.
    used_up: list[str] = field(default_factory=list, repr=False, compare=False)

    def header(self, name: str) -> str:
        if not (value := self.headers.get(name)):
            raise CallbackRefused(f"The header {name} is missing.")
        return value

    def json(self) -> Any:
        """Raises CallbackRefused: what a provider signs is JSON."""
        try:
            # Of bytes it would guess the codec.
            return json.loads(self.body.decode())
        except (ValueError, RecursionError):
            raise CallbackRefused("The body is not JSON.") from None

    def require_signature(self, expected: bytes, *given: str) -> None:
        """One of those given is enough; how long it takes does not tell how much of it was right."""
        if not sum(hmac.compare_digest(expected, one.encode()) for one in given):
            raise CallbackRefused("The signature is not the provider's.")

    def require_password(self, password: str) -> None:
        """Of HTTP Basic, for providers that sign nothing: it is part of the address that they are told."""
        scheme, _, credentials = self.header("authorization").partition(" ")
        try:
            given = b64decode(credentials, validate=True).partition(b":")[2]
        except ValueError:
            given = b""
        if scheme.lower() != "basic" or not hmac.compare_digest(given, password.encode()):
            raise CallbackRefused("The password is not the one of our address.")

    def require_secret(self, secret: str) -> None:
        """Of the query, for providers that can say nothing else: it is part of the address that they are told."""
        if not hmac.compare_digest(self.query.get("secret", "").encode(), secret.encode()):
            raise CallbackRefused("The secret is not the one of our address.")

    def require_fresh(self, timestamp: str | float, tolerance: float = TOLERANCE) -> None:
        """Of seconds since 1970: what is older was recorded, and is sent by somebody else."""
        try:
            age = abs(time() - float(timestamp))
        except ValueError:
            raise CallbackRefused(f"{timestamp!r} is no time.") from None
        if not age <= tolerance:
            raise CallbackRefused(f"It was signed {age:.0f} s ago.")


def documented(receive: Callable[[Callback], Received]) -> Callable[[Callback], Received]:
    """Decorates what reads a provider's report: of another shape than it documents it is refused."""

    @wraps(receive)
    def read(callback: Callback) -> Received:
        try:
            return receive(callback)
        except OTHER_SHAPE as error:
            raise CallbackUnreadable(f"It is not what the provider documents: {error!r}") from error

    return read


def each(reports: Iterable[Any], read: Callable[[Any], MailEvent | None]) -> tuple[MailEvent, ...]:
    """Of several reports in one request one that can't be read is left out, and does not hold up the others."""
    events, unreadable = [], None
    for report in reports:
        try:
            event = read(report)
        except OTHER_SHAPE as error:
            log.warning("not what the provider documents", error=repr(error))
            unreadable = error
        else:
            events += [event] if event else []
    if unreadable and not events:
        raise unreadable
    return tuple(events)


async def callback_of(request: Request) -> Callback:
    """A dependency of a route, whatever its colour."""
    # PUBLIC_URL has the path below which the service lives.
    path = request.url.path.removeprefix(request.scope.get("root_path", ""))
    path += f"?{request.url.query}" if request.url.query else ""
    headers = {name.lower(): value for name, value in request.headers.items()}
    return Callback(get_settings().link(path), dict(request.query_params), headers, await request.body())
