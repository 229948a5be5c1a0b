"""How many unfinished jobs a person may have: nobody's long list keeps the workers from everybody else's jobs."""

from collections import Counter
from typing import Any

from sqlalchemy import bindparam, event, func, literal, select
from sqlalchemy.orm import Session

from groundwork.data.tables import RequestSession
from groundwork.http.problem import Problem
from groundwork.jobs.models import Job
from groundwork.jobs.transitions import UNFINISHED
from groundwork.settings import get_settings

__all__ = ["TooManyJobs"]

_unfinished = (
    select(literal(1)).where(Job.owner_id == bindparam("owner"), Job.status.in_(UNFINISHED)).limit(bindparam("most"))
)
COUNT = select(func.count()).select_from(_unfinished.subquery())


class TooManyJobs(Problem):
    """Too many of your jobs have not finished; wait until some have, or cancel them."""

    status, code, title = 429, "too-many-jobs", "Too many unfinished jobs"


@event.listens_for(RequestSession, "before_flush")
def _bound(session: Session, *_: Any) -> None:
    """Raise TooManyJobs for new jobs of somebody who has enough. Requests of the same moment do not count each other's."""
    asked = Counter(job.owner_id for job in session.new if isinstance(job, Job) and job.owner_id is not None)
    for owner, new in asked.items():
        most = get_settings().jobs_per_person
        unfinished = session.connection().execute(COUNT, {"owner": owner, "most": most}).scalar_one()
        if unfinished + new > most:
            raise TooManyJobs
