"""Ask for a job, in the transaction of the data it belongs to."""

from typing import Any, Protocol
from uuid import UUID

from uuid_utils.compat import uuid7

from app.jobs.models import Job
from app.jobs.runner import JobTask

__all__ = ["enqueue"]


class AnySession(Protocol):
    """Session and AsyncSession alike."""

    def add(self, instance: object) -> None: ...


def enqueue(session: AnySession, task: JobTask, *, owner: UUID | None = None, **kwargs: Any) -> Job:
    """Add a job to the caller's transaction: it runs if, and only if, that transaction commits.

    Arguments are checked against the task's signature: wrong ones raise pydantic's ValidationError
    here, not in the worker. They are stored as JSON: pass ids, never rows or secrets.
    """
    arguments = task.arguments(**kwargs).model_dump(mode="json")
    job = Job(id=uuid7(), task=task.name, arguments=arguments, owner_id=owner)
    session.add(job)
    return job
