"""The page at /admin, for administrators: users, registrations, jobs, mail and the audit log, to look at and to search.

What they do they do through the API. Delete this folder and its lines, as the guide says, and the rest stays.
"""

from datetime import UTC, datetime
from importlib.resources import files
from typing import Any, ClassVar
from uuid import UUID

from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool
from sqladmin import Admin, ModelView
from sqladmin.authentication import AuthenticationBackend
from sqladmin.formatters import BASE_FORMATTERS
from sqlalchemy import Select
from sqlalchemy.orm import sessionmaker
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.accounts.models import Registration, SignIn, User
from app.admin import routes
from app.settings import get_settings
from groundwork.audit import AuditEvent
from groundwork.data import engine, new_session
from groundwork.http import TokenInvalid, read_token
from groundwork.jobs import Job
from groundwork.mail import ReportedEvent, SuppressedAddress

__all__ = ["VIEWS", "add"]

HEADERS = {
    # Its own files and nothing inline; the images that its style sheets hold, and a form to sign in.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    # Without a referrer a browser would not say either that the form is ours.
    "Referrer-Policy": "same-origin",
}


class ReadOnly(ModelView):
    """Each view lists its columns: one that a table gets later, with a secret perhaps, is not shown by itself."""

    can_create = can_edit = can_delete = can_export = False
    page_size = 50
    page_size_options: ClassVar = [50, 100]
    column_type_formatters: ClassVar = {
        **BASE_FORMATTERS,
        datetime: lambda at: f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
    }

    def details_query(self, request: Request) -> Select[Any]:
        try:
            return super().details_query(request)
        except ValueError:
            # What follows in the path is no id.
            raise HTTPException(404) from None


class Users(ReadOnly, model=User):
    icon = "fa-solid fa-user"
    column_list: ClassVar = [User.email, User.admin, User.created_at, User.verified_at, User.deactivated_at]
    column_details_list: ClassVar = [User.id, *column_list, User.last_seen_at]
    column_searchable_list: ClassVar = [User.email, User.id]
    column_sortable_list: ClassVar = [User.email, User.created_at]
    column_default_sort: ClassVar = [(User.id, True)]


class Registrations(ReadOnly, model=Registration):
    icon = "fa-solid fa-user-clock"
    can_view_details = False
    column_list: ClassVar = [Registration.email, Registration.created_at, Registration.expires_at]
    column_searchable_list: ClassVar = [Registration.email]
    column_default_sort: ClassVar = [(Registration.created_at, True)]


class Jobs(ReadOnly, model=Job):
    icon = "fa-solid fa-gears"
    column_list: ClassVar = [Job.task, Job.status, Job.attempts, Job.created_at, Job.finished_at, Job.error]
    column_details_list: ClassVar = [
        *[Job.id, Job.owner_id, *column_list, Job.queue, Job.worker, Job.crashes, Job.run_at, Job.started_at],
        *[Job.cancel_requested_at, Job.progress, Job.result, Job.history],
    ]
    column_searchable_list: ClassVar = [Job.task, Job.status, Job.id, Job.owner_id]
    column_sortable_list: ClassVar = [Job.created_at, Job.finished_at]
    column_default_sort: ClassVar = [(Job.id, True)]


class Mail(ReadOnly, model=ReportedEvent):
    name, name_plural, icon = "Report of the mail provider", "Mail", "fa-solid fa-envelope"
    column_list: ClassVar = [ReportedEvent.email, ReportedEvent.kind, ReportedEvent.reason, ReportedEvent.at]
    column_details_list: ClassVar = [*column_list, ReportedEvent.message_id, ReportedEvent.received_at]
    column_searchable_list: ClassVar = [ReportedEvent.email, ReportedEvent.kind, ReportedEvent.message_id]
    column_default_sort: ClassVar = [(ReportedEvent.received_at, True)]


class Suppressed(ReadOnly, model=SuppressedAddress):
    name, name_plural, icon = "Suppressed address", "Suppressed addresses", "fa-solid fa-ban"
    column_list: ClassVar = [
        *[SuppressedAddress.email, SuppressedAddress.kind, SuppressedAddress.reason, SuppressedAddress.since],
    ]
    column_details_list: ClassVar = column_list
    column_searchable_list: ClassVar = [SuppressedAddress.email]
    column_default_sort: ClassVar = [(SuppressedAddress.since, True)]


class Audit(ReadOnly, model=AuditEvent):
    name, name_plural, icon = "Audit event", "Audit log", "fa-solid fa-clipboard-list"
    column_list: ClassVar = [
        *[AuditEvent.at, AuditEvent.kind, AuditEvent.user_id, AuditEvent.actor_id, AuditEvent.address],
        *[AuditEvent.device],
    ]
    column_details_list: ClassVar = [*column_list, AuditEvent.detail]
    column_searchable_list: ClassVar = [AuditEvent.kind, AuditEvent.user_id, AuditEvent.address]
    column_default_sort: ClassVar = [(AuditEvent.id, True)]


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


def add(api: FastAPI) -> None:
    api.include_router(routes.router)
    page = Admin(
        api,
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


VIEWS: list[type[ModelView]] = [
    Users,
    Registrations,
    Jobs,
    Mail,
    Suppressed,
    Audit,
    # Your own views go below this line.
]
