"""The owner of a job reads in a mail that it failed."""

from typing import Any

from fastapi.testclient import TestClient
from sqlalchemy.orm import Session

from app.accounts.models import User
from app.accounts.tasks import send_job_failed
from app.worker import celery
from groundwork.jobs import JobTask, RunningJob, Status, enqueue
from groundwork.testing import Outbox, RunJob


class Refused(Exception):
    """There is no such account."""


@celery.task(base=JobTask, dont_autoretry_for=(Refused,))
def fail(job: RunningJob) -> None:
    raise Refused("There is no such account.")


def test_the_owner_of_a_job_is_told_that_it_failed(
    client: TestClient, session: Session, user: User, run_job: RunJob, mailed: Any
) -> None:
    failing = enqueue(session, fail, owner=user.id)
    session.commit()
    run_job(failing)

    [mail] = mailed()

    body = mail.get_body(("plain",)).get_content()
    assert failing.status == Status.FAILED
    assert (mail["To"], mail["Subject"]) == (user.email, "Your job failed: fail")
    assert "There is no such account." in body
    assert str(failing.id) in body


def test_nobody_is_told_of_a_failure_that_is_over(
    session: Session, user: User, run_job: RunJob, outbox: Outbox
) -> None:
    runs_again = enqueue(session, fail, owner=user.id)
    notice = enqueue(session, send_job_failed, job_id=runs_again.id)
    session.commit()

    run_job(notice)

    assert notice.status == Status.SUCCEEDED
    assert outbox() == []
