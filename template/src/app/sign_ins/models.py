"""The devices that are signed in, and the secrets that were given away."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, LargeBinary, func
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db import Base, primary_key
from app.users.models import User


class SignIn(Base):
    """A device that is signed in, and the family of its refresh tokens, each of which gives the next one."""

    __tablename__ = "sign_ins"

    id: Mapped[UUID] = primary_key()
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    user: Mapped[User] = relationship(lazy="joined", innerjoin=True)
    device: Mapped[str]
    address: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    refreshed_at: Mapped[datetime] = mapped_column(server_default=func.now())
    ended_at: Mapped[datetime | None]


class Purpose(StrEnum):
    REFRESH = "refresh"
    VERIFY = "verify"
    RESET = "reset"
    CHANGE_EMAIL = "change-email"


class Token(Base):
    """A secret that somebody was given, to be used once for one purpose; what is kept is its hash."""

    __tablename__ = "tokens"

    hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    purpose: Mapped[str]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    # Of a refresh token: its family.
    sign_in_id: Mapped[UUID | None] = mapped_column(ForeignKey("sign_ins.id", ondelete="CASCADE"), index=True)
    # Of a mailed one: who knows it reads mail at this address.
    email: Mapped[str | None]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
