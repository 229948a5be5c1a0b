"""Housekeeping: one task that deletes the rows of all tables that are no longer needed."""

from celery import shared_task
from sqlalchemy import delete

from groundwork.data.tables import Base
from groundwork.jobs.running_job import RunningJob
from groundwork.jobs.task import JobTask

__all__ = ["housekeeping"]


@shared_task(base=JobTask, name="groundwork.housekeeping")
def housekeeping(job: RunningJob) -> dict[str, int]:
    """Delete what each model calls `outdated`; returns how many rows, by table."""
    connection = job.session.connection()
    outdated = {mapper.class_: mapper.class_.outdated() for mapper in Base.registry.mappers}
    return {
        model.__tablename__: connection.execute(delete(model).where(rows)).rowcount
        for model, rows in sorted(outdated.items(), key=lambda item: item[0].__tablename__)
        if rows is not None
    }
