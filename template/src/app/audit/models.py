"""The audit log's table and the kinds of its events."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Index, func
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, primary_key


class Kind(StrEnum):
    REGISTERED = "registered"
    VERIFIED = "verified"
    SIGNED_IN = "signed-in"
    SIGN_IN_FAILED = "sign-in-failed"
    SIGNED_OUT = "signed-out"
    REFRESH_TOKEN_REUSED = "refresh-token-reused"
    RESET_ASKED = "reset-asked"
    PASSWORD_RESET = "password-reset"
    PASSWORD_CHANGED = "password-changed"
    PASSWORD_REFUSED = "password-refused"
    EMAIL_CHANGE_ASKED = "email-change-asked"
    EMAIL_CHANGED = "email-changed"
    DEACTIVATED = "deactivated"
    REACTIVATED = "reactivated"
    DELETION_ASKED = "deletion-asked"
    DELETED = "deleted"
    ADMIN_MADE = "admin-made"
    JOB_CANCELLED = "job-cancelled"
    JOB_RETRIED = "job-retried"
    SUPPRESSION_LIFTED = "suppression-lifted"


class AuditEvent(Base):
    """A security event. It refers to no row: it outlives the account that it tells of."""

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
