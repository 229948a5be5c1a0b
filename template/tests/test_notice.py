"""The owner of a job reads in a mail that it failed."""

from importlib import import_module
from uuid import uuid4

import pytest
import work
from billiard.exceptions import TimeLimitExceeded
from celery.signals import task_failure
from job_fixtures import RunJob
from mail_fixtures import Outbox
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session
from work import add_user, write

from app.jobs.endings import NOTICE
from app.jobs.enqueue import enqueue
from app.jobs.models import Job, Status
from app.jobs.runner import RunningJob
from app.mail.failures import PermanentFailure
from app.users.models import User
from app.users.tasks import send_job_failed
from app.worker import celery, place


def refuse(_: RunningJob) -> None:
    raise PermanentFailure("There is no such account.")


def notices(session: Session) -> list[Job]:
    return list(session.scalars(select(Job).where(Job.task == NOTICE)))


def test_the_owner_of_a_job_is_told_that_it_failed(
    session: Session, user: User, run_job: RunJob, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "then", refuse)
    owned = enqueue(session, add_user, owner=user.id, email="grace@example.org")
    nobodys = enqueue(session, add_user, email="grace@example.org")
    session.commit()
    run_job(owned)
    run_job(nobodys)
    [notice] = notices(session)

    run_job(notice)

    assert notice.status == Status.SUCCEEDED, notice.error
    mail = outbox()[-1]
    body = mail.get_body(("plain",))
    assert body is not None
    assert (mail["To"], mail["Subject"]) == (user.email, "Your job failed: add user")
    assert "There is no such account." in body.get_content()
    assert str(owned.id) in body.get_content()


def test_so_is_the_owner_of_a_job_that_took_too_long(session: Session, user: User) -> None:
    job = enqueue(session, add_user, owner=user.id, email="grace@example.org")
    session.commit()
    mine = {"status": Status.RUNNING, "token": uuid4(), "worker": place(str(job.id)), "started_at": func.now()}
    session.execute(update(Job).where(Job.id == job.id).values(mine))
    session.commit()

    import_module("app.jobs.supervisor")
    task_failure.send(sender=add_user, task_id=str(job.id), exception=TimeLimitExceeded(1860))

    assert [notice.arguments for notice in notices(session)] == [{"job_id": str(job.id)}]


def test_a_failure_that_may_pass_is_no_news(session: Session, user: User, run_job: RunJob) -> None:
    job = enqueue(session, add_user, owner=user.id, email=user.email)
    session.commit()

    run_job(job)

    assert job.status == Status.QUEUED
    assert notices(session) == []


def test_an_attempt_that_lost_the_job_tells_nobody(
    session: Session, user: User, run_job: RunJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose_and_refuse(job: RunningJob) -> None:
        write(update(Job).values(status=Status.FAILED, due_at=None, token=None))
        refuse(job)

    monkeypatch.setattr(work, "then", lose_and_refuse)
    job = enqueue(session, add_user, owner=user.id, email="grace@example.org")
    session.commit()

    run_job(job)

    # Whoever ended it has told them.
    assert notices(session) == []


def test_nobody_is_told_of_a_failure_that_is_over(
    session: Session, user: User, run_job: RunJob, outbox: Outbox
) -> None:
    job = enqueue(session, add_user, owner=user.id, email="grace@example.org")
    notice = enqueue(session, send_job_failed, job_id=job.id)
    session.commit()

    run_job(notice)

    assert notice.status == Status.SUCCEEDED
    assert outbox() == []


def test_the_notice_has_a_task() -> None:
    celery.loader.import_default_modules()

    assert NOTICE in celery.tasks
