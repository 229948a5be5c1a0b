"""Housekeeping."""

from datetime import timedelta

from sqlalchemy import delete, func

from app.audit.models import AuditEvent
from app.jobs.runner import JobTask, RunningJob
from app.settings import get_settings
from app.worker import celery


@celery.task(base=JobTask)
def purge_audit_events(job: RunningJob) -> dict[str, int]:
    """Delete what happened longer ago than AUDIT_RETENTION_DAYS."""
    oldest = func.now() - timedelta(days=get_settings().audit_retention_days)
    old = delete(AuditEvent).where(AuditEvent.at < oldest)
    return {"deleted": job.session.connection().execute(old).rowcount}
