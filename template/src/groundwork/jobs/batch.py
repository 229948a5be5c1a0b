"""The jobs of one message: short ones share a transaction, and so the cost of the claim and of the commit."""

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from time import monotonic
from typing import Any

import structlog
from celery.exceptions import Ignore, Retry
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from groundwork.data.connections import prompt_engine
from groundwork.jobs.attempt import Attempt, not_kept
from groundwork.jobs.heartbeat import heartbeat
from groundwork.jobs.job_session import JobSession
from groundwork.jobs.notices import pass_on
from groundwork.jobs.one_transaction import BEHIND, Guard, TaskFault, guarded, job_engine
from groundwork.jobs.running_job import LeaseLost
from groundwork.jobs.transitions import RELEASE, SUCCEED, SUCCEED_TOGETHER
from groundwork.settings import get_settings

__all__ = ["run_batch"]

log = structlog.get_logger(__name__)

# Seconds for which a finished job waits for others to be committed with it.
SHARED_SECONDS = 0.1


def run_batch(attempts: Sequence[Attempt], connection: Connection) -> None:
    """Run them; how one ends does not affect the others.

    Jobs not started within JOB_PATIENCE_SECONDS are released for other workers.
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
        with prompt_engine().begin() as other:
            # Only those that are still claimed by this message.
            other.execute(RELEASE, [attempt.mine for attempt in waiting])


def _share(waiting: deque[Attempt], connection: Connection) -> None:
    """Commit as many jobs as finish in time in one transaction. Raises LeaseLost: then none of them is kept."""
    until = monotonic() + SHARED_SECONDS
    done: list[tuple[Attempt, dict[str, Any]]] = []
    ends: list[tuple[Attempt, Callable[[], None]]] = []
    broke: Attempt | None = None
    try:
        with guarded(connection, waiting[0].mark, shared=True) as guard, connection.begin():
            while waiting and monotonic() < until and not connection.invalidated:
                attempt = waiting.popleft()
                try:
                    done.append((attempt, _in_savepoint(attempt, connection, guard)))
                except LeaseLost:
                    raise
                except Exception as error:
                    ends.append((attempt, partial(attempt.end_badly, error)))
                    # Of the transaction nothing is left, or nothing more can be done in it.
                    broke = attempt
                    guard.check(connection)
                    broke = None
            if done and connection.execute(SUCCEED_TOGETHER, _said(done)).rowcount != len(done):
                raise not_kept([attempt for attempt, _ in done], connection)
            guard.ending = True
    except LeaseLost:
        raise
    except Exception as error:
        if _committed(guard):
            # By a task and the driver's connection, with what others wrote before it: their work is done, and only their
            # rows do not say so. Or by this function, and the answer was lost.
            if broke:
                ends[-1] = (broke, partial(broke.end_badly, TaskFault(BEHIND)))
            ends += [(attempt, partial(_succeed, attempt, said)) for attempt, said in done]
        else:
            # A constraint that is checked at the commit, or a lost connection: alone, each job shows whose fault it was.
            log.warning("jobs that shared a transaction run one by one", jobs=len(done), exc_info=error)
            ends += [(attempt, partial(_alone, attempt)) for attempt, _ in done]
    else:
        pass_on(connection)
        for attempt, _ in done:
            attempt.tell()
    for attempt, end in ends:
        _hear(attempt, end)


def _said(done: Sequence[tuple[Attempt, dict[str, Any]]]) -> dict[str, Any]:
    """The parameters of SUCCEED_TOGETHER: those of each, whose token and mark are those of their message."""
    words = [said for _, said in done]
    ids, outcomes = [said["job_id"] for said in words], [said["outcome"] for said in words]
    return words[0] | {"job_ids": ids, "outcomes": outcomes}


def _in_savepoint(attempt: Attempt, connection: Connection, guard: Guard) -> dict[str, Any]:
    """Run one job; what it wrote is taken back where it raises."""
    guard.wrote = guard.ending = False
    session = JobSession(connection, expire_on_commit=False, join_transaction_mode="create_savepoint")
    try:
        said = attempt.work(session)
        session.flush()
        guard.check(connection)
        guard.ending = True
        session.commit()
        return said
    finally:
        guard.ending = True
        session.close()


def _committed(guard: Guard) -> bool:
    """Whether the shared transaction was committed, by whomever."""
    if not guard.transaction:
        return False
    try:
        with prompt_engine().connect() as connection:
            asked = text("SELECT pg_xact_status(CAST(:it AS xid8))")
            return connection.execute(asked, {"it": guard.transaction}).scalar() == "committed"
    except SQLAlchemyError as error:
        log.warning("nobody knows whether a transaction was committed", error=str(error))
        return False


def _succeed(attempt: Attempt, said: dict[str, Any]) -> None:
    """Write down a job whose effect is committed; where its row says so already, or the lease is lost, it stays as it is."""
    with job_engine().connect() as connection, guarded(connection, attempt.mark) as guard, connection.begin():
        guard.ending = True
        written = connection.execute(SUCCEED, said).rowcount
    if written:
        attempt.tell()


def _alone(attempt: Attempt) -> None:
    with job_engine().connect() as connection:
        attempt.alone(connection)


def _hear(attempt: Attempt, end: Callable[[], None]) -> None:
    """Log what the end of one job raises; Celery would hear only of a message with one job."""
    try:
        end()
    except (Ignore, Retry):
        pass
    except Exception as error:
        log.error("in a message of many jobs", job_id=str(attempt.mine["job_id"]), exc_info=error)
