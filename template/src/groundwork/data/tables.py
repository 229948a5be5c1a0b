"""The base class of all tables, and where the tables are."""

import enum
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import ColumnElement, Constraint, DateTime, Enum, MetaData, Table
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from uuid_utils.compat import uuid7

from groundwork.configuration import configuration

__all__ = ["AnySession", "Base", "RequestSession", "import_models", "primary_key", "text_enum"]


def text_enum(kind: type[enum.Enum], length: int = 32) -> Enum:
    """A column type that stores the value of an enum's member as text of at most `length` characters.

    A native enum of PostgreSQL can lose no member, and stays when its table is dropped.
    """
    return Enum(
        kind, native_enum=False, length=length, values_callable=lambda members: [str(each.value) for each in members]
    )


def _given_name(constraint: Constraint, table: Table) -> str:
    if not isinstance(constraint.name, str):
        # One sentence wherever a command or Alembic itself finds it.
        from alembic.util import CommandError

        raise CommandError(f"The table {table.name!r} has a CHECK constraint without a name; write name='...' in it.")
    return constraint.name


class Base(DeclarativeBase):
    """The base class of all models: names of constraints, times with time zones, `dict` as JSONB, enums as text."""

    # Constraints need names that a migration and an error handler can rely on.
    metadata = MetaData(
        naming_convention={
            "pk": "%(table_name)s_pkey",
            "uq": "%(table_name)s_%(column_0_N_name)s_key",
            "ix": "%(table_name)s_%(column_0_N_name)s_idx",
            "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
            "ck": "%(table_name)s_%(constraint_name)s_check",
            "constraint_name": _given_name,
        }
    )
    type_annotation_map = {
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        enum.Enum: text_enum(enum.Enum),
    }

    @classmethod
    def outdated(cls) -> ColumnElement[bool] | None:
        """Which rows the hourly housekeeping deletes; None, the default, keeps all of them. Its column needs an index."""
        return None


class RequestSession(Session):
    """The session of a web request, by which what holds for requests alone is told apart."""


class AnySession(Protocol):
    """What `enqueue` and `record` need of a session: a Session or an AsyncSession."""

    def add(self, instance: object) -> None: ...


def primary_key() -> Mapped[UUID]:
    """A UUID column as primary key, filled with a UUIDv7 by the flush: ids are in order of time.

    Call `flush` on the session before you pass the id of a new row to `enqueue`.
    """
    return mapped_column(primary_key=True, default=uuid7)


def import_models() -> None:
    """Import every `models.py`, of the groundwork and of the features: tables refer to each other by name."""
    # Found by their files: importing each package to ask it would load packages without tables, such as the pages.
    folders = [*Path(__file__).parent.parent.iterdir(), *configuration().features]
    for folder in sorted(folder for folder in folders if (folder / "models.py").exists()):
        import_module(f"{folder.parent.name}.{folder.name}.models")
