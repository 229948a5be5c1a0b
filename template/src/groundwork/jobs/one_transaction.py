"""The effect of a job and its result are one transaction, and only the runner ends it."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus
from sqlalchemy import Connection, Engine, event

from groundwork.data import silence
from groundwork.data.connections import MAKING, autocommit_engine, engine
from groundwork.jobs.savepoints import DRIVER

__all__ = ["BEHIND", "COMMIT", "LOSS", "MARK", "Guard", "TaskFault", "TransactionAborted", "guard_of", "guarded"]
__all__ += ["job_engine", "status_of"]

# A setting of PostgreSQL that lasts as long as the transaction; SUCCEED asks for it.
MARK = "groundwork.attempt"
READS = re.compile(r"\s*(SELECT|SHOW|SET|VALUES|TABLE|EXPLAIN|SAVEPOINT|RELEASE|ROLLBACK)\b", re.IGNORECASE)
ENDS = re.compile(
    r"\s*(COMMIT|END|ABORT|BEGIN|START\s+TRANSACTION|PREPARE\s+TRANSACTION|ROLLBACK(?!(\s+WORK|\s+TRANSACTION)?\s+TO\b)"
    r"|SET\s+TRANSACTION|SET\s+SESSION\s+CHARACTERISTICS)\b",
    re.IGNORECASE,
)
COMMIT = (
    "The runner commits job.session, together with the result: remove the commit. What has to stay whatever becomes of "
    "the job is written with `with new_session() as session:` from groundwork.data."
)
LOSS = (
    "Its writes would be lost while the job succeeds. Use `with job.session.begin_nested():` around what may fail, and "
    "close() before the first write only."
)
BEHIND = (
    "The task ended the transaction of job.session by the driver's connection: what it wrote may be committed without the "
    "job. Use job.session, or `with new_session() as session:` from groundwork.data."
)


class TaskFault(Exception):
    """The task ends the transaction of its job; another attempt would not help. The text says what to do instead."""


class TransactionAborted(Exception):
    """The task caught an error of PostgreSQL and went on: nothing that it wrote can be committed."""


@dataclass
class Guard:
    """What is known of the transaction of an attempt, or of several that share one."""

    mark: str
    # Others wrote in the transaction too, which PostgreSQL calls `transaction`.
    shared: bool
    transaction: str = ""
    # A statement other than SELECT has succeeded: in the transaction, or in the attempt if it is shared.
    wrote: bool = False
    # The runner ends the transaction now.
    ending: bool = False
    fault: TaskFault | None = None

    def refuse(self, words: str) -> TaskFault:
        """Remember the fault, since the task may catch it."""
        self.fault = self.fault or TaskFault(words)
        return self.fault

    def check(self, connection: Connection) -> None:
        """Raise what the task did to the transaction, if anything."""
        if self.fault:
            raise self.fault
        if connection.invalidated or not connection.in_transaction():
            return
        if status_of(connection) == TransactionStatus.IDLE:
            raise self.refuse(BEHIND)
        if status_of(connection) == TransactionStatus.INERROR:
            raise TransactionAborted(
                "The task caught an error of PostgreSQL, which had aborted the transaction. Let the error pass, or use "
                "`with job.session.begin_nested():` around what may fail."
            )


@contextmanager
def guarded(connection: Connection, mark: str, *, shared: bool = False) -> Iterator[Guard]:
    """Let nobody but the runner end the transactions of this connection, which is one of `job_engine`."""
    guard = Guard(mark, shared)
    connection.execution_options(guard=guard)
    try:
        yield guard
    finally:
        guard.ending = True
        # What no session knows of any more: its locks would keep the runner from the job's row.
        connection.rollback()
        connection.execution_options(guard=None)


def job_engine() -> Engine:
    """The engine of attempts: beside `engine()`, with a pool of its own. Its connections begin transactions with the mark."""
    with MAKING:
        return _guarded_engine(engine())


@lru_cache(maxsize=1)
def _guarded_engine(plain: Engine) -> Engine:
    # The driver begins no transaction by itself: one begins where SQLAlchemy says so.
    jobs = autocommit_engine(plain, driver=DRIVER)
    listeners: dict[str, Callable[..., None]] = {
        "begin": _begins,
        "commit": _commits,
        "rollback": _rolls_back,
        "before_cursor_execute": _executes,
        "after_cursor_execute": _executed,
        "set_connection_execution_options": _sets_options,
    }
    for name, listener in listeners.items():
        event.listen(jobs, name, listener)
    return jobs


def guard_of(connection: Any) -> Guard | None:
    """The guard of a connection of `job_engine`, while an attempt runs."""
    guard: Guard | None = connection.get_execution_options().get("guard")
    return guard


def status_of(connection: Connection) -> int:
    """What the driver knows of the transaction, a psycopg.pq.TransactionStatus; asks nobody."""
    status: int = _driver(connection).info.transaction_status
    return status


def _driver(connection: Connection) -> Any:
    return connection.connection.dbapi_connection


def _begins(connection: Connection) -> None:
    if guard := guard_of(connection):
        guard.wrote = False
        # Progress and leases are written to the job's row meanwhile: a stricter level would never let it succeed.
        begin = f"BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL {MARK} = '{guard.mark}'"
        begin += "; SELECT pg_current_xact_id()::text" if guard.shared else ""
        silence.answer_within(connection, silence.ANSWER_SECONDS)
        try:
            # Beside SQLAlchemy, whose part in a statement costs as much as this one.
            answer = _driver(connection).execute(begin, prepare=False)
            if guard.shared:
                guard.transaction = answer.set_result(-1).fetchone()[0]
            silence.answer_within(connection, None)
        except psycopg.OperationalError:
            # A lost connection is lost for SQLAlchemy too, which says so.
            connection.exec_driver_sql("SELECT 1")
            raise


def _commits(connection: Connection) -> None:
    guard = guard_of(connection)
    if guard and not guard.ending:
        # Before SQLAlchemy takes the transaction for ended: its locks would stay, and the runner would wait for them.
        _driver(connection).rollback()
        raise guard.refuse(f"The task commits the connection of job.session. {COMMIT}")
    silence.answer_within(connection, silence.COMMIT_SECONDS)


def _rolls_back(connection: Connection) -> None:
    # Raises nothing: an error of the task may be on its way, and SQLAlchemy rolls back for it.
    guard = guard_of(connection)
    if guard and not guard.ending and (guard.wrote or guard.shared):
        guard.refuse(f"The task rolls back the connection of job.session after it wrote. {LOSS}")


def _executes(connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
    guard = guard_of(connection)
    if guard and not guard.ending and ENDS.match(statement):
        raise guard.refuse(f"The task executes {statement.split(';')[0].strip()!r}. {COMMIT}")
    # Those of a task may take as long as they take.
    silence.answer_within(connection, None if guard and not guard.ending else silence.ANSWER_SECONDS)


def _executed(connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
    guard = guard_of(connection)
    if guard and not guard.wrote and not READS.match(statement):
        guard.wrote = True


def _sets_options(connection: Connection, options: dict[str, Any]) -> None:
    guard = guard_of(connection)
    if guard and not guard.ending and "isolation_level" in options:
        raise guard.refuse(
            f"The task asks for isolation_level={options['isolation_level']!r}, and job.session is READ COMMITTED: the "
            "lease of the job is written meanwhile. Use `with new_session() as session:` from groundwork.data for it."
        )
