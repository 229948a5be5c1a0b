"""The users table."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, primary_key


class User(Base):
    __tablename__ = "users"
    __table_args__ = (UniqueConstraint("email"),)

    id: Mapped[UUID] = primary_key()
    # In lower case, so that the constraint also stops Ada@example.org after ada@example.org.
    email: Mapped[str]
    password_hash: Mapped[str]
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
