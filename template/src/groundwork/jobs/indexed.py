"""The conditions of the partial indexes of the jobs table.

They are constants of a statement: of a prepared statement whose parameters are unknown PostgreSQL cannot prove that an
index has all rows that it asks for.
"""

from typing import Any

from sqlalchemy import ColumnElement, and_, func, literal_column, or_

from groundwork.jobs.models import Job, Status

__all__ = ["ENDED_BADLY", "PUBLISHED", "QUEUE", "RUNNING", "UNCLAIMED", "UNFINISHED", "WAITING"]


def _constant(value: str, like: ColumnElement[Any]) -> ColumnElement[Any]:
    # With literal_execute SQLAlchemy would write the text of the statement anew for each execution.
    return literal_column(f"'{value}'", like.type)


def _has(status: Status) -> ColumnElement[bool]:
    return Job.status == _constant(status, Job.status.expression)


QUEUE: ColumnElement[str] = func.coalesce(Job.queue, _constant("", Job.queue.expression))
WAITING = and_(_has(Status.QUEUED), Job.published_at.is_(None))
PUBLISHED = and_(_has(Status.QUEUED), Job.published_at.is_not(None))
RUNNING = _has(Status.RUNNING)
UNCLAIMED = or_(WAITING, PUBLISHED)
UNFINISHED = or_(UNCLAIMED, RUNNING)
ENDED_BADLY = Job.status.in_([_constant(status, Job.status.expression) for status in (Status.FAILED, Status.CANCELLED)])
