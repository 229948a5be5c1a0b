"""One row for each job. Nothing forbids a second: a double has to be seen."""

import os
from time import sleep

from sqlalchemy import text

from app.worker import celery
from groundwork.jobs import JobTask, RunningJob

INSERT = text("INSERT INTO effects (job_id) VALUES (:job_id)")


@celery.task(base=JobTask)
def leave_effect(job: RunningJob, seconds: float) -> None:
    _leave_effect(job, seconds)


@celery.task(base=JobTask, batch_size=10)
def leave_effect_in_company(job: RunningJob, seconds: float) -> None:
    """Shares its message with others, and so does what hits it."""
    _leave_effect(job, seconds)


def _leave_effect(job: RunningJob, seconds: float) -> None:
    job.session.execute(INSERT, {"job_id": job.id})
    if seconds:
        # Who kills in mid-job reads here which process it is.
        job.progress(0, 1, str(os.getpid()))
        # Between the effect and its commit, where a death hurts most.
        sleep(seconds)
