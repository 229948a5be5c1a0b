"""A task for the tests of what runs tasks; the worker of the tests knows it too."""

from time import sleep
from uuid import uuid4

from app.jobs.runner import JobTask, RunningJob
from app.users.models import User
from app.worker import celery

__all__ = ["add_users"]


@celery.task(base=JobTask)
def add_users(job: RunningJob, count: int, seconds: float = 0) -> None:
    """Its effect are `count` users, each after so many seconds."""
    for done in range(count):
        job.progress(done, count)
        job.session.add(User(email=f"{uuid4()}@example.org", password_hash=""))
        sleep(seconds)
