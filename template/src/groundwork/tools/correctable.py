"""Errors that a person can correct, as one sentence instead of a traceback."""

from collections.abc import Iterator
from contextlib import contextmanager

from alembic.util import CommandError
from psycopg.errors import (
    InsufficientPrivilege,
    InvalidSchemaName,
    ReadOnlySqlTransaction,
    UndefinedColumn,
    UndefinedTable,
)
from sqlalchemy.exc import InternalError, OperationalError, ProgrammingError

from groundwork.data.connections import engine
from groundwork.settings import SettingsInvalid
from groundwork.tools.rights import lack
from groundwork.tools.terminal import stop

__all__ = ["plain_errors", "plain_refusals"]


@contextmanager
def plain_errors() -> Iterator[None]:
    """Print one sentence instead of a traceback for errors that a person can correct."""
    try:
        with plain_refusals():
            yield
    except ProgrammingError as error:
        if not isinstance(error.orig, UndefinedTable | UndefinedColumn):
            raise
        reason = str(error.orig).partition("\n")[0]
        raise stop(f"The tables are not up to date, {reason}; run `uv run app migrate`.") from None


@contextmanager
def plain_refusals() -> Iterator[None]:
    """The same for what makes the tables: where a migration is wrong, its traceback tells."""
    try:
        yield
    except (SettingsInvalid, CommandError) as error:
        raise stop(str(error)) from None
    except OperationalError as error:
        raise stop(f"The database does not answer: {error.orig}\n`uv run app doctor` tells more.") from None
    except (ProgrammingError, InternalError) as error:
        if not isinstance(error.orig, InsufficientPrivilege | InvalidSchemaName | ReadOnlySqlTransaction):
            raise
        raise stop(_refused(error.orig)) from None


def _refused(error: Exception) -> str:
    reason = f"PostgreSQL refuses it, {str(error).partition(chr(10))[0]}"
    if isinstance(error, ReadOnlySqlTransaction):
        return f"{reason}; let the URL of the database lead to the primary, and see `uv run app doctor`."
    with engine().connect() as connection:
        missing = lack(connection, creating="schema" in reason)
    if missing is None:
        return f"{reason}; run this as the role that owns the tables."
    return f"{reason}: {missing.says}; let the owner of the database run `{missing.remedy}`."
