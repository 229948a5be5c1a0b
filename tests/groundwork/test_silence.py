"""A database whose connections are open and silent, as with a stopped backend: it is noticed, said, and recovered from."""

from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from threading import Event, Thread
from typing import Any

import pytest
from celery.signals import worker_shutting_down
from fastapi.testclient import TestClient
from silent_proxy import Proxy, proxied
from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session
from work import Then, act, act_in_company, add_user, users

from app.accounts.models import User
from app.main import create_app
from app.schedule import SCHEDULE
from app.worker import celery
from groundwork.data import silence
from groundwork.data.connections import prompt_engine
from groundwork.jobs.enqueueing import enqueue
from groundwork.jobs.models import CHANNEL, Job, Status
from groundwork.jobs.one_transaction import job_engine
from groundwork.jobs.relay import relay
from groundwork.jobs.running_job import RunningJob
from groundwork.settings import get_settings
from groundwork.testing import Published, RunJob, SetVariable, until

SAID = "PostgreSQL has not answered for 0.5 s on an open connection, which is closed now"


@pytest.fixture
def proxy(session: Session, set_variable: SetVariable, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """Between this process and PostgreSQL; `session` has no part in it."""
    monkeypatch.setattr(silence, "ANSWER_SECONDS", 0.5)
    monkeypatch.setattr(silence, "COMMIT_SECONDS", 0.5)
    direct = session.get_bind()
    assert isinstance(direct, Engine)
    with proxied(get_settings().database_url) as proxy:
        set_variable("DATABASE_URL", proxy.url)
        yield proxy
    session.close()
    direct.dispose()


def in_time(work: Callable[[], object]) -> Any:
    """Its result; fails where it does not end."""
    results: list[object] = []
    Thread(target=lambda: results.append(work()), daemon=True).start()
    until(lambda: results, 20)
    return results[0]


def queued(session: Session) -> Job:
    job = enqueue(session, add_user, email="ada@example.org")
    session.commit()
    return job


def test_the_end_of_an_attempt_is_not_waited_for(
    session: Session, proxy: Proxy, run_job: RunJob, then: Then, caplog: pytest.LogCaptureFixture
) -> None:
    def write(job: RunningJob) -> None:
        # Each another one: the transaction of the first attempt is still open.
        job.session.add(User(email=f"{job.attempt}@example.org"))
        job.session.flush()
        if job.attempt == 1:
            proxy.fall_silent()

    then(write)
    job = enqueue(session, act)
    session.commit()

    assert in_time(lambda: run_job(job)).state == "RETRY"

    assert SAID in caplog.text
    # As after the death of its worker.
    assert (job.status, job.attempts, job.crashes) == (Status.QUEUED, 1, 1)
    session.execute(text("UPDATE jobs SET run_at = now()"))
    session.commit()
    run_job(job)
    assert (job.status, users(session)) == (Status.SUCCEEDED, 1)


def test_nor_is_that_of_jobs_that_share_a_transaction(
    session: Session, proxy: Proxy, run_job: RunJob, then: Then, caplog: pytest.LogCaptureFixture
) -> None:
    jobs = [enqueue(session, act_in_company) for _ in range(3)]
    session.commit()
    silent: list[bool] = []

    def fall_silent_once(_: RunningJob) -> None:
        if not silent:
            silent.append(True)
            proxy.fall_silent()

    then(fall_silent_once)

    in_time(lambda: run_job(*jobs))

    assert SAID in caplog.text
    assert {job.status for job in jobs} <= {Status.SUCCEEDED, Status.QUEUED}
    assert sum(job.crashes for job in jobs) <= 1


def test_a_claim_is_not_waited_for(
    session: Session, proxy: Proxy, run_job: RunJob, caplog: pytest.LogCaptureFixture
) -> None:
    job = queued(session)
    with job_engine().connect():
        pass
    proxy.fall_silent()

    assert in_time(lambda: run_job(job)).state == "FAILURE"

    assert SAID in caplog.text
    # The relay sends its message again.
    assert (job.status, job.attempts) == (Status.QUEUED, 0)
    assert run_job(job).state == "SUCCESS"


def test_progress_is_not_waited_for(
    session: Session, proxy: Proxy, run_job: RunJob, then: Then, caplog: pytest.LogCaptureFixture
) -> None:
    def fall_silent(job: RunningJob) -> None:
        job.progress(1, 3)
        proxy.fall_silent()
        job.progress(3, 3)

    then(fall_silent)
    job = queued(session)

    assert in_time(lambda: run_job(job)).state == "RETRY"

    assert SAID in caplog.text


def test_a_statement_of_a_task_may_take_as_long_as_it_takes(
    session: Session, proxy: Proxy, run_job: RunJob, then: Then
) -> None:
    then(lambda job: job.session.execute(text("SELECT pg_sleep(1.5)")))
    jobs = [enqueue(session, task) for task in (act, act_in_company, act_in_company)]
    session.commit()

    run_job(jobs[0])
    run_job(*jobs[1:])

    assert [job.status for job in jobs] == [Status.SUCCEEDED] * 3


def test_a_lease_is_extended_by_another_connection(
    session: Session, proxy: Proxy, run_job: RunJob, then: Then, caplog: pytest.LogCaptureFixture
) -> None:
    said: list[object] = []

    def due_at() -> object:
        session.rollback()
        return session.scalar(select(Job.due_at))

    def is_later(before: object) -> bool:
        return due_at() != before

    def work(_: RunningJob) -> None:
        for _time in range(2):
            until(partial(is_later, due_at()), 10)
            proxy.fall_silent()
        said.append("extended twice")

    then(work)
    job = queued(session)

    in_time(lambda: run_job(job))

    assert said
    assert "heartbeat missed" in caplog.text


def test_a_worker_that_stops_is_not_held_up(session: Session, proxy: Proxy, caplog: pytest.LogCaptureFixture) -> None:
    with prompt_engine().connect():
        pass
    proxy.fall_silent()

    # As a worker does: now it listens to Celery's signals.
    import_module("groundwork.jobs.supervisor")
    in_time(lambda: worker_shutting_down.send(sender="worker", sig="SIGQUIT", how="Cold", exitcode=0))

    until(lambda: "could not write down the end of an attempt" in caplog.text, 10)
    assert SAID in caplog.text


def test_a_relay_goes_on(
    session: Session,
    proxy: Proxy,
    published: Published,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("groundwork.jobs.relay.POLL", 0.1)
    stop = Event()
    thread = Thread(target=relay, args=(celery, SCHEDULE, stop), daemon=True)
    thread.start()
    try:
        first = queued(session)
        until(lambda: str(first.id) in published())
        proxy.fall_silent()
        second = enqueue(session, act)
        session.commit()

        until(lambda: str(second.id) in published(), 10)
    finally:
        stop.set()
        session.execute(text(f"NOTIFY {CHANNEL}"))
        session.commit()
        proxy.fall_silent()
        thread.join(10)

    assert SAID in caplog.text
    assert "relay waits" in caplog.text


def test_requests_get_their_connections_back(proxy: Proxy, set_variable: SetVariable) -> None:
    set_variable("REQUEST_TIMEOUT_SECONDS", "1")
    set_variable("DATABASE_POOL_SIZE", "2")
    with TestClient(create_app()) as client:
        assert client.get("/health/ready").status_code == 200
        proxy.fall_silent()

        assert in_time(lambda: client.get("/health/ready")).status_code == 503

        until(lambda: client.get("/health/ready").status_code == 200, 30)
