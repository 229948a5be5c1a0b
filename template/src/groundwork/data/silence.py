"""Connections to PostgreSQL that are lost, or open and silent: neither fails a request nor holds up a worker for ever."""

from collections.abc import Generator
from contextlib import suppress
from select import POLLERR, POLLHUP, POLLIN, poll
from time import monotonic
from typing import Any

import psycopg
import structlog
from psycopg.waiting import Ready
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import InvalidatePoolError

__all__ = ["ANSWER_SECONDS", "COMMIT_SECONDS", "PromptConnection", "answer_within", "drop_lost", "expect_answers"]

log = structlog.get_logger(__name__)

# Seconds for a short statement of the groundwork itself. TCP does not notice a stopped backend, or a proxy that swallows
# what is sent: somebody acknowledges the bytes.
ANSWER_SECONDS = 20.0
# A commit may wait for a synchronous standby, or for a slow disk.
COMMIT_SECONDS = 120.0


class PromptConnection(psycopg.Connection[Any]):
    """A connection that closes itself where the server does not answer a statement within `deadline` seconds.

    None: a statement may take as long as it takes.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.deadline: float | None = ANSWER_SECONDS
        self._last_words: psycopg.Error | None = None
        self.add_notice_handler(self._hear)

    def _hear(self, message: psycopg.errors.Diagnostic) -> None:
        if message.severity_nonlocalized == "FATAL" and message.sqlstate:
            self._last_words = psycopg.errors.lookup(message.sqlstate)(message.message_primary or "")

    def wait(self, gen: Any, *args: Any, **kwargs: Any) -> Any:
        if not self.closed and _has_something_to_read(self.fileno()):
            # Why PostgreSQL has ended the session, perhaps: once something is sent, TCP may drop what was not read.
            with suppress(psycopg.Error):
                self.pgconn.consume_input()
                self.pgconn.is_busy()
        try:
            return super().wait(gen if self.deadline is None else self._in_time(gen, self.deadline), *args, **kwargs)
        except psycopg.OperationalError as error:
            if self._last_words and error.sqlstate is None:
                raise self._last_words from error
            raise

    def rollback(self) -> None:
        # Also after the statement of a task, which has no deadline.
        before, self.deadline = self.deadline, ANSWER_SECONDS
        try:
            super().rollback()
        finally:
            self.deadline = before

    def _in_time(self, work: Generator[Any, Any, Any], seconds: float) -> Generator[Any, Any, Any]:
        """The driver asks ten times a second while nothing arrives."""
        until = monotonic() + seconds
        try:
            wanted = next(work)
            while True:
                ready = yield wanted
                if ready == Ready.NONE and monotonic() > until:
                    words = f"PostgreSQL has not answered for {seconds:g} s on an open connection"
                    log.warning(f"{words}, which is closed now", backend=self.pgconn.backend_pid)
                    # It sends nothing that could block, and SQLAlchemy takes the connection for lost.
                    self.pgconn.finish()
                    raise psycopg.OperationalError(f"{words}.")
                wanted = work.send(ready)
        except StopIteration as done:
            return done.value


def expect_answers(engine: Engine, seconds: float | None = None) -> Engine:
    """Give each statement so many seconds, for ever with None; what the pool does by itself has ANSWER_SECONDS.

    It drops lost connections too. For a synchronous engine, which it returns.
    """

    @event.listens_for(engine, "do_connect")
    def connect(_dialect: object, _record: object, args: tuple[Any, ...], words: dict[str, Any]) -> PromptConnection:
        return PromptConnection.connect(*args, **words)

    @event.listens_for(engine, "checkout")
    def begin(connection: PromptConnection, record: Any, _proxy: object) -> None:
        connection.deadline = ANSWER_SECONDS
        _refuse_lost(engine, connection, record)
        connection.deadline = seconds

    return engine


def drop_lost(engine: Engine) -> None:
    """Notice lost connections before they are used, and open others."""

    @event.listens_for(engine, "checkout")
    def begin(connection: object, record: Any, _proxy: object) -> None:
        _refuse_lost(engine, connection, record)


def _refuse_lost(engine: Engine, connection: Any, record: Any) -> None:
    """One that is cut has something to read, and hardly any other has: so only that one is asked.

    Asking each would be a round trip with each request.
    """
    try:
        if _has_something_to_read(record.driver_connection.fileno()):
            engine.dialect.do_ping(connection)
    except psycopg.Error as error:
        log.warning("connections to the database were lost; others are opened", error=str(error))
        raise InvalidatePoolError from error


def _has_something_to_read(file: int) -> bool:
    waiting = poll()
    waiting.register(file, POLLIN | POLLHUP | POLLERR)
    return bool(waiting.poll(0))


def answer_within(connection: Connection, seconds: float | None) -> None:
    """Give each statement so many seconds from now on, until the connection is given back to a pool of `expect_answers`."""
    if not connection.invalidated:
        driver: Any = connection.connection.driver_connection
        driver.deadline = seconds
