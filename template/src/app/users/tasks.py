"""Mail to users, as jobs, and what may be lost, as a plain task."""

from datetime import timedelta
from uuid import UUID

import structlog
from sqlalchemy.exc import NoResultFound

from app.jobs.models import Job, Status
from app.jobs.runner import JobTask, RunningJob
from app.mail import PermanentFailure, deliver
from app.mail.message import Message, MessageInvalid
from app.mail.render import render
from app.security import sign_token
from app.settings import get_settings
from app.users.models import User
from app.worker import celery

log = structlog.get_logger(__name__)

# Trying again helps neither against a refusing provider nor for a user who is gone.
FINAL = (PermanentFailure, MessageInvalid, NoResultFound)


@celery.task(base=JobTask, dont_autoretry_for=FINAL)
def send_verification(job: RunningJob, user_id: UUID) -> dict[str, str]:
    user = job.session.get_one(User, user_id)
    hours = get_settings().verification_hours
    # From the job's own time, so that each attempt sends the same link.
    token = sign_token("verify", user.id, timedelta(hours=hours), issued_at=job.created_at)
    # In the fragment, which browsers do not send: the token stays out of every server's log.
    link = get_settings().link(f"/auth/verify#token={token}")
    return _send(job, render("verify", user.email, link=link, hours=hours))


@celery.task(base=JobTask, dont_autoretry_for=FINAL)
def send_welcome(job: RunningJob, user_id: UUID) -> dict[str, str]:
    user = job.session.get_one(User, user_id)
    return _send(job, render("welcome", user.email, link=get_settings().link("/docs")))


@celery.task(base=JobTask, dont_autoretry_for=FINAL)
def send_job_failed(job: RunningJob, job_id: UUID) -> dict[str, str]:
    """To the owner of another job; `app.jobs.notice` enqueues it."""
    failed = job.session.get_one(Job, job_id)
    if failed.status != Status.FAILED:
        # Meanwhile somebody has run it again.
        return {}
    user = job.session.get_one(User, failed.owner_id)
    words = failed.task.rpartition(".")[2].replace("_", " ")
    values = {"task": words, "at": failed.finished_at, "error": failed.error}
    return _send(job, render("job_failed", user.email, link=get_settings().link(f"/jobs/{job_id}"), **values))


def _send(job: RunningJob, message: Message) -> dict[str, str]:
    # No transaction stays open while the provider thinks.
    job.session.close()
    return {"message_id": deliver(message, idempotency_key=str(job.id))}


@celery.task
def note_sign_in(user_id: str, address: str) -> None:
    """A line for those who watch sign-ins. Looking the address up somewhere slow would go here."""
    log.info("signed in", user_id=user_id, address=address)
