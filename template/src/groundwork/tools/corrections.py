"""The sentences for errors that a person can correct."""

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

__all__ = ["correction", "refusal"]


def correction(error: Exception) -> str | None:
    """What to do about an error; None where its traceback tells more."""
    if isinstance(error, ProgrammingError) and isinstance(error.orig, UndefinedTable | UndefinedColumn):
        reason = str(error.orig).partition("\n")[0]
        return f"The tables are not up to date, {reason}; run `uv run app migrate`."
    return refusal(error)


def refusal(error: Exception) -> str | None:
    """The same, for errors that do not come of the tables."""
    if isinstance(error, SettingsInvalid | CommandError):
        return str(error)
    if isinstance(error, OperationalError):
        return f"The database does not answer: {error.orig}\n`uv run app doctor` tells more."
    if isinstance(error, ProgrammingError | InternalError) and isinstance(
        error.orig, InsufficientPrivilege | InvalidSchemaName | ReadOnlySqlTransaction
    ):
        return _refused(error.orig)
    return None


def _refused(error: Exception) -> str:
    reason = f"PostgreSQL refuses it, {str(error).partition(chr(10))[0]}"
    if isinstance(error, ReadOnlySqlTransaction):
        return f"{reason}; let the URL of the database lead to the primary, and see `uv run app doctor`."
    with engine().connect() as connection:
        missing = lack(connection, creating="schema" in reason)
    if missing is None:
        return f"{reason}; run this as the role that owns the tables."
    return f"{reason}: {missing.says}; let the owner of the database run `{missing.remedy}`."
