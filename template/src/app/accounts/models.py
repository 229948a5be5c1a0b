"""Users and who wants to become one, the devices on which they are signed in, and the secrets that they were given."""

from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, LargeBinary, UniqueConstraint, func, or_
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.settings import get_settings
from groundwork.data import Base, primary_key


class User(Base):
    __tablename__ = "users"
    __table_args__ = (
        UniqueConstraint("email"),
        CheckConstraint("password_hash <> '' AND verified_at IS NOT NULL OR password_hash IS NULL", name="password"),
    )

    id: Mapped[UUID] = primary_key()
    # In lower case, so that the constraint also stops Ada@example.org after ada@example.org.
    email: Mapped[str]
    # NULL: nobody can sign in until a mailed link sets a password.
    password_hash: Mapped[str | None]
    admin: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    verified_at: Mapped[datetime | None]
    last_seen_at: Mapped[datetime | None]
    # By an administrator, or because its owner asked for its deletion: nobody can sign in.
    deactivated_at: Mapped[datetime | None]

    # Your own columns go below this line.

    @property
    def verified(self) -> bool:
        return self.verified_at is not None


class Registration(Base):
    """An address and a password that a mailed link makes an account of. One address may have several, of several people."""

    __tablename__ = "registrations"

    # Of the link's secret.
    hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    email: Mapped[str] = mapped_column(index=True)
    password_hash: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime] = mapped_column(index=True)

    @classmethod
    def outdated(cls) -> ColumnElement[bool]:
        return cls.expires_at < func.now()


class SignIn(Base):
    """A device that is signed in, and its refresh tokens, each of which is exchanged for the next."""

    __tablename__ = "sign_ins"
    __table_args__ = (UniqueConstraint("family"),)

    id: Mapped[UUID] = primary_key()
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    user: Mapped[User] = relationship(lazy="joined", innerjoin=True)
    device: Mapped[str]
    address: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    refreshed_at: Mapped[datetime] = mapped_column(server_default=func.now())
    # Hashes of the first refresh token, with which every later one begins, and of the newest one.
    family: Mapped[bytes | None] = mapped_column(LargeBinary)
    newest_token: Mapped[bytes | None] = mapped_column(LargeBinary)
    ended_at: Mapped[datetime | None]

    @classmethod
    def outdated(cls) -> ColumnElement[bool]:
        oldest = func.now() - timedelta(days=get_settings().sign_in_days)
        return or_(cls.ended_at < oldest, cls.refreshed_at < oldest)


class Purpose(StrEnum):
    RESET = "reset"
    CHANGE_EMAIL = "change-email"


class Token(Base):
    """A secret that somebody was mailed, to be used once for one purpose. Only its hash is stored."""

    __tablename__ = "tokens"

    hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    purpose: Mapped[str]
    # NULL: nobody has the address for which somebody asked.
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    # Who knows the secret reads mail at this address.
    email: Mapped[str | None]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    used_at: Mapped[datetime | None]

    @classmethod
    def outdated(cls) -> ColumnElement[bool]:
        return cls.expires_at < func.now()
