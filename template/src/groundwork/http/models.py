"""The counts of what was tried, one row for each client or address and each limit."""

from datetime import datetime

from sqlalchemy import ColumnElement, func
from sqlalchemy.orm import Mapped, mapped_column

from groundwork.data.tables import Base


class RateLimit(Base):
    __tablename__ = "rate_limits"
    # Without a log of its own: a crash of PostgreSQL forgets the counts, and nothing else.
    __table_args__ = {"prefixes": ["UNLOGGED"]}

    # A hash: whose address it is stays unknown.
    key: Mapped[str] = mapped_column(primary_key=True)
    tries: Mapped[int]
    # Of the window of time in which they are counted.
    ends_at: Mapped[datetime]

    @classmethod
    def outdated(cls) -> ColumnElement[bool]:
        return cls.ends_at < func.now()
