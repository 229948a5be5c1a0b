"""The audit log's table."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from groundwork.data.tables import Base, primary_key
from groundwork.settings import get_settings


class Kind(StrEnum):
    """What the groundwork records by itself; a feature has kinds of its own."""

    JOB_CANCELLED = "job-cancelled"
    JOB_RETRIED = "job-retried"
    SUPPRESSION_LIFTED = "suppression-lifted"


class AuditEvent(Base):
    """A security event. It has no foreign key: it outlives the account that it is about."""

    __tablename__ = "audit_events"
    __table_args__ = (Index(None, "user_id", "id"), Index(None, "at"))

    # In order of time.
    id: Mapped[UUID] = primary_key()
    kind: Mapped[str]
    # Whom it concerns; NULL where nobody has the address that was tried.
    user_id: Mapped[UUID | None]
    # Who did it: an administrator, or NULL for the person themselves or somebody unknown.
    actor_id: Mapped[UUID | None]
    # The client's, as far as it is known.
    address: Mapped[str]
    device: Mapped[str]
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict)
    at: Mapped[datetime] = mapped_column(server_default=func.now())

    @classmethod
    def outdated(cls) -> ColumnElement[bool]:
        return cls.at < func.now() - timedelta(days=get_settings().audit_retention_days)
