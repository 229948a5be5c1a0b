"""The relay as it runs: woken by a commit, and through losses. Jobs of the schedule may be among what it publishes."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from threading import Event, Thread
from uuid import uuid4

import pytest
from amqp.exceptions import AccessRefused
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session
from support import cut_connections, listeners

from app.accounts.tasks import send_welcome
from app.schedule import SCHEDULE
from app.worker import celery
from groundwork.data.connections import engine
from groundwork.jobs.enqueueing import enqueue
from groundwork.jobs.models import CHANNEL, Job, Status, Tick
from groundwork.jobs.relay import relay
from groundwork.testing import Published, until


def queued(session: Session) -> Job:
    job = enqueue(session, send_welcome, user_id=uuid4())
    session.commit()
    return job


@pytest.fixture
def relaying(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A relay that listens for as long as the test runs, and looks by itself after so many seconds."""
    monkeypatch.setattr("groundwork.jobs.relay.POLL", request.param)
    monkeypatch.setattr("groundwork.jobs.publishing.STAND_BACK", 0)
    stop = Event()
    thread = Thread(target=relay, args=(celery, SCHEDULE, stop))
    thread.start()
    try:
        until(lambda: listeners() == 1)
        yield
    finally:
        # Also where it never listened: the suite would not end before its thread.
        stop.set()
        with engine().begin() as connection:
            connection.exec_driver_sql(f"NOTIFY {CHANNEL}")
        thread.join()


@pytest.mark.parametrize("relaying", [300.0], indirect=True)
def test_a_commit_wakes_the_relay(session: Session, published: Published, relaying: None) -> None:
    job = queued(session)

    until(lambda: str(job.id) in published())


@pytest.mark.parametrize("relaying", [0.1], indirect=True)
@pytest.mark.usefixtures("loss_noticed")
def test_the_relay_survives_the_loss_of_its_connections(session: Session, published: Published, relaying: None) -> None:
    cut_connections()

    job = queued(session)

    until(lambda: str(job.id) in published())


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
        assert refused.wait(30)

    until(lambda: str(job.id) in published())


@pytest.mark.parametrize("relaying", [0.1], indirect=True)
def test_a_job_whose_worker_died_is_given_back_and_published(
    session: Session, published: Published, relaying: None
) -> None:
    job = queued(session)
    until(lambda: str(job.id) in published())
    session.execute(update(Job).values(status=Status.RUNNING, token=uuid4(), attempts=1, due_at=func.now()))
    session.commit()

    until(lambda: str(job.id) in published())

    session.refresh(job)
    assert (job.status, job.token, job.crashes) == (Status.QUEUED, None, 1)


@pytest.mark.parametrize("relaying", [0.1], indirect=True)
def test_a_relay_that_is_frozen_stops_no_other(session: Session, published: Published, relaying: None) -> None:
    until(lambda: session.scalar(select(func.count()).select_from(Tick)) == len(SCHEDULE) + 1)
    with engine().begin() as frozen:
        # It holds the row of its look, and those of ticks that are due.
        frozen.execute(update(Tick).values(at=func.now() - timedelta(days=3)))

        job = queued(session)

        until(lambda: str(job.id) in published(), 5)


HANGS = """
from threading import Event
from time import sleep

from app.worker import celery
from groundwork.jobs import publishing, relay

publishing.Publisher.publish_due = lambda *_: sleep(60)
relay.relay(celery, (), Event(), hung_after=1)
"""


def test_a_relay_that_hangs_ends_and_tells_where() -> None:
    done = subprocess.run([sys.executable, "-c", HANGS], capture_output=True, text=True, timeout=30)

    assert done.returncode == 1
    assert "Timeout (0:00:01)!" in done.stderr
    assert "publish_due" in done.stderr or "<lambda>" in done.stderr
