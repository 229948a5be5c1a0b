"""What a request may bring along: a known host, the size of its cookies and its body, and the body's kind and codec."""

from fastapi.params import File
from python_multipart.multipart import parse_options_header
from starlette.exceptions import HTTPException
from starlette.routing import Mount, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from groundwork.http.hosts import Hosts, HostUnknown
from groundwork.http.problem import Problem, refuse
from groundwork.http.routes_at import routes_at
from groundwork.settings import Settings

__all__ = ["BodyTooLarge", "Bounds", "CookiesTooLarge", "KindRefused"]

# Bytes of all cookies together. Python before 3.11.10 needs seconds for one of 50 kB.
MOST_COOKIES = 8192
# Others are for attacks: `punycode` takes quadratic time, `utf-7` and `unicode_escape` make halves of characters.
UTF_8 = {b"utf-8", b"utf8", b"us-ascii"}


class CookiesTooLarge(Problem):
    """The cookies are larger than this service takes; delete them."""

    status, code, title = 431, "cookies-too-large", "Cookies Too Large"


class BodyTooLarge(Problem):
    """The request is larger than this service takes."""

    status, code, title = 413, "content-too-large", "Content Too Large"
    # Or the server would read the rest of it, however long, to reach the next request.
    headers = {"Connection": "close"}


class KindRefused(Problem):
    """Send JSON or an urlencoded form, in UTF-8; a route that takes files also takes multipart/form-data."""

    status, code, title = 415, "unsupported-media-type", "Unsupported Media Type"


class Bounds:
    """Refuses requests for other hosts, and what is too large: at once where a header says so, else as soon as it is.

    Bodies are UTF-8. Multipart forms are for routes that declare a file, and for mounted applications.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app, self.most, self.hosts = app, settings.max_body_bytes, Hosts(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        hosts, kinds, cookies, length = [], [], 0, b""
        # In HTTP/2 a body needs no header.
        body = scope.get("http_version") not in ("1.0", "1.1")
        for name, value in scope["headers"]:
            if name == b"host":
                hosts.append(value)
            elif name == b"cookie":
                cookies += len(value)
            elif name == b"content-type":
                kinds.append(value)
            elif name == b"content-length":
                body, length = True, value
            elif name == b"transfer-encoding":
                body = True
        if self.hosts.unknown(scope, hosts):
            await refuse(HostUnknown(), scope, receive, send)
        elif cookies > MOST_COOKIES:
            await refuse(CookiesTooLarge(), scope, receive, send)
        elif scope["type"] == "websocket":
            await self.app(scope, receive, send)
        elif length.isdigit() and int(length) > self.most:
            await refuse(BodyTooLarge(), scope, receive, send)
        elif any(_refused(kind, scope) for kind in kinds):
            await refuse(KindRefused(), scope, receive, send)
        else:
            await self.app(scope, self._receiving(receive, kinds) if body else receive, send)

    def _receiving(self, receive: Receive, kinds: list[bytes]) -> Receive:
        received, json = 0, any(b"json" in kind.lower() for kind in kinds)

        async def receive_a_part() -> Message:
            nonlocal received
            message = await receive()
            body = message.get("body", b"")
            received += len(body)
            # FastAPI takes every other exception for a body that it cannot read.
            if received > self.most:
                raise HTTPException(BodyTooLarge.status, BodyTooLarge.title, BodyTooLarge.headers)
            # UTF-16 or UTF-32, which Python's json reads too: no JSON in UTF-8 has a NUL.
            if json and b"\0" in body:
                raise HTTPException(400)
            return message

        return receive_a_part


def _refused(kind: bytes, scope: Scope) -> bool:
    """Whether a route may not read this kind; read here as by the library that reads the body."""
    if kind == b"application/json":
        return False
    name, options = parse_options_header(kind)
    if options.get(b"charset", b"utf-8").lower() not in UTF_8:
        return True
    return name.startswith(b"multipart/") and not _takes_files(scope)


def _takes_files(scope: Scope) -> bool:
    path = scope["path"].removeprefix(scope.get("root_path", ""))
    for route in routes_at(scope, path):
        methods = getattr(route, "methods", None)
        if isinstance(route.original_route, WebSocketRoute):
            continue
        if isinstance(route.original_route, Mount):
            return True
        if methods is None or scope["method"] in methods:
            return isinstance(getattr(getattr(route, "body_field", None), "field_info", None), File)
    return False
