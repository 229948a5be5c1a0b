"""The base class of all tables, and the sessions of everything that is not a web request."""

import enum
from datetime import datetime
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import DateTime, Engine, Enum, MetaData, create_engine
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from uuid_utils.compat import uuid7

from app.settings import CONNECT_ARGS, get_settings

__all__ = ["AnySession", "Base", "engine", "import_models", "new_session", "primary_key", "text_enum"]


def text_enum(kind: type[enum.Enum], length: int = 32) -> Enum:
    """The member's value, as text. PostgreSQL's own enums lose no member, and stay when their table is dropped."""
    return Enum(
        kind, native_enum=False, length=length, values_callable=lambda members: [str(each.value) for each in members]
    )


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
    type_annotation_map = {
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        enum.Enum: text_enum(enum.Enum),
    }


class AnySession(Protocol):
    """Session and AsyncSession alike."""

    def add(self, instance: object) -> None: ...


def primary_key() -> Mapped[UUID]:
    """A UUIDv7 made here, not in the database: the id is known before the row is written."""
    return mapped_column(primary_key=True, default=uuid7)


def import_models() -> None:
    """Of every feature, for tables refer to each other by name: each folder of `app` may have a models.py."""
    # By their files: to ask Python for them would load folders that have none, such as the pages.
    for file in sorted(Path(__file__).parent.glob("*/models.py")):
        import_module(f"app.{file.parent.name}.models")


@lru_cache
def engine() -> Engine:
    """The synchronous engine of this process: worker, relay, command line, tests, and scripts of your own."""
    import_models()
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
