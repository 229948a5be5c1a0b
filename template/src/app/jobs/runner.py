"""Runs a job in a Celery worker: claim the row, run the task, commit its effect and the result together."""

import random
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from time import monotonic
from typing import Any
from uuid import UUID, uuid4

import structlog
from celery import Celery, Task
from celery.exceptions import Ignore, Retry, SoftTimeLimitExceeded
from pydantic import BaseModel
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app.db import engine
from app.jobs.arguments import arguments_of
from app.jobs.heartbeat import heartbeat, lease
from app.jobs.many import Stopped, run_many
from app.jobs.notice import tell_owner
from app.jobs.running import Final, JobCancelled, LeaseLost, RunningJob, as_json, as_text
from app.jobs.transitions import CLAIM, FAIL, RETRY, STOP_CANCELLED, SUCCEED
from app.worker import place

__all__ = ["JobCancelled", "JobTask", "RunningJob"]

log = structlog.get_logger(__name__)

# Seconds; what asks for more is not believed.
LONGEST_RETRY_AFTER = 24 * 3600
# A month and a day: what has not renewed itself by then does not do so by waiting.
LONGEST_FREE_WAIT = timedelta(days=32)


class JobTask(Task[..., Any]):
    """The base of tasks that run as jobs: `@celery.task(base=JobTask)`, started with `enqueue`.

    The function's first parameter is the RunningJob; its database writes go through `job.session`,
    which it never commits: they are committed with the returned result, or not at all.

    Any exception but those named in `dont_autoretry_for` is tried again, after a random delay whose
    bound grows: eight attempts take about an hour and a half. An exception with a `retry_after`, in
    seconds, decides itself; with `spends_attempt = False` it is not counted, for up to a month: so a
    job outlasts a quota. Celery's own options (`soft_time_limit`, `time_limit`, `queue`) mean
    what they mean for every task.
    """

    max_attempts = 8
    # After so many deaths of its worker a job is taken for the cause.
    max_crashes = 5
    dont_autoretry_for: tuple[type[Exception], ...] = ()
    # Seconds: the bound of the first delay; each further one is three times as long, up to the last.
    retry_backoff = 30
    retry_backoff_max = 3600
    # The message has done its work once the row is claimed. Acknowledged late, a broken connection
    # to the broker would end the job that runs.
    acks_late = False
    reject_on_worker_lost = False
    # Of many short jobs so many may travel in one message, and run one after another: most of what
    # they cost is Celery's work for each message. Its limits, events and signals are the message's.
    batch_size = 1

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.request.called_directly:
            return self.run(*args, **kwargs)
        if args:
            return run_many(partial(_run, self), [UUID(job_id) for job_id in args])
        return _run(self, UUID(self.request.id))

    def apply_async(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(f"{self.name} needs a job's row; use enqueue(session, {self.__name__}, ...).")

    @classmethod
    def bind(cls, app: Celery) -> Celery:
        """Celery starts the hard limit after the soft one: of two that belong together one may be left out."""
        if cls.time_limit and not cls.soft_time_limit:
            cls.soft_time_limit = max(1, cls.time_limit * 9 // 10)
        elif cls.soft_time_limit and not cls.time_limit:
            cls.time_limit = cls.soft_time_limit + 60
        # Celery binds twice, and fills in the limits of its settings at the first time.
        if cls.batch_size > 1 and cls.time_limit and not cls.__bound__:
            raise TypeError(f"{cls.name} has a batch_size and a time limit, which would be the limit of many jobs.")
        return super().bind(app)

    @cached_property
    def arguments(self) -> type[BaseModel]:
        return arguments_of(self.name, self.run)

    def checked(self, **kwargs: Any) -> dict[str, Any]:
        """Arguments as a row keeps them; raises pydantic's ValidationError."""
        return self.arguments.model_validate(kwargs).model_dump(mode="json")


class JobSession(Session):
    """The session of a job, whose commit is the end of the job."""

    def commit(self) -> None:
        raise RuntimeError("A task does not commit job.session: the runner does, together with the result.")


def _run(task: JobTask, job_id: UUID) -> None:
    """One attempt. Raises Celery's Ignore where there is nothing to do, and Retry when it will be tried again."""
    mine = {"job_id": job_id, "my_token": uuid4()}
    with structlog.contextvars.bound_contextvars(job_id=str(job_id)), engine().connect() as connection:
        claim = {"job_id": job_id, "new_token": mine["my_token"], "me": place(task.request.id), "lease": lease()}
        # One statement is one transaction, and one round trip.
        connection.execution_options(isolation_level="AUTOCOMMIT")
        claimed = connection.execute(CLAIM, claim).one_or_none()
        connection.commit()
        connection.execution_options(isolation_level="READ COMMITTED")
        if claimed is None:
            # A second message for a job that is finished, running elsewhere, or waits for its retry.
            raise Ignore
        started = monotonic()
        try:
            with heartbeat(mine):
                _attempt(task, claimed, mine, connection)
        except LeaseLost:
            log.warning("job given to another worker")
            raise Stopped from None
        except Exception as error:
            _end_badly(task, claimed, mine, error)
        # One line for a job; the row has the rest.
        log.info("job succeeded", task=task.name, attempt=claimed.attempts, seconds=round(monotonic() - started, 3))


def _attempt(task: JobTask, claimed: Any, mine: dict[str, Any], connection: Connection) -> None:
    if claimed.cancelled:
        raise JobCancelled
    if claimed.crashes >= task.max_crashes:
        raise Final(f"Its worker died {claimed.crashes} times while it ran; the workers' logs may tell why.")
    with JobSession(connection, expire_on_commit=False) as session:
        job = RunningJob(mine["job_id"], claimed.attempts, claimed.created_at, mine["my_token"], session)
        outcome = as_json(task.run(job, **dict(task.arguments.model_validate(claimed.arguments))))
        # The effect and the result, or neither: the token decides in the same transaction.
        if session.connection().execute(SUCCEED, mine | {"outcome": outcome}).rowcount == 0:
            raise LeaseLost
        Session.commit(session)


def _end_badly(task: JobTask, claimed: Any, mine: dict[str, Any], error: Exception) -> None:
    """Write down why, on a connection of its own: the one of the attempt may be what broke."""
    # Those that died with their worker do not count.
    attempt = claimed.attempts - claimed.crashes
    final, reason = _judge(task, attempt, error)
    if unspent := _costs_nothing(claimed, error):
        final = False
    wait = 0 if final else _seconds_until_retry(task, attempt, error)
    told = mine | {"reason": as_text(reason)}
    with engine().begin() as connection:
        cancelled = connection.execute(STOP_CANCELLED, mine).rowcount
        if not cancelled and final:
            if connection.execute(FAIL, told).rowcount:
                tell_owner(connection, mine["job_id"])
        elif not cancelled:
            connection.execute(RETRY, told | {"delay": timedelta(seconds=wait), "unspent": int(unspent)})
    if cancelled:
        log.info("job cancelled", task=task.name)
        raise Ignore
    if final:
        # Celery logs the traceback of what is raised here.
        log.error("job failed", task=task.name, error=repr(error))
        raise error
    log.warning("job will be tried again", task=task.name, seconds=round(wait, 1), exc_info=error)
    raise Retry(exc=error, when=datetime.now(UTC) + timedelta(seconds=wait))


def _judge(task: JobTask, attempt: int, error: Exception) -> tuple[bool, str]:
    """Whether this is the end, and what the owner reads: the words of an error that nobody expected stay in the log."""
    if isinstance(error, SoftTimeLimitExceeded):
        return True, f"It took longer than {task.soft_time_limit or task.app.conf.task_soft_time_limit} s, its limit."
    if isinstance(error, (Final, *task.dont_autoretry_for)):
        return True, str(error)
    return attempt >= task.max_attempts, f"{type(error).__name__} in attempt {attempt}; the log has the details."


def _costs_nothing(claimed: Any, error: Exception) -> bool:
    """Whether the error says that waiting is all there is to do, and the job has not waited too long already."""
    waited = datetime.now(UTC) - claimed.created_at
    return not getattr(error, "spends_attempt", True) and waited < LONGEST_FREE_WAIT


def _seconds_until_retry(task: JobTask, attempt: int, error: Exception) -> float:
    asked = getattr(error, "retry_after", None)
    if isinstance(asked, (int, float)) and 0 < asked <= LONGEST_RETRY_AFTER:
        return asked
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        # The database was away for a moment, and is back: the row could be claimed again.
        return random.uniform(0, 2)
    return random.uniform(0, min(task.retry_backoff_max, task.retry_backoff * 3 ** (attempt - 1)))
