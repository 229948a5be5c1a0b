"""The newest jobs, each read by an index that has no others: however many there are of other states and owners.

An order by id alone would let PostgreSQL walk the whole table backwards, for it takes the jobs that are asked for to be
spread evenly. So the order has the state too, which is one and the same in each part.
"""

from uuid import UUID

from sqlalchemy import ColumnElement, Select, literal, select, tuple_, union_all
from sqlalchemy.orm import aliased

from groundwork.jobs.indexed import ENDED_BADLY, PUBLISHED, RUNNING, WAITING
from groundwork.jobs.models import Job, Status

__all__ = ["newest_jobs"]

LAST = UUID(int=2**128 - 1)


def newest_jobs(
    *conditions: ColumnElement[bool], owner_id: UUID | None, status: Status | None, before: UUID | None, limit: int
) -> Select[Job]:
    """The newest first: ids are in order of time. Everybody's without an owner, of all states without a status."""
    before = before or LAST
    query = select(Job).where(*conditions).limit(limit)
    if owner_id is not None:
        statuses = Status if status is None else [status]
        return _together([_of_status(query.where(Job.owner_id == owner_id), each, before) for each in statuses], limit)
    if status in (Status.FAILED, Status.CANCELLED):
        return _of_status(query.where(ENDED_BADLY), status, before)
    query = query.where(Job.id < before).order_by(Job.id.desc())
    if status == Status.QUEUED:
        return _together([query.where(WAITING), query.where(PUBLISHED)], limit)
    if status == Status.RUNNING:
        return query.where(RUNNING)
    return query if status is None else query.where(Job.status == status)


def _of_status(query: Select[Job], status: Status, before: UUID) -> Select[Job]:
    state = literal(status, Job.status.type)
    before_this = tuple_(Job.status, Job.id) < tuple_(state, literal(before, Job.id.type))
    return query.where(Job.status >= state, before_this).order_by(Job.status.desc(), Job.id.desc())


def _together(parts: list[Select[Job]], limit: int) -> Select[Job]:
    job = aliased(Job, union_all(*parts).subquery())
    return select(job).order_by(job.id.desc()).limit(limit)
