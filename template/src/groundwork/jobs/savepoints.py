"""The savepoints of attempts: in a shared transaction each job has one around it."""

from typing import Any

import psycopg
from sqlalchemy import Connection
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

__all__ = ["DRIVER", "Savepoints"]

# In the URL of an engine: postgresql+attempts://...
DRIVER = "attempts"
registry.register(f"postgresql.{DRIVER}", __name__, "Savepoints")
# The savepoint around a job; its end and the next beginning are one statement, after which nothing is written outside.
NEXT = "RELEASE SAVEPOINT job; SAVEPOINT job"


class Savepoints(PGDialect_psycopg):
    """Sends savepoints as text: SQLAlchemy compiles each, which takes twice as long as the INSERT of a short job.

    In a transaction that jobs share, the savepoint of the next job begins with the end of the one before.
    """

    supports_statement_cache = True

    def do_begin(self, dbapi_connection: Any) -> None:
        dbapi_connection.info.update(savepoints=[], begun=False)

    def do_savepoint(self, connection: Connection, name: str) -> None:
        around = _is_around_a_job(connection)
        connection.info["savepoints"].append(name)
        if not around:
            _send(connection, f"SAVEPOINT {name}")
        elif not connection.info["begun"]:
            _send(connection, "SAVEPOINT job")
            connection.info["begun"] = True

    def do_release_savepoint(self, connection: Connection, name: str) -> None:
        connection.info["savepoints"].remove(name)
        _send(connection, NEXT if _is_around_a_job(connection) else f"RELEASE SAVEPOINT {name}")

    def do_rollback_to_savepoint(self, connection: Connection, name: str) -> None:
        connection.info["savepoints"].remove(name)
        _send(connection, f"ROLLBACK TO SAVEPOINT {'job' if _is_around_a_job(connection) else name}")


def _is_around_a_job(connection: Connection) -> bool:
    """Whether the savepoint that begins, or that has ended, is the outermost one of a shared transaction."""
    guard = connection.get_execution_options().get("guard")
    return bool(guard and guard.shared and not connection.info["savepoints"])


def _send(connection: Connection, words: str) -> None:
    driver: Any = connection.connection.dbapi_connection
    try:
        driver.execute(words, prepare=False)
    except psycopg.Error:
        # The error once more, in SQLAlchemy's terms.
        connection.exec_driver_sql("SELECT 1" if driver.closed else words.partition(";")[0])
        raise
