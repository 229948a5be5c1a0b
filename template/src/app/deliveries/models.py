"""What the provider reported, and the addresses that get no more mail."""

from datetime import datetime

from sqlalchemy import Index, func
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base


class ReportedEvent(Base):
    __tablename__ = "mail_events"
    __table_args__ = (Index(None, "message_id"), Index(None, "received_at"))

    # The provider's, so that what is reported twice is kept once.
    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    email: Mapped[str]
    # As in the result of the job that sent the message.
    message_id: Mapped[str]
    reason: Mapped[str]
    at: Mapped[datetime]
    received_at: Mapped[datetime] = mapped_column(server_default=func.now())


class SuppressedAddress(Base):
    """Nobody reads mail there, or its reader called ours spam: more of it would spoil our name with every provider."""

    __tablename__ = "suppressed_addresses"

    # In lower case.
    email: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    reason: Mapped[str]
    since: Mapped[datetime] = mapped_column(server_default=func.now())
