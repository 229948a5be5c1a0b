"""The jobs table. A trigger (see the first migration) sends NOTIFY when a job is inserted."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Enum, ForeignKey, Index, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, primary_key

# The channel of the trigger: each inserted row wakes the relays.
CHANNEL = "jobs"


class Status(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class Job(Base):
    """One requested run of a task. Its id is also the id of the Celery task and of the log lines."""

    __tablename__ = "jobs"
    __table_args__ = (
        CheckConstraint("(due_at IS NULL) = (status IN ('succeeded', 'failed'))", name="finished"),
        Index(None, "due_at", postgresql_where="due_at IS NOT NULL"),
        Index(None, "owner_id", "id"),
    )

    id: Mapped[UUID] = primary_key()
    task: Mapped[str]
    arguments: Mapped[dict[str, Any]]
    owner_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    status: Mapped[Status] = mapped_column(
        Enum(Status, native_enum=False, length=16, values_callable=lambda kinds: [kind.value for kind in kinds]),
        default=Status.QUEUED,
    )

    # Not before this time: now, or later for a delay or a retry.
    run_at: Mapped[datetime] = mapped_column(server_default=func.now())
    # When the relay looks at the row next: to publish it, to publish it again because the
    # message was lost, or to give it back because the lease of a worker ran out. NULL: finished.
    due_at: Mapped[datetime | None] = mapped_column(server_default=func.now())
    # Which attempt may finish the job. A worker that lost its lease no longer knows the token.
    token: Mapped[UUID | None]
    attempts: Mapped[int] = mapped_column(default=0)

    progress: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    result: Mapped[Any] = mapped_column(JSONB(none_as_null=True), nullable=True)
    error: Mapped[str | None]

    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
