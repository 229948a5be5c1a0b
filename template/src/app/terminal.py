"""What commands say to a person."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from alembic.util import CommandError
from psycopg.errors import UndefinedColumn, UndefinedTable
from sqlalchemy.exc import OperationalError, ProgrammingError

from app.settings import SettingsInvalid

__all__ = ["plain_errors", "plain_refusals", "stop"]


@contextmanager
def plain_errors() -> Iterator[None]:
    """One sentence instead of a traceback, for what a person can put right."""
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


def stop(sentence: str) -> typer.Exit:
    typer.secho(sentence, fg="red", err=True)
    return typer.Exit(1)
