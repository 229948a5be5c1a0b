"""The service's own durable jobs, of a task that says that many may travel in one message."""

from app.worker import celery
from durable import submit as submit_one
from effect import INSERT, effect
from groundwork.jobs import JobTask, RunningJob

__all__ = ["celery", "submit"]


@celery.task(base=JobTask, batch_size=25)
def insert(job: RunningJob, number: int) -> None:
    job.session.connection().exec_driver_sql(INSERT, effect(number))


def submit(number: int) -> float:
    return submit_one(number, insert)
