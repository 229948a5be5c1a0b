"""Ask for a job, in the transaction of the data it belongs to."""

from datetime import datetime
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from groundwork.data.tables import AnySession
from groundwork.jobs.models import Job
from groundwork.jobs.task import JobTask

__all__ = ["enqueue"]


def enqueue(
    session: AnySession,
    task: JobTask,
    *,
    run_at: datetime | None = None,
    unique_key: str | None = None,
    queue: str | None = None,
    owner: UUID | None = None,
    **kwargs: Any,
) -> Job:
    """Add a job to the caller's transaction: it runs if, and only if, that transaction commits. Returns its row.

    `kwargs` are the arguments of the task, checked against its signature and stored as JSON: pass ids, never rows or
    secrets. `run_at`, with a time zone, is the earliest time at which it runs. While a job with the same `unique_key` is
    in the table, the flush raises IntegrityError for the constraint `jobs_unique_key_key`. `queue` replaces the Celery
    queue of the task. `owner` is the id of the user who may watch and cancel the job, and who is told by mail when it
    fails; the job outlives the user.

    Raises pydantic's ValidationError for wrong arguments, TypeError for a plain task or one with parameters that cannot
    be stored, ValueError for a `run_at` without a time zone. In a web request, the flush raises TooManyJobs, a problem with
    status 429, where `owner` has JOBS_PER_PERSON unfinished jobs; tasks and scripts are not bounded.
    """
    if not isinstance(task, JobTask):
        raise TypeError(f"{task.name} is a plain task; send it with try_delay(), or give it base=JobTask.")
    if run_at is not None and run_at.tzinfo is None:
        raise ValueError(f"run_at={run_at.isoformat()} has no time zone; use datetime.now(UTC) + timedelta(...).")
    job = Job(id=uuid7(), task=task.name, arguments=task.checked(**kwargs), owner_id=owner)
    job.queue, job.unique_key = queue or task.queue_of_jobs, unique_key
    if run_at is not None:
        job.run_at = job.due_at = run_at
    session.add(job)
    return job
