"""Errors that a person can correct, as one sentence instead of a traceback."""

from collections.abc import Iterator
from contextlib import contextmanager

from groundwork.tools.terminal import stop

__all__ = ["plain_errors", "plain_refusals"]


@contextmanager
def plain_errors() -> Iterator[None]:
    """Print one sentence instead of a traceback for errors that a person can correct."""
    try:
        yield
    except Exception as error:
        # Only now: what knows the errors of the database and of Alembic loads both.
        from groundwork.tools.corrections import correction

        if (sentence := correction(error)) is None:
            raise
        raise stop(sentence) from None


@contextmanager
def plain_refusals() -> Iterator[None]:
    """The same for what makes the tables: where a migration is wrong, its traceback tells."""
    try:
        yield
    except Exception as error:
        # Only now, as above.
        from groundwork.tools.corrections import refusal

        if (sentence := refusal(error)) is None:
            raise
        raise stop(sentence) from None
