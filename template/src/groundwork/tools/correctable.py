"""Errors that a person can correct, as one sentence instead of a traceback."""

from collections.abc import Iterator
from contextlib import contextmanager

from alembic.util import CommandError
from psycopg.errors import UndefinedColumn, UndefinedTable
from sqlalchemy.exc import OperationalError, ProgrammingError

from groundwork.settings import SettingsInvalid
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
