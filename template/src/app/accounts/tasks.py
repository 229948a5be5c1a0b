"""Mail to users and the end of their accounts, as jobs; and what may be lost, as a plain task."""

from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import func, select
from sqlalchemy.exc import NoResultFound

from app.accounts import links
from app.accounts.events import Kind
from app.accounts.models import Registration, SignIn, Token, User
from app.settings import API, get_settings
from app.worker import celery
from groundwork.audit import record
from groundwork.http import derived_secrets
from groundwork.jobs import Job, JobTask, MailTask, RunningJob, Status, enqueue
from groundwork.mail import Message, MessageInvalid, PermanentFailure, deliver, render

log = structlog.get_logger(__name__)

# Trying again helps neither against a refusing provider nor for a user who is gone.
FINAL = (PermanentFailure, MessageInvalid, NoResultFound)
Sent = dict[str, str]
NOTHING: Sent = {}


@celery.task(base=MailTask, dont_autoretry_for=FINAL)
def answer_registration(job: RunningJob, email: str = "") -> Sent:
    """A link for who is new here, a word for who is not: only the mailbox learns which.

    Jobs that release 0.4 enqueued have an `email`, and no registration.
    """
    mine = select(Registration).where(Registration.hash.in_(derived_secrets(job.id)))
    registration = job.session.scalar(mine)
    email = registration.email if registration else email
    user = job.session.scalar(select(User).where(User.email == email))
    if user and user.deactivated_at:
        return NOTHING
    if user and (user.password_hash or registration is None):
        return _send(job, render("already_registered", email, link=get_settings().link("/account/forgotten-password")))
    if registration is None:
        return NOTHING
    hours = get_settings().verification_hours
    return _send_link(job, registration, "verify", "verify", at=registration.created_at, hours=hours)


@celery.task(base=MailTask, dont_autoretry_for=FINAL)
def send_welcome(job: RunningJob, user_id: UUID) -> Sent:
    user = job.session.get_one(User, user_id)
    return _send(job, render("welcome", user.email, link=get_settings().link("/docs")))


@celery.task(base=MailTask, dont_autoretry_for=FINAL)
def send_reset(job: RunningJob, email: str = "") -> Sent:
    """Jobs that release 0.4 enqueued have an `email`, and no token."""
    if email:
        job.session.add(links.to_reset(enqueue(job.session, send_reset), email))
        return NOTHING
    token = _token(job)
    if token is None or token.user_id is None:
        return NOTHING
    return _send_link(job, token, "reset-password", "password_reset", minutes=get_settings().password_reset_minutes)


@celery.task(base=MailTask, dont_autoretry_for=FINAL)
def send_password_changed(job: RunningJob, user_id: UUID) -> Sent:
    user = job.session.get_one(User, user_id)
    link = get_settings().link("/account/forgotten-password")
    return _send(job, render("password_changed", user.email, at=job.created_at, link=link))


@celery.task(base=MailTask, dont_autoretry_for=FINAL)
def send_change_email(job: RunningJob, user_id: UUID | None = None, email: str = "") -> Sent:
    """To the new address, unless it has an account. Jobs that release 0.4 enqueued have arguments, and mail nothing."""
    token = _token(job)
    if token is None or job.session.scalar(select(User.id).where(User.email == token.email)):
        return NOTHING
    return _send_link(job, token, "confirm-email", "change_email", hours=get_settings().verification_hours)


@celery.task(base=MailTask, dont_autoretry_for=FINAL)
def send_email_changed(job: RunningJob, email: str, new: str) -> Sent:
    """To the old address."""
    link = get_settings().link("/docs")
    return _send_last(job, render("email_changed", email, at=job.created_at, new=new, link=link))


@celery.task(base=MailTask, dont_autoretry_for=FINAL)
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


@celery.task(base=MailTask, dont_autoretry_for=FINAL)
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


@celery.task(base=MailTask, dont_autoretry_for=FINAL)
def send_account_deleted(job: RunningJob, email: str) -> Sent:
    return _send_last(job, render("account_deleted", email, link=get_settings().link("/docs")))


def _token(job: RunningJob) -> Token | None:
    """What the link of this job does; None where it is cancelled, used or too old."""
    usable = Token.used_at.is_(None), Token.expires_at > func.now()
    return job.session.scalar(select(Token).where(Token.hash.in_(derived_secrets(job.id)), *usable))


def _send_link(job: RunningJob, row: Registration | Token, page: str, template: str, **values: Any) -> Sent:
    """A link that works once. Each attempt of the job sends the same one."""
    # In the fragment, which browsers do not send: the secret stays out of every server's log.
    link = get_settings().link(f"/account/{page}#token={derived_secrets(job.id)[row.hash]}")
    return _send(job, render(template, str(row.email), link=link, **values))


def _send_last(job: RunningJob, message: Message) -> Sent:
    """To an address that no account has any more: the job forgets it."""
    sent = _send(job, message)
    job.forget_arguments()
    return sent


def _send(job: RunningJob, message: Message) -> Sent:
    # No transaction stays open while the provider thinks.
    job.session.close()
    return {"message_id": deliver(message, idempotency_key=str(job.id))}


@celery.task
def note_sign_in(user_id: str, address: str) -> None:
    """A line for those who watch sign-ins. Looking the address up somewhere slow would go here."""
    log.info("signed in", user_id=user_id, address=address)
