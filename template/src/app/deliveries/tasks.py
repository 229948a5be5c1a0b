"""Housekeeping."""

from datetime import timedelta

from sqlalchemy import delete, func

from app.deliveries.models import ReportedEvent
from app.jobs.runner import JobTask, RunningJob
from app.settings import get_settings
from app.worker import celery


@celery.task(base=JobTask)
def purge_mail_events(job: RunningJob) -> dict[str, int]:
    """Delete what was reported longer ago than JOB_RETENTION_DAYS; suppressed addresses stay."""
    oldest = func.now() - timedelta(days=get_settings().job_retention_days)
    old = delete(ReportedEvent).where(ReportedEvent.received_at < oldest)
    return {"deleted": job.session.connection().execute(old).rowcount}
