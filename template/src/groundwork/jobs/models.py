"""The jobs table. Triggers (see the migrations) send NOTIFY when a job is inserted, and report what its owner may see."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, Index, and_, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from groundwork.data.tables import Base, primary_key, text_enum
from groundwork.settings import get_settings

# The channel of the trigger: each inserted row wakes the relays.
CHANNEL = "jobs"
# Who listens here hears `<owner> <job>`, for many jobs at once, of each job with an owner whose status or progress was
# written: see notices.py.
CHANGES = "job_changes"
# Failed attempts that a row tells of: a month of waiting for a provider's quota has thousands.
LONGEST_HISTORY = 50


class Status(StrEnum):
    """The states of a job: queued → running → succeeded, failed or cancelled, and back to queued for a retry."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


# Jobs without a queue of their own go where Celery's routing sends them; here they have one together.
QUEUE = text("coalesce(queue, '')")


class Job(Base):
    """A job: one requested run of a task. Its id, a UUIDv7, is also the id of the Celery task and in its log lines."""

    __tablename__ = "jobs"
    __table_args__ = (
        CheckConstraint("(due_at IS NULL) = (status IN ('succeeded', 'failed', 'cancelled'))", name="finished"),
        # Partial, so that a job without a key, an owner or a future costs no entry.
        Index("jobs_unique_key_key", "unique_key", unique=True, postgresql_where="unique_key IS NOT NULL"),
        # An unfinished job is in one of three: it waits in the table, its message was published, or it runs.
        Index("jobs_waiting_idx", QUEUE, "due_at", postgresql_where="status = 'queued' AND published_at IS NULL"),
        Index("jobs_published_idx", QUEUE, "due_at", postgresql_where="status = 'queued' AND published_at IS NOT NULL"),
        Index("jobs_running_idx", "due_at", postgresql_where="status = 'running'"),
        # For lists and snapshots: the jobs of an owner by state, and everybody's of the states that are rare.
        Index("jobs_owner_id_status_id_idx", "owner_id", "status", "id", postgresql_where="owner_id IS NOT NULL"),
        Index("jobs_status_id_idx", "status", "id", postgresql_where="status IN ('failed', 'cancelled')"),
        # For the housekeeping, and for those who come back to watch.
        Index(None, "finished_at", postgresql_where="finished_at IS NOT NULL"),
    )

    id: Mapped[UUID] = primary_key()
    task: Mapped[str]
    arguments: Mapped[dict[str, Any]]
    # Celery's queue; NULL: the one that Celery's own routing finds.
    queue: Mapped[str | None]
    # Of all jobs in the table one has it. Purging an old job makes its key free again.
    unique_key: Mapped[str | None]
    owner_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    status: Mapped[Status] = mapped_column(text_enum(Status, length=16), default=Status.QUEUED)

    # Not before this time: now, or later for a delay or a retry.
    run_at: Mapped[datetime] = mapped_column(server_default=func.now())
    # When a relay looks at the row next: to publish it, to ask whether its message was lost, or
    # to give it back because the lease of a worker ran out. NULL: finished.
    due_at: Mapped[datetime | None] = mapped_column(server_default=func.now())
    # When its message was published for this attempt; NULL while it waits in the table, and when it has ended.
    published_at: Mapped[datetime | None]
    # Which attempt may finish the job. A worker that lost its lease no longer knows the token.
    token: Mapped[UUID | None]
    # Whose main process answers for the attempt that runs.
    worker: Mapped[str | None]
    attempts: Mapped[int] = mapped_column(default=0)
    # Attempts that ended with the death of their worker, or of its connection to the database.
    crashes: Mapped[int] = mapped_column(default=0)
    cancel_requested_at: Mapped[datetime | None]

    progress: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    result: Mapped[Any] = mapped_column(JSONB(none_as_null=True), nullable=True)
    error: Mapped[str | None]
    # The attempts that did not succeed, the first and the newest: when each began and ended, and why.
    history: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, default=list)

    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    # When its owner last had something new to see: set by the trigger.
    changed_at: Mapped[datetime] = mapped_column(server_default=func.now())
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    @classmethod
    def outdated(cls) -> ColumnElement[bool]:
        oldest = func.now() - timedelta(days=get_settings().job_retention_days)
        return and_(cls.due_at.is_(None), cls.finished_at < oldest)


class Tick(Base):
    """When something regular happened last: a tick of the schedule, a look of a relay."""

    __tablename__ = "ticks"

    name: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=func.now())
