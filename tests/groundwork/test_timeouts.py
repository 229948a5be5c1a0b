"""Attempts that PostgreSQL ends: by a timeout, which is the task's own fault, or by a stop, which is nobody's."""

from collections.abc import Callable
from select import POLLRDHUP, poll
from typing import Any

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from support import cut_connections
from work import Then, act, act_in_company, add_user

from groundwork.data import new_session
from groundwork.jobs.enqueueing import enqueue
from groundwork.jobs.models import Job, Status
from groundwork.jobs.running_job import RunningJob
from groundwork.testing import RunJob

Act = Callable[[RunningJob], object]


def idle_too_long(job: RunningJob) -> None:
    job.session.execute(text("SET LOCAL idle_in_transaction_session_timeout = '10ms'"))
    driver: Any = job.session.connection().connection.driver_connection
    # A statement that meets PostgreSQL before it has closed the connection makes its last words unreadable.
    closed = poll()
    closed.register(driver.fileno(), POLLRDHUP)
    assert closed.poll(20_000)
    job.session.scalar(select(1))


def idle_too_long_and_go_on(job: RunningJob) -> None:
    try:
        idle_too_long(job)
    except DBAPIError:
        job.session.scalar(select(1))


def run_too_long(job: RunningJob) -> None:
    job.session.execute(text("SET LOCAL statement_timeout = '10ms'"))
    job.session.execute(text("SELECT pg_sleep(10)"))


def wait_too_long(job: RunningJob) -> None:
    job.session.execute(text("SET LOCAL lock_timeout = '10ms'"))
    with new_session() as other:
        other.execute(text("LOCK TABLE users"))
        job.session.execute(text("SELECT * FROM users"))


def cut(job: RunningJob) -> None:
    cut_connections()
    job.session.scalar(select(1))


@pytest.mark.parametrize(
    ("what", "ended", "crashes"),
    [
        (idle_too_long, "idle_in_transaction_session_timeout", 0),
        (run_too_long, "statement_timeout, or pg_cancel_backend(),", 0),
        (wait_too_long, "lock_timeout, or NOWAIT,", 0),
        (cut, "a stop of PostgreSQL, or pg_terminate_backend(),", 1),
    ],
    ids=["idle", "statement", "lock", "cut"],
)
def test_the_error_says_who_ended_the_attempt(
    session: Session,
    run_job: RunJob,
    then: Then,
    caplog: pytest.LogCaptureFixture,
    what: Act,
    ended: str,
    crashes: int,
) -> None:
    then(what)
    job = enqueue(session, act)
    session.commit()

    run_job(job)

    assert (job.status, job.attempts, job.crashes) == (Status.QUEUED, 1, crashes)
    assert job.error == f"{ended} ended attempt 1; the log has the details."
    assert job.error in caplog.text


def test_a_timeout_is_known_by_what_came_first(session: Session, run_job: RunJob, then: Then) -> None:
    then(idle_too_long_and_go_on)
    job = enqueue(session, act)
    session.commit()

    run_job(job)

    assert job.crashes == 0
    assert "idle_in_transaction_session_timeout" in str(job.error)


def test_a_job_that_is_always_too_slow_fails_by_its_own_attempts(session: Session, run_job: RunJob, then: Then) -> None:
    then(idle_too_long)
    job = enqueue(session, add_user, email="ada@example.org")
    session.commit()

    for _ in range(add_user.max_attempts):
        session.execute(update(Job).values(run_at=text("now()")))
        session.commit()
        run_job(job)

    assert (job.status, job.attempts, job.crashes) == (Status.FAILED, 3, 0)
    assert "idle_in_transaction_session_timeout ended attempt 3" in str(job.error)


def test_it_is_counted_for_none_of_its_company(session: Session, run_job: RunJob, then: Then) -> None:
    jobs = [enqueue(session, act_in_company) for _ in range(3)]
    session.commit()

    def each(job: RunningJob) -> None:
        if job.id == jobs[1].id:
            idle_too_long(job)

    then(each)
    run_job(*jobs)

    assert [(job.status, job.attempts, job.crashes) for job in jobs] == [
        (Status.SUCCEEDED, 1, 0),
        (Status.QUEUED, 1, 0),
        (Status.SUCCEEDED, 1, 0),
    ]
