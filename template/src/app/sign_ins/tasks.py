"""Housekeeping."""

from datetime import timedelta

from sqlalchemy import delete, func, or_

from app.jobs.runner import JobTask, RunningJob
from app.settings import get_settings
from app.sign_ins.models import SignIn, Token
from app.worker import celery


@celery.task(base=JobTask)
def purge_tokens(job: RunningJob) -> dict[str, int]:
    """Delete tokens that are too old to be used, and sign-ins that ended or were left alone as long."""
    connection = job.session.connection()
    tokens = connection.execute(delete(Token).where(Token.expires_at < func.now())).rowcount
    oldest = func.now() - timedelta(days=get_settings().sign_in_days)
    left = or_(SignIn.ended_at < oldest, SignIn.refreshed_at < oldest)
    return {"tokens": tokens, "sign_ins": connection.execute(delete(SignIn).where(left)).rowcount}
