"""Runs a job in a Celery worker: claim the row, run the task, commit its effect and the result together."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from time import monotonic
from typing import Any
from uuid import UUID, uuid4

import structlog
from celery import Celery, Task
from celery.exceptions import Ignore, Retry, SoftTimeLimitExceeded
from pydantic import BaseModel
from sqlalchemy import Connection
from sqlalchemy.orm import Session

from app.db import engine
from app.jobs.arguments import arguments_of
from app.jobs.endings import costs_nothing, database_lost, seconds_until_retry, tell_owner
from app.jobs.heartbeat import heartbeat, lease
from app.jobs.many import run_many
from app.jobs.running import Final, JobCancelled, JobSession, LeaseLost, RunningJob, as_json, as_text
from app.jobs.transitions import CLAIM, FAIL, RETRY, STOP_CANCELLED, SUCCEED
from app.worker import place

__all__ = ["JobCancelled", "JobTask", "RunningJob"]

log = structlog.get_logger(__name__)


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
    # After so many deaths of its worker, or of its connection to the database, a job is taken for the cause.
    max_crashes = 5
    dont_autoretry_for: tuple[type[Exception], ...] = ()
    # Seconds: the bound of the first delay; each further one is three times as long, up to the last.
    retry_backoff = 30
    retry_backoff_max = 3600
    # The message has done its work once the row is claimed. Acknowledged late, a broken connection
    # to the broker would end the job that runs.
    acks_late = False
    reject_on_worker_lost = False
    # Of many short jobs so many may travel in one message and share transactions: most of what they cost
    # is Celery's work for each message, and the disk's for each commit. Its limits, events and signals
    # are the message's.
    batch_size = 1

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.request.called_directly:
            return self.run(*args, **kwargs)
        with engine().connect() as connection:
            attempts = _claim(self, [UUID(job_id) for job_id in args or [self.request.id]], connection)
            if not attempts:
                raise Ignore
            if args:
                run_many(attempts, connection)
            else:
                attempts[0].alone(connection)

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


@dataclass(frozen=True)
class Attempt:
    """At a job that this process has claimed; `row` is what CLAIM said of it."""

    task: JobTask
    row: Any
    token: UUID
    began: float = field(default_factory=monotonic)

    @property
    def mine(self) -> dict[str, Any]:
        return {"job_id": self.row.id, "my_token": self.token}

    def work(self, session: Session) -> dict[str, Any]:
        """What SUCCEED is told."""
        row = self.row
        with structlog.contextvars.bound_contextvars(job_id=str(row.id)):
            if row.cancelled:
                raise JobCancelled
            if row.crashes >= self.task.max_crashes:
                raise Final(f"Its worker or its database connection died {row.crashes} times; the logs may tell why.")
            job = RunningJob(row.id, row.attempts, row.created_at, self.token, session)
            arguments = dict(self.task.arguments.model_validate(row.arguments))
            return self.mine | {"outcome": as_json(self.task.run(job, **arguments))}

    def alone(self, connection: Connection) -> None:
        """In a transaction of its own. Raises Celery's Ignore where it is not ours any more, Retry, or why it failed."""
        try:
            with heartbeat(self.mine), JobSession(connection, expire_on_commit=False) as session:
                said = self.work(session)
                # The effect and the result, or neither: the token decides in the same transaction.
                if session.connection().execute(SUCCEED, said).rowcount == 0:
                    raise LeaseLost
                Session.commit(session)
        except LeaseLost:
            log.warning("job given to another worker", job_id=str(self.row.id))
            raise Ignore from None
        except Exception as error:
            self.end_badly(error)
        self.tell()

    def tell(self) -> None:
        """One line for a job; the row has the rest."""
        seconds = round(monotonic() - self.began, 3)
        log.info(
            "job succeeded", job_id=str(self.row.id), task=self.task.name, attempt=self.row.attempts, seconds=seconds
        )

    def end_badly(self, error: Exception) -> None:
        """Write down why, on a connection of its own: the one of the attempt may be what broke."""
        # Those that died with their worker or their connection do not count.
        attempt = self.row.attempts - self.row.crashes
        final, reason = _judge(self.task, attempt, error)
        if unspent := costs_nothing(error, self.row.created_at):
            final = False
        wait = 0 if final else seconds_until_retry(error, attempt, self.task.retry_backoff, self.task.retry_backoff_max)
        told = self.mine | {"reason": as_text(reason)}
        with engine().begin() as connection:
            cancelled = connection.execute(STOP_CANCELLED, self.mine).rowcount
            if not cancelled and final:
                if connection.execute(FAIL, told).rowcount:
                    tell_owner(connection, self.row.id)
            elif not cancelled:
                counted = {"unspent": int(unspent), "lost": int(database_lost(error))}
                connection.execute(RETRY, told | counted | {"delay": timedelta(seconds=wait)})
        if cancelled:
            log.info("job cancelled", job_id=str(self.row.id), task=self.task.name)
            raise Ignore
        if final:
            # Celery logs the traceback of what is raised here.
            log.error("job failed", job_id=str(self.row.id), task=self.task.name, error=repr(error))
            raise error
        log.warning(
            "job will be tried again",
            job_id=str(self.row.id),
            task=self.task.name,
            seconds=round(wait, 1),
            exc_info=error,
        )
        raise Retry(exc=error, when=datetime.now(UTC) + timedelta(seconds=wait))


def _claim(task: JobTask, job_ids: Sequence[UUID], connection: Connection) -> list[Attempt]:
    """Those that are finished, run elsewhere or wait for their retry are left out: a message may come twice."""
    token = uuid4()
    claim = {"job_ids": job_ids, "new_token": token, "me": place(task.request.id), "lease": lease()}
    # One statement is one transaction, and one round trip.
    connection.execution_options(isolation_level="AUTOCOMMIT")
    rows = connection.execute(CLAIM, claim).all()
    connection.commit()
    connection.execution_options(isolation_level="READ COMMITTED")
    # The oldest first.
    return [Attempt(task, row, token) for row in sorted(rows, key=lambda row: row.id)]


def _judge(task: JobTask, attempt: int, error: Exception) -> tuple[bool, str]:
    """Whether this is the end, and what the owner reads: the words of an error that nobody expected stay in the log."""
    if isinstance(error, SoftTimeLimitExceeded):
        return True, f"It took longer than {task.soft_time_limit or task.app.conf.task_soft_time_limit} s, its limit."
    if isinstance(error, (Final, *task.dont_autoretry_for)):
        return True, str(error)
    final = attempt >= task.max_attempts and not database_lost(error)
    return final, f"{type(error).__name__} in attempt {attempt}; the log has the details."
