"""The jobs of one message with many: short ones share a transaction, and so the cost of claiming and committing."""

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from time import monotonic
from typing import Any, Protocol

import structlog
from celery.exceptions import Ignore, Retry
from sqlalchemy import Connection
from sqlalchemy.orm import Session

from app.db import engine
from app.jobs.heartbeat import heartbeat
from app.jobs.running import JobSession, LeaseLost
from app.jobs.transitions import RELEASE, SUCCEED
from app.settings import get_settings

__all__ = ["run_many"]

log = structlog.get_logger(__name__)

# For so long a job that is done waits for others to be committed with.
SHARED_SECONDS = 0.1


class Attempt(Protocol):
    """At a job that this process has claimed. What ends it raises what Celery is told."""

    @property
    def mine(self) -> dict[str, Any]: ...

    def work(self, session: Session) -> dict[str, Any]:
        """What SUCCEED is told."""

    def alone(self, connection: Connection) -> None:
        """In a transaction of its own, to whatever end."""

    def end_badly(self, error: Exception) -> None: ...

    def tell(self) -> None:
        """The log, that it succeeded."""


def run_many(attempts: Sequence[Attempt], connection: Connection) -> None:
    """However one ends, the others have nothing to do with it.

    What is not begun within JOB_PATIENCE_SECONDS is left to others, who may have time for it.
    """
    until = monotonic() + get_settings().job_patience_seconds
    waiting = deque(attempts)
    with heartbeat(*(attempt.mine for attempt in attempts)):
        try:
            while waiting and monotonic() < until:
                _share(waiting, connection)
        except LeaseLost:
            log.warning("jobs given to another worker")
            waiting = deque(attempts)
    if waiting:
        with engine().begin() as other:
            # Those that are ours still.
            other.execute(RELEASE, [attempt.mine for attempt in waiting])


def _share(waiting: deque[Attempt], connection: Connection) -> None:
    """One transaction of as many as come to their end in time. Raises LeaseLost: then nothing of it is kept."""
    until = monotonic() + SHARED_SECONDS
    done: list[tuple[Attempt, dict[str, Any]]] = []
    ends: list[tuple[Attempt, Callable[[], None]]] = []
    try:
        with connection.begin():
            while waiting and monotonic() < until and not connection.invalidated:
                attempt = waiting.popleft()
                try:
                    done.append((attempt, _in_savepoint(attempt, connection)))
                except LeaseLost:
                    raise
                except Exception as error:
                    ends.append((attempt, partial(attempt.end_badly, error)))
            if done and connection.execute(SUCCEED, [said for _, said in done]).rowcount != len(done):
                raise LeaseLost
    except LeaseLost:
        raise
    except Exception as error:
        # A constraint that is checked at the commit, or a lost connection. Whose fault it was shows when each is alone.
        log.warning("jobs that shared a transaction run one by one", jobs=len(done), exc_info=error)
        ends += [(attempt, partial(_alone, attempt)) for attempt, _ in done]
    else:
        for attempt, _ in done:
            attempt.tell()
    for attempt, end in ends:
        _hear(attempt, end)


def _in_savepoint(attempt: Attempt, connection: Connection) -> dict[str, Any]:
    """Of one that raises nothing is kept."""
    with JobSession(connection, expire_on_commit=False, join_transaction_mode="create_savepoint") as session:
        said = attempt.work(session)
        Session.commit(session)
        return said


def _alone(attempt: Attempt) -> None:
    with engine().connect() as connection:
        attempt.alone(connection)


def _hear(attempt: Attempt, end: Callable[[], None]) -> None:
    """Of a message with one job Celery hears what is raised, and logs it."""
    try:
        end()
    except (Ignore, Retry):
        pass
    except Exception as error:
        log.error("in a message of many jobs", job_id=str(attempt.mine["job_id"]), exc_info=error)
