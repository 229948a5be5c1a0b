"""Ask for a job, in the transaction of the data it belongs to."""

from datetime import datetime
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from app.db import AnySession
from app.jobs.models import Job
from app.jobs.runner import JobTask

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
    """Add a job to the caller's transaction: it runs if, and only if, that transaction commits.

    `kwargs` are checked against the task's signature: wrong ones raise pydantic's ValidationError
    here, not in the worker. They are stored as JSON: pass ids, never rows or secrets.

    `run_at`: not before this time, with its time zone. `unique_key`: while a job with it is in the
    table a second one breaks the constraint `jobs_unique_key_key`, at the flush. `queue`: another
    Celery queue than the task's own. `owner`: the user who may watch and cancel it; it outlives them.
    """
    if not isinstance(task, JobTask):
        raise TypeError(f"{task.name} is a plain task; send it with try_delay(), or give it base=JobTask.")
    if run_at is not None and run_at.tzinfo is None:
        raise ValueError(f"run_at={run_at.isoformat()} has no time zone; use datetime.now(UTC) + timedelta(...).")
    job = Job(id=uuid7(), task=task.name, arguments=task.checked(**kwargs), owner_id=owner)
    job.queue, job.unique_key = queue or getattr(task, "queue", None), unique_key
    if run_at is not None:
        job.run_at = job.due_at = run_at
    session.add(job)
    return job
