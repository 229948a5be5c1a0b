"""Tasks for the tests of what runs tasks; the worker of the tests knows them too."""

import ctypes
from collections.abc import Callable
from time import sleep
from typing import Any
from uuid import uuid4

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.accounts.models import User
from app.worker import celery
from groundwork.data.connections import engine
from groundwork.jobs.running_job import RunningJob
from groundwork.jobs.task import JobTask
from groundwork.mail.failures import PermanentFailure

__all__ = [
    "Then",
    "act",
    "act_in_company",
    "add_user",
    "add_user_in_company",
    "add_users",
    "hold_the_interpreter",
    "users",
    "write",
]

Then = Callable[[Callable[[RunningJob], object]], None]


def then(job: RunningJob) -> None:
    """What a test puts here, with the fixture of this name, happens between the effect and its commit."""


@celery.task(base=JobTask, max_attempts=3, dont_autoretry_for=(PermanentFailure,))
def add_user(job: RunningJob, email: str, flush: bool = True) -> Any:
    user = User(email=email)
    job.session.add(user)
    if flush:
        job.session.flush()
    then(job)
    return {"user_id": str(user.id)}


@celery.task(base=JobTask)
def add_users(job: RunningJob, count: int, seconds: float = 0) -> None:
    """Its effect are `count` users, each after so many seconds in the first attempt, and at once in others."""
    for done in range(count):
        job.progress(done, count)
        job.session.add(User(email=f"{uuid4()}@example.org"))
        sleep(seconds if job.attempt == 1 else 0)


@celery.task(base=JobTask, max_attempts=1, batch_size=3)
def add_user_in_company(job: RunningJob, email: str) -> None:
    """A short job, whose message may have others."""
    job.session.add(User(email=email))
    job.session.flush()
    then(job)


@celery.task(base=JobTask)
def act(job: RunningJob) -> None:
    """What the test says with the fixture `then`."""
    then(job)


@celery.task(base=JobTask, batch_size=3)
def act_in_company(job: RunningJob) -> None:
    then(job)


@celery.task(base=JobTask)
def hold_the_interpreter(job: RunningJob, seconds: int) -> None:
    """No other thread of its process runs meanwhile."""
    job.session.add(User(email=f"{uuid4()}@example.org"))
    # Unlike CDLL it keeps the interpreter's lock.
    ctypes.PyDLL(None).sleep(seconds)


def users(session: Session) -> int:
    """How many there are."""
    return session.scalar(select(func.count()).select_from(User)) or 0


def write(change: Any, values: dict[str, Any] | None = None) -> None:
    """In a transaction of its own, as somebody else does."""
    with engine().begin() as connection:
        connection.execute(change, values)
