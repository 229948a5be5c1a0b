"""Runs a job in a Celery worker: claim the row, run the task, commit its effect and the result together."""

import inspect
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from threading import Event, Thread
from typing import Any
from uuid import UUID, uuid4

import structlog
from celery import Task
from celery.exceptions import Ignore, Retry
from pydantic import BaseModel, ConfigDict, create_model
from sqlalchemy import Interval, bindparam, func, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app.db import engine, new_session
from app.jobs.models import Job, Status
from app.settings import get_settings

__all__ = ["JobTask", "RunningJob"]

log = structlog.get_logger(__name__)

# When the relay takes the worker for dead, unless it hears from it before.
LEASE_END = func.now() + bindparam("lease", type_=Interval)
# Core statements, built once: compiling costs more than running. All times are the database's.
CLAIM = (
    update(Job)
    .where(Job.id == bindparam("job_id"), Job.status == Status.QUEUED, Job.run_at <= func.now())
    .values(
        status=Status.RUNNING,
        token=bindparam("new_token"),
        attempts=Job.attempts + 1,
        started_at=func.now(),
        due_at=LEASE_END,
    )
    .returning(Job.arguments, Job.attempts, Job.created_at)
)
MINE = update(Job).where(Job.id == bindparam("job_id"), Job.token == bindparam("my_token"))
EXTEND = MINE.values(due_at=LEASE_END)
PROGRESS = MINE.values(due_at=LEASE_END, progress=bindparam("seen"))
FINISHED: dict[str, Any] = {"due_at": None, "token": None, "finished_at": func.clock_timestamp()}
SUCCEED = MINE.values(status=Status.SUCCEEDED, result=bindparam("outcome"), error=None, **FINISHED)
FAIL = MINE.values(status=Status.FAILED, error=bindparam("reason"), **FINISHED)
NEXT_RUN = func.now() + bindparam("delay", type_=Interval)
RETRY = MINE.values(status=Status.QUEUED, error=bindparam("reason"), token=None, run_at=NEXT_RUN, due_at=NEXT_RUN)


class LeaseLost(Exception):
    """Another attempt owns the job by now: nothing that this one did is kept."""


class WorkerDied(Exception):
    """The worker died during each attempt."""


class JobTask(Task[..., Any]):
    """The base of tasks that run as jobs: `@celery.task(base=JobTask)`, started with `enqueue`.

    The function's first parameter is the RunningJob; its database writes go through `job.session`,
    which it never commits, and are committed with the returned result, or not at all. Any exception but those named in
    `dont_autoretry_for` is tried again, after a growing and random delay: eight attempts take
    about an hour and a half.
    """

    max_attempts = 8
    # The message has done its work once the row is claimed. Acknowledged late, a broken connection
    # to the broker would end the job that runs.
    acks_late = False
    reject_on_worker_lost = False
    dont_autoretry_for: tuple[type[Exception], ...] = ()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.request.called_directly:
            return self.run(*args, **kwargs)
        return _run(self, UUID(self.request.id))

    def apply_async(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(f"{self.name} needs a job's row; use enqueue(session, {self.__name__}, ...).")

    @cached_property
    def arguments(self) -> type[BaseModel]:
        """The function's parameters after the job, as a model that checks and converts them."""
        _, *parameters = inspect.signature(self.run, eval_str=True).parameters.values()
        fields: dict[str, Any] = {
            each.name: (each.annotation, ... if each.default is each.empty else each.default) for each in parameters
        }
        return create_model(self.name, __config__=ConfigDict(extra="forbid"), **fields)


@dataclass(frozen=True)
class RunningJob:
    """A job, as its task sees it: one attempt, with the session that its result is committed in."""

    id: UUID
    attempt: int
    created_at: datetime
    token: UUID
    session: Session

    def progress(self, done: int, total: int, note: str = "") -> None:
        """Show the client how far it is, at once: in a transaction of its own."""
        seen = {"done": done, "total": total, "note": note}
        with engine().begin() as connection:
            mine = {"job_id": self.id, "my_token": self.token, "lease": _lease()}
            if connection.execute(PROGRESS, mine | {"seen": seen}).rowcount == 0:
                raise LeaseLost


def _run(task: JobTask, job_id: UUID) -> None:
    token = uuid4()
    with engine().begin() as connection:
        claim = {"job_id": job_id, "new_token": token, "lease": _lease()}
        claimed = connection.execute(CLAIM, claim).one_or_none()
    if claimed is None:
        # A second message for a job that is finished, running elsewhere, or waits for its retry.
        raise Ignore
    mine = {"job_id": job_id, "my_token": token}
    with structlog.contextvars.bound_contextvars(job_id=str(job_id)), _heartbeat(mine):
        log.info("job started", task=task.name, attempt=claimed.attempts)
        try:
            if claimed.attempts > task.max_attempts:
                raise WorkerDied
            with new_session() as session:
                job = RunningJob(job_id, claimed.attempts, claimed.created_at, token, session)
                outcome = task.run(job, **dict(task.arguments.model_validate(claimed.arguments)))
                # The effect and the result, or neither: the token decides in the same transaction.
                if session.connection().execute(SUCCEED, mine | {"outcome": outcome}).rowcount == 0:
                    raise LeaseLost
                session.commit()
        except LeaseLost:
            log.warning("job given to another worker")
            raise Ignore from None
        except Exception as error:
            _retry_or_fail(task, claimed.attempts, mine, error)
        log.info("job succeeded", task=task.name)


def _retry_or_fail(task: JobTask, attempt: int, mine: dict[str, Any], error: Exception) -> None:
    expected = isinstance(error, task.dont_autoretry_for)
    # The owner reads this: the words of an error that nobody expected stay in the log.
    reason = str(error) if expected else f"{type(error).__name__} in attempt {attempt}; the log has the details."
    final = expected or attempt >= task.max_attempts
    delay = getattr(error, "retry_after", None) or random.uniform(0, min(3600, 10 * 3**attempt))
    with engine().begin() as connection:
        if final:
            connection.execute(FAIL, mine | {"reason": reason})
        else:
            connection.execute(RETRY, mine | {"reason": reason, "delay": timedelta(seconds=delay)})
    if final:
        # Celery logs the traceback of what is raised here.
        log.error("job failed", task=task.name, error=repr(error))
        raise error
    log.warning("job will be tried again", task=task.name, seconds=round(delay, 1), exc_info=error)
    raise Retry(exc=error, when=datetime.now(UTC) + timedelta(seconds=delay))


@contextmanager
def _heartbeat(mine: dict[str, Any]) -> Iterator[None]:
    """Extend the lease for as long as this process lives and works."""
    stop = Event()

    def beat() -> None:
        while not stop.wait(_lease().total_seconds() / 3):
            try:
                with engine().begin() as connection:
                    connection.execute(EXTEND, mine | {"lease": _lease()})
            except SQLAlchemyError as error:
                log.warning("heartbeat missed", error=str(error))

    Thread(target=beat, name="heartbeat", daemon=True).start()
    try:
        yield
    finally:
        stop.set()


def _lease() -> timedelta:
    return timedelta(seconds=get_settings().job_lease_seconds)
