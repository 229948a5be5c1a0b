"""What commands say to a person."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from alembic.util import CommandError
from sqlalchemy.exc import OperationalError

from app.settings import SettingsInvalid

__all__ = ["plain_errors", "stop"]


@contextmanager
def plain_errors() -> Iterator[None]:
    """One sentence instead of a traceback, for what a person can put right."""
    try:
        yield
    except (SettingsInvalid, CommandError) as error:
        raise stop(str(error)) from None
    except OperationalError as error:
        raise stop(f"The database does not answer: {error.orig}\n`uv run app doctor` tells more.") from None


def stop(sentence: str) -> typer.Exit:
    typer.secho(sentence, fg="red", err=True)
    return typer.Exit(1)
