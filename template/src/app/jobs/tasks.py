"""Housekeeping."""

from datetime import timedelta

from sqlalchemy import delete, func

from app.jobs.models import Job
from app.jobs.runner import JobTask, RunningJob
from app.settings import get_settings
from app.worker import celery


@celery.task(base=JobTask)
def purge_jobs(job: RunningJob) -> dict[str, int]:
    """Delete what has been finished for longer than JOB_RETENTION_DAYS."""
    oldest = func.now() - timedelta(days=get_settings().job_retention_days)
    old = delete(Job).where(Job.due_at.is_(None), Job.finished_at < oldest)
    return {"deleted": job.session.connection().execute(old).rowcount}
