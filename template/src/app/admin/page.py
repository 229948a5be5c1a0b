"""The application at /admin: who comes in, and what its answers carry."""

from importlib.resources import files
from typing import Any
from uuid import UUID

from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool
from sqladmin import Admin
from sqladmin.authentication import AuthenticationBackend
from sqlalchemy.orm import sessionmaker
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.accounts.models import SignIn
from app.admin import routes
from app.admin.views import VIEWS
from app.settings import get_settings
from groundwork.data import engine, new_session
from groundwork.http import TokenInvalid, read_token

__all__ = ["make_page"]

HEADERS = {
    # Its own files and nothing inline; the images that its style sheets hold, and a form to sign in.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    # Without a referrer a browser would not say either that the form is ours.
    "Referrer-Policy": "same-origin",
}


class Door(AuthenticationBackend):
    """Asked before each page: what was ended, or taken from somebody, ends here at once. routes.py signs in and out."""

    def __init__(self) -> None:
        self.middlewares = []

    async def authenticate(self, request: Request) -> bool:
        try:
            sign_in_id = read_token(routes.PURPOSE, request.cookies.get(routes.COOKIE, ""))
        except TokenInvalid:
            return False
        return await run_in_threadpool(_administers, sign_in_id)


def _administers(sign_in_id: UUID) -> bool:
    with new_session() as session:
        sign_in = session.get(SignIn, sign_in_id)
        return sign_in is not None and sign_in.ended_at is None and routes.may_enter(sign_in.user)


class Headers:
    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kept = "max-age=86400" if "/statics/" in scope["path"] else "no-store"
        more = [(name.lower().encode(), value.encode()) for name, value in (HEADERS | {"Cache-Control": kept}).items()]

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *more]
            await send(message)

        await self.app(scope, receive, send_safely)


def make_page(api: FastAPI) -> Starlette:
    page = Admin(
        # What it mounts itself in; it is mounted in the API already.
        Starlette(),
        # In both variants the synchronous engine, in threads: few people look, and the requests' own pool stays theirs.
        session_maker=sessionmaker(engine()),
        title=get_settings().project_name,
        # None; browsers would ask for one.
        favicon_url="data:,",
        templates_dir=str(files("app.admin") / "templates"),
        authentication_backend=Door(),
        middlewares=[Middleware(Headers)],
    )
    page.admin.router.redirect_slashes = False
    # What it does not answer itself, an absent database for one, is answered as everywhere.
    ours: dict[Any, Any] = {kind: handler for kind, handler in api.exception_handlers.items() if kind is not Exception}
    page.admin.exception_handlers = ours | dict(page.admin.exception_handlers)
    for view in VIEWS:
        page.add_view(view)
    return page.admin
