"""The base class of all tables, and the sessions of everything that is not a web request."""

from datetime import datetime
from functools import lru_cache
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import DateTime, Engine, MetaData, create_engine
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from uuid_utils.compat import uuid7

from app.settings import CONNECT_ARGS, get_settings

__all__ = ["AnySession", "Base", "engine", "new_session", "primary_key"]


class Base(DeclarativeBase):
    # Constraints need names that a migration and an error handler can rely on.
    metadata = MetaData(
        naming_convention={
            "pk": "%(table_name)s_pkey",
            "uq": "%(table_name)s_%(column_0_N_name)s_key",
            "ix": "%(table_name)s_%(column_0_N_name)s_idx",
            "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
            "ck": "%(table_name)s_%(constraint_name)s_check",
        }
    )
    type_annotation_map = {datetime: DateTime(timezone=True), dict[str, Any]: JSONB}


class AnySession(Protocol):
    """Session and AsyncSession alike."""

    def add(self, instance: object) -> None: ...


def primary_key() -> Mapped[UUID]:
    """A UUIDv7 made here, not in the database: the id is known before the row is written."""
    return mapped_column(primary_key=True, default=uuid7)


@lru_cache
def engine() -> Engine:
    """The synchronous engine of this process: worker, relay, command line and tests."""
    # hide_parameters, here and for web requests: addresses and hashes stay out of logged errors.
    return create_engine(
        get_settings().database_url,
        pool_pre_ping=True,
        # A worker has a connection for each job that runs and one for what is said of them: Celery bounds how many.
        max_overflow=-1,
        hide_parameters=True,
        connect_args=CONNECT_ARGS,
    )


def new_session() -> Session:
    return Session(engine(), expire_on_commit=False)
