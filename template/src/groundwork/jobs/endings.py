"""What comes after an attempt that ended badly: another one, or a word to the job's owner."""

import random
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from uuid_utils.compat import uuid7

from groundwork.configuration import configuration
from groundwork.jobs.models import Job, Status

__all__ = ["costs_nothing", "database_lost", "ended_by_database", "seconds_until_retry", "tell_owner"]

# Seconds; what asks for more is not believed.
LONGEST_RETRY_AFTER = 24 * 3600
# A month and a day: what has not renewed itself by then does not do so by waiting.
LONGEST_FREE_WAIT = timedelta(days=32)
# By their SQLSTATE: settings by which PostgreSQL ends what takes too long.
TIMEOUTS = {
    "25P03": "idle_in_transaction_session_timeout",
    "25P04": "transaction_timeout",
    "55P03": "lock_timeout, or NOWAIT,",
    "57014": "statement_timeout, or pg_cancel_backend(),",
    "57P05": "idle_session_timeout",
}
SHUTDOWNS = {
    "57P01": "a stop of PostgreSQL, or pg_terminate_backend(),",
    "57P02": "a crash of PostgreSQL",
}


def costs_nothing(error: Exception, created_at: datetime) -> bool:
    """Whether the error says that waiting is all there is to do, and the job has not waited too long already."""
    waited = datetime.now(UTC) - created_at
    return not getattr(error, "spends_attempt", True) and waited < LONGEST_FREE_WAIT


def database_lost(error: Exception) -> bool:
    """Whether the attempt's connection broke. Its effect is gone, as with the death of its worker, and is counted so.

    A timeout of PostgreSQL is the task's own: the next attempt would take as long.
    """
    return isinstance(error, DBAPIError) and error.connection_invalidated and _sqlstate(error) not in TIMEOUTS


def ended_by_database(error: Exception) -> str | None:
    """Who ended the attempt, where it was PostgreSQL: a timeout by its name, or whoever ended the connection."""
    return (TIMEOUTS | SHUTDOWNS).get(_sqlstate(error) or "")


def _sqlstate(error: BaseException) -> str | None:
    """What PostgreSQL said first: the next statement on a connection that it has closed only says that it is closed."""
    state: str | None = None
    cause: BaseException | None = error if isinstance(error, SQLAlchemyError) else None
    while cause is not None:
        state = getattr(getattr(cause, "orig", cause), "sqlstate", None) or state
        cause = cause.__cause__ or cause.__context__
    return state


def seconds_until_retry(error: Exception, attempt: int, first: float, longest: float) -> float:
    """At random up to a bound: `first`, and with each attempt three times as much, but never more than `longest`."""
    asked = getattr(error, "retry_after", None)
    if isinstance(asked, (int, float)) and 0 < asked <= LONGEST_RETRY_AFTER:
        return asked
    if database_lost(error):
        # The database was away for a moment, and is back: the row could be claimed again.
        return random.uniform(0, 2)
    return random.uniform(0, min(longest, first * 3 ** (attempt - 1)))


def tell_owner(connection: Connection, job_id: UUID | str) -> None:
    """Enqueue the mail that tells the owner of a failed job, in the same transaction; a job without one needs none."""
    failed = select(Job.id).where(Job.id == job_id, Job.status == Status.FAILED, Job.owner_id.is_not(None))
    if connection.scalar(failed) is not None:
        notice = configuration().failure_notice
        queue = configuration().celery.tasks[notice].queue_of_jobs
        connection.execute(insert(Job).values(id=uuid7(), task=notice, queue=queue, arguments={"job_id": str(job_id)}))
