"""Housekeeping."""

from sqlalchemy import delete, func

from app.jobs.runner import JobTask, RunningJob
from app.limits.models import RateLimit
from app.worker import celery


@celery.task(base=JobTask)
def purge_rate_limits(job: RunningJob) -> dict[str, int]:
    """Delete the counts of times that are over."""
    old = delete(RateLimit).where(RateLimit.ends_at < func.now())
    return {"deleted": job.session.connection().execute(old).rowcount}
