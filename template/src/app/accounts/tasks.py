"""Mail to users and the end of their accounts, as jobs; and what may be lost, as a plain task."""

from base64 import urlsafe_b64encode
from datetime import timedelta
from hmac import digest
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import NoResultFound

from app.accounts.events import Kind
from app.accounts.models import Purpose, SignIn, Token, User
from app.settings import API, get_settings
from app.worker import celery
from groundwork.audit import record
from groundwork.http import hash_secret
from groundwork.jobs import Job, JobTask, RunningJob, Status, enqueue
from groundwork.mail import Message, MessageInvalid, PermanentFailure, deliver, render

log = structlog.get_logger(__name__)

# Trying again helps neither against a refusing provider nor for a user who is gone.
FINAL = (PermanentFailure, MessageInvalid, NoResultFound)
Sent = dict[str, str]
NOTHING: Sent = {}


@celery.task(base=JobTask, dont_autoretry_for=FINAL)
def answer_registration(job: RunningJob, email: str) -> Sent:
    """A link for who is new here, a word for who is not: only the mailbox learns which."""
    user = _active(job, email)
    if user and user.verified_at and user.verified_at < job.created_at:
        link = get_settings().link("/account/forgotten-password")
        return _send(job, render("already_registered", email, link=link))
    return _verification(job, user)


@celery.task(base=JobTask, dont_autoretry_for=FINAL)
def send_verification(job: RunningJob, email: str) -> Sent:
    return _verification(job, _active(job, email))


def _verification(job: RunningJob, user: User | None) -> Sent:
    if user is None or user.verified:
        return NOTHING
    hours = get_settings().verification_hours
    return _send_link(job, user, Purpose.VERIFY, user.email, "verify", timedelta(hours=hours), hours=hours)


@celery.task(base=JobTask, dont_autoretry_for=FINAL)
def send_welcome(job: RunningJob, user_id: UUID) -> Sent:
    user = job.session.get_one(User, user_id)
    return _send(job, render("welcome", user.email, link=get_settings().link("/docs")))


@celery.task(base=JobTask, dont_autoretry_for=FINAL)
def send_reset(job: RunningJob, email: str) -> Sent:
    user = _active(job, email)
    if user is None:
        return NOTHING
    minutes = get_settings().password_reset_minutes
    lifetime = timedelta(minutes=minutes)
    return _send_link(job, user, Purpose.RESET, email, "password_reset", lifetime, minutes=minutes)


@celery.task(base=JobTask, dont_autoretry_for=FINAL)
def send_password_changed(job: RunningJob, user_id: UUID) -> Sent:
    user = job.session.get_one(User, user_id)
    link = get_settings().link("/account/forgotten-password")
    return _send(job, render("password_changed", user.email, at=job.created_at, link=link))


@celery.task(base=JobTask, dont_autoretry_for=FINAL)
def send_change_email(job: RunningJob, user_id: UUID, email: str) -> Sent:
    """To the new address, unless somebody else has proven that it is theirs."""
    owner = _active(job, email)
    if owner and owner.verified:
        return NOTHING
    user = job.session.get_one(User, user_id)
    hours = get_settings().verification_hours
    return _send_link(job, user, Purpose.CHANGE_EMAIL, email, "change_email", timedelta(hours=hours), hours=hours)


@celery.task(base=JobTask, dont_autoretry_for=FINAL)
def send_email_changed(job: RunningJob, email: str, new: str) -> Sent:
    """To the old address."""
    return _send(job, render("email_changed", email, at=job.created_at, new=new, link=get_settings().link("/docs")))


@celery.task(base=JobTask, dont_autoretry_for=FINAL)
def send_new_sign_in(job: RunningJob, sign_in_id: UUID) -> Sent:
    sign_in = job.session.get_one(SignIn, sign_in_id)
    link = get_settings().link("/account/forgotten-password")
    return _send(
        job,
        render(
            "new_sign_in",
            sign_in.user.email,
            at=sign_in.created_at,
            address=sign_in.address,
            device=sign_in.device,
            link=link,
        ),
    )


@celery.task(base=JobTask, dont_autoretry_for=FINAL)
def send_job_failed(job: RunningJob, job_id: UUID) -> Sent:
    """To the owner of another job, which failed; `app/__init__.py` names this task."""
    failed = job.session.get_one(Job, job_id)
    if failed.status != Status.FAILED:
        # Meanwhile somebody has run it again.
        return NOTHING
    user = job.session.get_one(User, failed.owner_id)
    words = failed.task.rpartition(".")[2].replace("_", " ")
    link = get_settings().link(f"{API}/jobs/{job_id}")
    return _send(
        job, render("job_failed", user.email, task=words, at=failed.finished_at, error=failed.error, link=link)
    )


@celery.task(base=JobTask)
def delete_user(job: RunningJob, user_id: UUID) -> Sent:
    """With everything that belongs to them; the audit log keeps what happened, without their address."""
    user = job.session.get(User, user_id, with_for_update=True)
    # An administrator may have reactivated them in the meantime.
    if user is None or user.deactivated_at is None:
        return NOTHING
    enqueue(job.session, send_account_deleted, email=user.email)
    record(job.session, Kind.DELETED, user_id)
    job.session.delete(user)
    return {"user_id": str(user_id)}


@celery.task(base=JobTask, dont_autoretry_for=FINAL)
def send_account_deleted(job: RunningJob, email: str) -> Sent:
    return _send(job, render("account_deleted", email, link=get_settings().link("/docs")))


def _active(job: RunningJob, email: str) -> User | None:
    return job.session.scalar(select(User).where(User.email == email, User.deactivated_at.is_(None)))


def _send_link(
    job: RunningJob, user: User, purpose: Purpose, email: str, template: str, lifetime: timedelta, **values: Any
) -> Sent:
    """A link that works once. Each attempt of the job sends the same one."""
    secret = _secret_of(job)
    page = {Purpose.VERIFY: "verify", Purpose.RESET: "reset-password", Purpose.CHANGE_EMAIL: "confirm-email"}[purpose]
    # In the fragment, which browsers do not send: the secret stays out of every server's log.
    link = get_settings().link(f"/account/{page}#token={secret}")
    sent = _send(job, render(template, email, link=link, **values))
    token = {"hash": hash_secret(secret), "purpose": purpose, "user_id": user.id, "email": email}
    # An administrator may run the job again: the link is the same, and so is what became of it.
    new = insert(Token).values(token | {"expires_at": job.created_at + lifetime}).on_conflict_do_nothing()
    job.session.connection().execute(new)
    return sent


def _secret_of(job: RunningJob) -> str:
    """The same for each attempt, so that a repeated message has the same link; no row has it."""
    key = get_settings().secret_key.encode()
    return urlsafe_b64encode(digest(key, b"link of job " + job.id.bytes, "sha256")).decode().rstrip("=")


def _send(job: RunningJob, message: Message) -> Sent:
    # No transaction stays open while the provider thinks.
    job.session.close()
    return {"message_id": deliver(message, idempotency_key=str(job.id))}


@celery.task
def note_sign_in(user_id: str, address: str) -> None:
    """A line for those who watch sign-ins. Looking the address up somewhere slow would go here."""
    log.info("signed in", user_id=user_id, address=address)
