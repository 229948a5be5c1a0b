"""The owner of a job reads in a mail that it failed."""

from importlib import import_module
from uuid import uuid4

import pytest
import work
from billiard.exceptions import TimeLimitExceeded
from celery.signals import task_failure
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session
from work import add_user, write

from app.accounts.models import User
from app.worker import celery
from groundwork.configuration import configuration
from groundwork.jobs import Job, RunningJob, Status, enqueue
from groundwork.jobs.worker import place
from groundwork.mail import PermanentFailure
from groundwork.testing import RunJob


def refuse(_: RunningJob) -> None:
    raise PermanentFailure("There is no such account.")


def notices(session: Session) -> list[Job]:
    return list(session.scalars(select(Job).where(Job.task == configuration().failure_notice)))


def test_the_owner_of_a_job_that_took_too_long_is_told(session: Session, user: User) -> None:
    job = enqueue(session, add_user, owner=user.id, email="grace@example.org")
    session.commit()
    mine = {"status": Status.RUNNING, "token": uuid4(), "worker": place(str(job.id)), "started_at": func.now()}
    session.execute(update(Job).where(Job.id == job.id).values(mine))
    session.commit()

    import_module("groundwork.jobs.supervisor")
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


def test_the_notice_has_a_task() -> None:
    celery.loader.import_default_modules()

    assert configuration().failure_notice in celery.tasks
