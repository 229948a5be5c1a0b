from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any
from uuid import uuid4

import pytest
from amqp.exceptions import AccessRefused
from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session
from work import add_user_in_company

from app.accounts.tasks import send_welcome
from app.worker import celery
from groundwork.data.connections import engine
from groundwork.jobs.enqueueing import enqueue
from groundwork.jobs.models import Job, Status
from groundwork.jobs.relay import publish_due
from groundwork.settings import get_settings
from groundwork.testing import Published


@pytest.fixture(autouse=True)
def long_pauses() -> Iterator[None]:
    """However slow the machine is: no message counts as lost meanwhile, and what stands back does not come back."""
    with pytest.MonkeyPatch.context() as patches:
        patches.setattr(get_settings(), "job_patience_seconds", 30)
        patches.setattr("groundwork.jobs.relay.STAND_BACK", timedelta(minutes=1))
        yield


def queued(session: Session) -> Job:
    job = enqueue(session, send_welcome, user_id=uuid4())
    session.commit()
    return job


def test_a_committed_job_is_published_once_and_carries_only_its_id(session: Session, published: Published) -> None:
    job = queued(session)

    assert [publish_due(celery), publish_due(celery)] == [1, 0]
    assert published() == [str(job.id)]


def test_short_jobs_travel_together_where_their_task_says_so(session: Session, published: Published) -> None:
    short = [enqueue(session, add_user_in_company, email=f"{number}@example.org") for number in range(4)]
    alone = queued(session)

    assert publish_due(celery) == 5

    first, second, third, fourth = [str(job.id) for job in short]
    assert sorted(published()) == sorted([f"{first} {second} {third}", fourth, str(alone.id)])


def test_a_message_that_nobody_answered_is_published_again_later_and_later(
    session: Session, published: Published
) -> None:
    job = queued(session)
    publish_due(celery)
    waits = []
    for minutes in (0, 2, 600):
        past = text(f"now() - interval '{minutes} minutes'")
        session.execute(update(Job).values(run_at=past, due_at=func.now()))
        session.commit()
        publish_due(celery)
        waits.append(session.scalar(select(func.extract("epoch", Job.due_at - func.now()))))

    assert published() == [str(job.id)] * 4
    assert [round(float(wait or 0), -1) for wait in waits] == [30, 120, 600]


def test_a_job_whose_worker_died_is_given_back_and_published(session: Session, published: Published) -> None:
    job = queued(session)
    session.execute(update(Job).values(status=Status.RUNNING, token=uuid4(), attempts=1))
    session.commit()

    publish_due(celery)

    session.refresh(job)
    assert job.status == Status.QUEUED
    assert job.token is None
    assert published() == [str(job.id)]


def test_a_delayed_and_a_finished_job_are_left_alone(session: Session) -> None:
    queued(session)
    later = text("now() + interval '1 hour'")
    session.execute(update(Job).values(run_at=later, due_at=later))
    session.commit()
    done = queued(session)
    done.status, done.due_at = Status.SUCCEEDED, None
    session.commit()

    assert publish_due(celery) == 0


def test_relays_side_by_side_publish_each_job_once(
    session: Session, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Few at a time, so that they look often at the same rows.
    monkeypatch.setattr("groundwork.jobs.relay.BATCH", 3)
    ids = [str(enqueue(session, send_welcome, user_id=uuid4()).id) for _ in range(120)]
    session.commit()
    together = Barrier(4)

    def until_empty() -> None:
        together.wait()
        while publish_due(celery):
            pass

    with ThreadPoolExecutor(4) as threads:
        relays = [threads.submit(until_empty) for _ in range(4)]
    for relay in relays:
        relay.result()

    assert sorted(published()) == sorted(ids)


def test_when_the_broker_refuses_the_job_stays_due(
    session: Session, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = queued(session)

    def refuse(*_: object, **__: object) -> None:
        raise ConnectionRefusedError("broker down")

    monkeypatch.setattr(celery, "send_task", refuse)
    with pytest.raises(ConnectionRefusedError):
        publish_due(celery)

    monkeypatch.undo()
    # It stands back for a few seconds, for others that may be sent.
    assert publish_due(celery) == 0
    session.execute(update(Job).values(due_at=func.now()))
    session.commit()
    assert publish_due(celery) == 1
    assert published() == [str(job.id)]


def test_a_job_that_cannot_be_published_does_not_hold_up_the_others(
    session: Session, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, *others = (queued(session) for _ in range(3))
    send = celery.send_task

    def refuse_one(task: str, **options: Any) -> None:
        if options["task_id"] == str(broken.id):
            raise AccessRefused("not on this queue")
        send(task, **options)

    monkeypatch.setattr(celery, "send_task", refuse_one)
    with pytest.raises(AccessRefused):
        publish_due(celery)
    publish_due(celery)

    assert published() == [str(job.id) for job in others]


def test_a_job_whose_task_nobody_here_has_is_published_and_told(
    session: Session, published: Published, caplog: pytest.LogCaptureFixture
) -> None:
    job = queued(session)
    job.task = "app.invoices.more.remind"
    session.commit()

    publish_due(celery)

    assert published() == [str(job.id)]
    assert "app.invoices.more.remind" in caplog.text


@pytest.mark.parametrize("status", [Status.RUNNING, Status.SUCCEEDED])
def test_a_send_that_failed_only_in_appearance_is_not_taken_back(
    session: Session, monkeypatch: pytest.MonkeyPatch, status: Status
) -> None:
    job = queued(session)
    claimed = update(Job).values(status=status, token=uuid4(), due_at=text("now() + interval '1 hour'"))
    finished = update(Job).values(status=status, due_at=None)

    def arrive_and_fail(*_: object, **__: object) -> None:
        with engine().begin() as connection:
            connection.execute(claimed if status == Status.RUNNING else finished)
        raise TimeoutError("no confirmation")

    monkeypatch.setattr(celery, "send_task", arrive_and_fail)
    with pytest.raises(TimeoutError):
        publish_due(celery)

    session.refresh(job)
    assert job.status == status
    monkeypatch.undo()
    assert publish_due(celery) == 0
