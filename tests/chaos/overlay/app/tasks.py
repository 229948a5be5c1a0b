"""One row for each job. Nothing forbids a second: a double has to be seen."""

import os
from functools import partial
from random import choice
from time import sleep

from sqlalchemy import text

from app.chaos.rules import BEHIND, WAYS
from app.worker import celery
from groundwork.jobs import JobTask, RunningJob

INSERT = text("INSERT INTO effects (job_id) VALUES (:job_id)")
# What another release asks for beside the arguments of this one.
MORE: dict[str, int] = {}


@celery.task(base=JobTask)
def leave_effect(job: RunningJob, seconds: float, breaks: str = "") -> None:
    _leave_effect(job, seconds, breaks)


@celery.task(base=JobTask, batch_size=10)
def leave_effect_in_company(job: RunningJob, seconds: float, breaks: str = "") -> None:
    """Shares its message with others, and so does what hits it."""
    _leave_effect(job, seconds, breaks)


def some_task(breaks: bool) -> tuple[JobTask, str]:
    """One of the two, and how it is to break a rule, if it is to."""
    way = choice(list(WAYS)) if breaks else ""
    # In company it would commit what others wrote, and nobody could tell.
    return leave_effect if way == BEHIND else choice((leave_effect, leave_effect_in_company)), way


def _leave_effect(job: RunningJob, seconds: float, breaks: str) -> None:
    leave = partial(job.session.execute, INSERT, {"job_id": job.id})
    if breaks:
        WAYS[breaks](job.session, leave)
        return
    leave()
    if seconds:
        # Who kills in mid-job reads here which process it is.
        job.progress(0, 1, str(os.getpid()))
        # Between the effect and its commit, where a death hurts most.
        sleep(seconds)
