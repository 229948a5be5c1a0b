"""The engine and the sessions of everything that is not a web request: workers, relay, commands, tests, scripts."""

import os
from functools import lru_cache
from threading import RLock
from typing import Any

from sqlalchemy import Connection, Engine, QueuePool, create_engine, event
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from groundwork.data import silence
from groundwork.data.server_settings import with_server_settings
from groundwork.data.tables import import_models
from groundwork.settings import get_settings

__all__ = ["MAKING", "autocommit_engine", "engine", "forget_engine", "new_session", "prompt_engine"]

# Threads that ask for the first time at once get one engine: the connections of another would stay open, of nobody.
MAKING = RLock()
# A worker's child that is forked while another thread has it would wait for ever.
os.register_at_fork(before=MAKING.acquire, after_in_parent=MAKING.release, after_in_child=MAKING.release)


class _Pool(QueuePool):
    """One that closes what other threads give back after it was disposed of, which SQLAlchemy leaves to Python."""

    _disposed = False

    def dispose(self) -> None:
        self._disposed = True
        super().dispose()

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        super()._do_return_conn(record)
        if self._disposed:
            super().dispose()


def engine() -> Engine:
    """The synchronous engine of this process, with the tables of all features; its pool grows with the threads that use it.

    For workers, commands, scripts and tests; web requests have `SessionDep`. Raises SettingsInvalid.
    """
    with MAKING:
        return _engine()


@lru_cache
def _engine() -> Engine:
    import_models()
    return _made()


def forget_engine() -> None:
    """Dispose of it, and make another when one is needed; for tests that change the database."""
    with MAKING:
        engine().dispose()
        _engine.cache_clear()


@lru_cache(maxsize=1)
def autocommit_engine(plain: Engine, driver: str) -> Engine:
    """One beside `plain`, the engine of this process, whose driver begins no transaction; it is disposed of together.

    `driver` is the name of a dialect of SQLAlchemy for PostgreSQL.
    """
    # With a pool of its own: to change the level of a connection and to set it back would cost as much as a statement.
    autocommit = _made(driver, isolation_level="AUTOCOMMIT")
    event.listen(plain, "engine_disposed", lambda _: autocommit.dispose())
    return autocommit


def _made(driver: str = "psycopg", **options: Any) -> Engine:
    # hide_parameters, here and for web requests: addresses and hashes stay out of logged errors.
    plain = create_engine(
        f"postgresql+{driver}://",
        poolclass=_Pool,
        # A worker has a connection for each job that runs and one for what is said of them: Celery bounds how many.
        max_overflow=-1,
        hide_parameters=True,
        connect_args=get_settings().database_arguments,
        **options,
    )
    return silence.expect_answers(with_server_settings(plain))


def prompt_engine() -> Engine:
    """`engine()` for the short statements of the groundwork itself: one that is not answered loses its connection."""
    return _prompt(engine())


@lru_cache(maxsize=1)
def _prompt(plain: Engine) -> Engine:
    prompt = plain.execution_options()

    @event.listens_for(prompt, "engine_connect")
    def begin(connection: Connection) -> None:
        silence.answer_within(connection, silence.ANSWER_SECONDS)

    return prompt


def new_session() -> Session:
    """A session of `engine()`. Use it in a `with` statement; its objects stay readable after the commit."""
    return Session(engine(), expire_on_commit=False)
