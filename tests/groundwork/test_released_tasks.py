"""Jobs that wait in the table while a service is updated run afterwards: the name of a released task is never forgotten."""

import pytest
from sqlalchemy.orm import Session

from app.accounts.models import User
from app.accounts.tasks import send_reset, send_welcome
from app.worker import celery
from groundwork.jobs import Status, enqueue, housekeeping
from groundwork.testing import Mailed, Outbox, RunJob

ACCOUNTS = (
    "answer_registration",
    "delete_user",
    "note_sign_in",
    "send_account_deleted",
    "send_change_email",
    "send_email_changed",
    "send_job_failed",
    "send_new_sign_in",
    "send_password_changed",
    "send_reset",
    "send_verification",
    "send_welcome",
)
# By the release that brought them.
RELEASED = {
    "0.1.0": {
        "app.audit.tasks.purge_audit_events",
        "app.deliveries.tasks.purge_mail_events",
        "app.jobs.tasks.purge_jobs",
        "app.limits.tasks.purge_rate_limits",
        "app.reports.tasks.build_report",
        "app.sign_ins.tasks.purge_tokens",
        *(f"app.users.tasks.{name}" for name in ACCOUNTS),
    },
    "0.4.0": {"groundwork.housekeeping", *(f"app.accounts.tasks.{name}" for name in ACCOUNTS)},
}


@pytest.mark.parametrize("release", RELEASED)
def test_a_worker_knows_every_task_that_was_released(release: str) -> None:
    celery.loader.import_default_modules()

    assert RELEASED[release] - celery.tasks.keys() == set()


def test_every_task_is_among_them() -> None:
    celery.loader.import_default_modules()
    ours = {name for name in celery.tasks if name.startswith(("app.", "groundwork."))}

    assert ours == set().union(*RELEASED.values()), "Add the new task's name below the release that brings it."


def test_jobs_that_an_earlier_release_enqueued_for_links_mail_what_they_can(
    session: Session, user: User, mailed: Mailed
) -> None:
    for name, arguments in (
        ("answer_registration", {"email": user.email}),
        ("send_verification", {"email": user.email}),
        ("send_verification", {"email": "nobody@example.org"}),
        ("send_change_email", {"user_id": str(user.id), "email": "countess@example.org"}),
        ("send_reset", {"email": user.email}),
    ):
        job = enqueue(session, send_reset)
        job.task, job.arguments = f"app.accounts.tasks.{name}", arguments
    session.commit()

    subjects = [message["Subject"].partition(" at ")[0].partition(" for ")[0] for message in mailed()]

    assert subjects == ["You have an account", "You have an account", "Reset your password"]


def test_a_job_under_an_earlier_name_of_its_task_runs(
    session: Session, user: User, run_job: RunJob, outbox: Outbox
) -> None:
    welcome = enqueue(session, send_welcome, user_id=user.id)
    purge = enqueue(session, housekeeping)
    welcome.task, purge.task = "app.users.tasks.send_welcome", "app.sign_ins.tasks.purge_tokens"
    session.commit()

    for job in (welcome, purge):
        run_job(job)
        session.refresh(job)

    assert [job.status for job in (welcome, purge)] == [Status.SUCCEEDED, Status.SUCCEEDED]
    assert [message["to"] for message in outbox()] == [user.email]
