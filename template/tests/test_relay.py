from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Thread
from uuid import uuid4

import pytest
from amqp.exceptions import AccessRefused
from conftest import Published
from processes import cut_connections, listeners, until
from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from app.db import engine
from app.jobs.enqueue import enqueue
from app.jobs.models import CHANNEL, Job, Status
from app.jobs.relay import publish_due, relay
from app.settings import get_settings
from app.users.tasks import send_welcome
from app.worker import celery


def queued(session: Session) -> Job:
    job = enqueue(session, send_welcome, user_id=uuid4())
    session.commit()
    return job


def test_a_committed_job_is_published_once_and_carries_only_its_id(session: Session, published: Published) -> None:
    job = queued(session)

    assert [publish_due(), publish_due()] == [1, 0]
    assert published() == [str(job.id)]


def test_a_message_that_nobody_answered_is_published_again_later_and_later(
    session: Session, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(get_settings(), "job_patience_seconds", 30)
    job = queued(session)
    publish_due()
    waits = []
    for minutes in (0, 2, 600):
        past = text(f"now() - interval '{minutes} minutes'")
        session.execute(update(Job).values(run_at=past, due_at=func.now()))
        session.commit()
        publish_due()
        waits.append(session.scalar(select(func.extract("epoch", Job.due_at - func.now()))))

    assert published() == [str(job.id)] * 4
    assert [round(float(wait or 0)) for wait in waits] == [30, 120, 600]


def test_a_job_whose_worker_died_is_given_back_and_published(session: Session, published: Published) -> None:
    job = queued(session)
    session.execute(update(Job).values(status=Status.RUNNING, token=uuid4(), attempts=1))
    session.commit()

    publish_due()

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

    assert publish_due() == 0


def test_relays_side_by_side_publish_each_job_once(session: Session, published: Published) -> None:
    ids = [str(enqueue(session, send_welcome, user_id=uuid4()).id) for _ in range(60)]
    session.commit()

    def until_empty() -> None:
        while publish_due():
            pass

    with ThreadPoolExecutor(4) as threads:
        for _ in range(4):
            threads.submit(until_empty)

    assert sorted(published()) == sorted(ids)


def test_when_the_broker_refuses_the_job_stays_due(
    session: Session, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = queued(session)

    def refuse(*_: object, **__: object) -> None:
        raise ConnectionRefusedError("broker down")

    monkeypatch.setattr(celery, "send_task", refuse)
    with pytest.raises(ConnectionRefusedError):
        publish_due()

    monkeypatch.undo()
    assert publish_due() == 1
    assert published() == [str(job.id)]


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
        publish_due()

    session.refresh(job)
    assert job.status == status
    monkeypatch.undo()
    assert publish_due() == 0


@pytest.fixture
def relaying(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A relay that listens for as long as the test runs, and looks by itself after so many seconds."""
    monkeypatch.setattr("app.jobs.relay.POLL", request.param)
    stop = Event()
    thread = Thread(target=relay, args=(stop,))
    thread.start()
    until(lambda: listeners() == 1)
    yield
    stop.set()
    with engine().begin() as connection:
        connection.exec_driver_sql(f"NOTIFY {CHANNEL}")
    thread.join()


@pytest.mark.parametrize("relaying", [300.0], indirect=True)
def test_a_commit_wakes_the_relay(session: Session, published: Published, relaying: None) -> None:
    job = queued(session)

    until(lambda: published() == [str(job.id)])


@pytest.mark.parametrize("relaying", [0.1], indirect=True)
def test_the_relay_survives_the_loss_of_its_connections(session: Session, published: Published, relaying: None) -> None:
    cut_connections()

    job = queued(session)

    until(lambda: published() == [str(job.id)])


@pytest.mark.parametrize("relaying", [0.1], indirect=True)
def test_the_relay_outlives_errors_that_it_does_not_know(
    session: Session, published: Published, relaying: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = Event()

    def refuse(*_: object, **__: object) -> None:
        refused.set()
        raise AccessRefused("wrong password")

    with monkeypatch.context() as broken:
        broken.setattr(celery, "send_task", refuse)
        job = queued(session)
        assert refused.wait(5)

    until(lambda: published() == [str(job.id)])
