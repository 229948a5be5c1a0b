"""Lets the service live below a path of its host: that of PUBLIC_URL, or the `--root-path` of uvicorn."""

import re
from urllib.parse import quote, unquote

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from groundwork.http.routes_at import routes_at
from groundwork.log import Seldom
from groundwork.settings import Settings

__all__ = ["BelowPath", "public_path"]

log = structlog.get_logger(__name__)

COOKIE_PATH = rb"(;\s*(?i:path)=)(?=/)"


def public_path(settings: Settings) -> str:
    """The path of PUBLIC_URL, without a slash at its end."""
    return unquote(settings.public_url.path or "").rstrip("/")


class BelowPath:
    """Finds the route whether or not the proxy takes the path away, and adds it to redirects and cookies."""

    def __init__(self, app: ASGIApp, path: str) -> None:
        self.app, self.path, self.seldom = app, path, Seldom(3600)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = scope.get("root_path", "").rstrip("/")
        root = self.path or given
        if not root or scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if given not in ("", self.path) and self.seldom():
            log.warning(
                "--root-path and PUBLIC_URL differ: mailed links lead elsewhere",
                root_path=given,
                path_of_public_url=self.path,
                remedy=f"set PUBLIC_URL to where people reach the service, https://app.example.org{given} say",
            )
        came = _without(given, scope["path"])
        # uvicorn puts a `--root-path` with a slash at its end before the slash of the path.
        came = scope["path"] if came is None else "/" + came.lstrip("/")
        # As ASGI wants it: with the path below which the service lives. Here, for what is outside of this too.
        scope["root_path"], scope["path"] = root, root + _route(scope, root, came, stripped=bool(given))
        prefix = quote(root).encode()

        async def send_below(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [(name, _below(prefix, name, value)) for name, value in message["headers"]]
            await send(message)

        await self.app(scope, receive, send_below)


def _without(root: str, path: str) -> str | None:
    """The path below `root`; None where it is not below it."""
    if path == root:
        return "/"
    return path.removeprefix(root) if path.startswith(f"{root}/") else None


def _route(scope: Scope, root: str, came: str, *, stripped: bool) -> str:
    """The path of a route. A route may begin as the root does, /api say; the server's `--root-path` is a hint then."""
    inner = _without(root, came)
    if inner is None or (_known(scope, came) and (stripped or not _known(scope, inner))):
        return came
    return inner


def _known(scope: Scope, path: str) -> bool:
    return any(routes_at(scope, path))


def _below(prefix: bytes, name: bytes, value: bytes) -> bytes:
    below = rb"(?!" + re.escape(prefix) + rb"(?:[/?#;]|$))"
    if name == b"location":
        return re.sub(rb"^(?=/(?!/))" + below, lambda _: prefix, value)
    if name == b"set-cookie":
        return re.sub(COOKIE_PATH + below, lambda found: found[1] + prefix, value)
    return value
