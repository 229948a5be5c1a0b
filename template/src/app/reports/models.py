"""The reports table: what the task of this feature produces."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, func
from sqlalchemy.orm import Mapped, mapped_column

from groundwork.data import Base, primary_key


class Report(Base):
    """Sign-ups per day, as `{"2026-01-31": 4, ...}`."""

    __tablename__ = "reports"

    id: Mapped[UUID] = primary_key()
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    signups: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
