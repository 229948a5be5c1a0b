"""What the page shows: a view for each table. Your own go here, too."""

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqladmin import ModelView
from sqladmin.formatters import BASE_FORMATTERS
from sqlalchemy import Select
from starlette.exceptions import HTTPException
from starlette.requests import Request

from app.accounts.models import Registration, User
from groundwork.audit import AuditEvent
from groundwork.jobs import Job
from groundwork.mail import ReportedEvent, SuppressedAddress

__all__ = ["VIEWS"]


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


VIEWS: list[type[ModelView]] = [
    Users,
    Registrations,
    Jobs,
    Mail,
    Suppressed,
    Audit,
    # Your own views go below this line.
]
