"""What the provider reported, and the addresses that get no more mail."""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from groundwork.data.tables import Base
from groundwork.settings import get_settings


class ReportedEvent(Base):
    """What the mail provider reported of a message: delivered, deferred, bounced, complained, unsubscribed, rejected."""

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

    @classmethod
    def outdated(cls) -> ColumnElement[bool]:
        return cls.received_at < func.now() - timedelta(days=get_settings().job_retention_days)


class SuppressedAddress(Base):
    """An address that gets no more mail, since it bounced or complained: more mail would harm the sender's reputation."""

    __tablename__ = "suppressed_addresses"

    # In lower case.
    email: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    reason: Mapped[str]
    since: Mapped[datetime] = mapped_column(server_default=func.now())
