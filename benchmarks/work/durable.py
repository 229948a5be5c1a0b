"""The service's own durable jobs."""

from functools import lru_cache
from time import time

from sqlalchemy import create_engine
from sqlalchemy.orm import Session, sessionmaker

from app.accounts import models as users
from app.settings import get_settings
from app.worker import celery
from effect import INSERT, effect
from groundwork.jobs import JobTask, RunningJob, enqueue

# A job's owner is a user: the mapping of the one needs the other.
__all__ = ["celery", "submit", "users"]


@celery.task(base=JobTask)
def insert(job: RunningJob, number: int) -> None:
    job.session.connection().exec_driver_sql(INSERT, effect(number))


@lru_cache
def sessions() -> sessionmaker[Session]:
    """As those of web requests are made; see the service's session.py."""
    return sessionmaker(create_engine(get_settings().database_url), expire_on_commit=False)


def submit(number: int, task: JobTask = insert) -> float:
    with sessions()() as session:
        enqueue(session, task, number=number)
        session.flush()
        asked_at = time()
        session.commit()
    return asked_at
