"""Tells the owner of a job that it failed, by a job of its own, in the transaction that ends the failed one."""

from uuid import UUID

from sqlalchemy import Connection, insert, select
from uuid_utils.compat import uuid7

from app.jobs.models import Job, Status

__all__ = ["NOTICE", "tell_owner"]

# By its name: jobs know no feature.
NOTICE = "app.users.tasks.send_job_failed"


def tell_owner(connection: Connection, job_id: UUID | str) -> None:
    """Of a job without an owner, or one that did not fail, nobody is told."""
    failed = select(Job.id).where(Job.id == job_id, Job.status == Status.FAILED, Job.owner_id.is_not(None))
    if connection.scalar(failed) is not None:
        connection.execute(insert(Job).values(id=uuid7(), task=NOTICE, arguments={"job_id": str(job_id)}))
