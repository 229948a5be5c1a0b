"""Tells that a proxy is not believed: its clients would share one address, and https would look like http."""

from collections.abc import Iterator

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from groundwork.log import Seldom

__all__ = ["BelievedProxies"]

log = structlog.get_logger(__name__)

NAMES = {
    b"x-forwarded-for": "X-Forwarded-For",
    b"x-forwarded-proto": "X-Forwarded-Proto",
    b"forwarded": "Forwarded",
    b"x-real-ip": "X-Real-IP",
}
SENDS_OTHERS = "let the proxy send X-Forwarded-For and X-Forwarded-Proto (http or https), which uvicorn reads"
NAME_IT = "if this is your proxy, start uvicorn with its address in FORWARDED_ALLOW_IPS, with commas, {} here"


class BelievedProxies:
    """Looks for headers of a proxy that have changed nothing, and warns once an hour. Clients may send them, too."""

    def __init__(self, app: ASGIApp) -> None:
        self.app, self.seldom = app, Seldom(3600)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan" and (said := _said(scope)):
            client = scope.get("client")
            peer = client[0] if client else ""
            if (header := _unused(said, peer, scope["scheme"])) and self.seldom():
                # Where there is no address, as with a unix socket and a server of another kind, a star alone helps.
                remedy = NAME_IT.format(peer or "*") if header in ("X-Forwarded-For", "X-Forwarded-Proto") else ""
                log.warning(
                    "a proxy is not believed: its clients share one address and its limits, and https looks like http",
                    header=header,
                    peer=peer,
                    remedy=remedy or SENDS_OTHERS,
                )
        await self.app(scope, receive, send)


def _said(scope: Scope) -> dict[str, str]:
    """The headers of proxies in this request, by their names."""
    said: dict[str, str] = {}
    # Most requests have none, and this costs less than to look at each header.
    if NAMES.keys().isdisjoint(dict(scope["headers"])):
        return said
    for name, value in scope["headers"]:
        if known := NAMES.get(name):
            said[known] = ",".join(filter(None, [said.get(known), value.decode("latin-1")]))
    return said


def _unused(said: dict[str, str], peer: str, scheme: str) -> str:
    """The header that should have changed something, if there is one."""
    if "X-Forwarded-For" in said and peer not in _addresses(said["X-Forwarded-For"]):
        return "X-Forwarded-For"
    proto = said.get("X-Forwarded-Proto", "")
    if proto.strip() == "https" and scheme in ("http", "ws"):
        return "X-Forwarded-Proto"
    if "," in proto and scheme in ("http", "ws"):
        return "X-Forwarded-Proto: " + proto[:40]
    if "X-Forwarded-For" in said:
        return ""
    return next((name for name in ("Forwarded", "X-Real-IP") if name in said and peer not in said[name]), "")


def _addresses(forwarded: str) -> Iterator[str]:
    """Each with and without its port: the server takes one of them for the client's."""
    for part in forwarded.split(","):
        address = part.strip()
        yield address
        if address.startswith("["):
            yield address[1:].partition("]")[0]
        elif address.count(":") == 1:
            yield address.partition(":")[0]
