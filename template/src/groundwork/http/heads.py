"""HEAD, for monitors and load balancers: FastAPI routes GET alone."""

from asyncio import CancelledError, current_task, sleep

from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from groundwork.http.routes_at import routes_at

__all__ = ["Heads"]

BODIES = {"http.response.body", "http.response.pathsend", "http.response.zerocopysend"}


class Heads:
    """Answers HEAD as GET, without the body, where no route answers it itself."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("method") != "HEAD" or (work := current_task()) is None or _routed(scope):
            await self.app(scope, receive, send)
            return
        begun = cut_off = False

        async def send_head(message: Message) -> None:
            nonlocal begun, cut_off
            if message["type"] not in BODIES:
                await send(message)
            elif not begun:
                begun = True
                await send({"type": "http.response.body", "body": b"", "more_body": False})
            if message.get("more_body") and not cut_off:
                # A stream would go on for ever.
                cut_off = True
                work.cancel()

        try:
            await self.app({**scope, "method": "GET"}, receive, send_head)
            if cut_off:
                # A stream that ended by itself meets its end here, and not in what the server does next.
                await sleep(0)
        except CancelledError:
            # Somebody else's, or ours as well as somebody else's.
            if not cut_off or work.uncancel():
                raise


def _routed(scope: Scope) -> bool:
    path = scope["path"].removeprefix(scope.get("root_path", ""))
    # Routes of Starlette have it with each GET, and some functions behind them know GET and POST alone.
    own = (route for route in routes_at(scope, path) if isinstance(route.original_route, APIRoute))
    return any("HEAD" in route.methods for route in own)
