"""Housekeeping: one task that deletes the rows of all tables that are no longer needed."""

from typing import Any

from celery import shared_task
from sqlalchemy import ColumnElement, Select, any_, column, delete, func, select, text

from groundwork.data.connections import engine
from groundwork.data.tables import Base
from groundwork.jobs.running_job import RunningJob
from groundwork.jobs.task import JobTask

__all__ = ["delete_in_chunks", "housekeeping"]

# Rows that one transaction deletes: it holds their locks, and keeps VACUUM from its work, for some milliseconds.
CHUNK = 1000
# A sequential scan would begin with all that the chunks before it have deleted. Where it is the only way, its price is now
# so high that PostgreSQL would compile it.
BY_INDEX = text("SELECT set_config('enable_seqscan', 'off', true), set_config('jit', 'off', true)")


@shared_task(base=JobTask, name="groundwork.housekeeping")
def housekeeping(job: RunningJob) -> dict[str, int]:
    """Delete what each model calls `outdated`; returns how many rows, by table.

    It is idempotent, and so needs no transaction with its result: what it has deleted stays so if it is interrupted.
    """
    outdated = {mapper.class_: mapper.class_.outdated() for mapper in Base.registry.mappers}
    return {
        model.__tablename__: delete_in_chunks(model, rows, job)
        for model, rows in sorted(outdated.items(), key=lambda item: item[0].__tablename__)
        if rows is not None
    }


def delete_in_chunks(model: type[Base], rows: ColumnElement[bool], job: RunningJob | None = None) -> int:
    """Delete these rows in transactions of CHUNK rows; returns how many. Rows that others have locked are left out."""
    some: Select[Any] = select(column("ctid")).select_from(model).where(rows).limit(CHUNK)
    locked = some.with_for_update(skip_locked=True)
    # By their places, whatever the primary key is. A place may be another row's by now, in a partitioned table for one.
    chunk = delete(model).where(column("ctid") == any_(func.array(locked.scalar_subquery())), rows)
    deleted = 0
    while True:
        with engine().begin() as connection:
            connection.execute(BY_INDEX)
            count = connection.execute(chunk).rowcount
        deleted += count
        if count == 0:
            return deleted
        if job is not None:
            job.check_cancelled()
