"""What senders tell those who watch jobs, and when."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg
import pytest
from fastapi.testclient import TestClient
from people import SignInAs
from sqlalchemy import text
from sqlalchemy.orm import Session
from work import add_user

from app.accounts.models import User
from app.settings import API
from groundwork.data import engine, new_session
from groundwork.jobs.enqueueing import enqueue
from groundwork.jobs.models import CHANGES, Job
from groundwork.settings import get_settings
from groundwork.testing import RunJob, until

Listener = psycopg.Connection[Any]


@contextmanager
def listening(watching: bool) -> Iterator[Listener]:
    """A listener of the channel; `watching` lets senders know of it, as a hub does."""
    with psycopg.connect(get_settings().database_url, autocommit=True) as listener:
        if watching:
            listener.execute(f"SELECT pg_advisory_lock_shared(hashtext('{CHANGES}'))")
        listener.execute(f"LISTEN {CHANGES}")
        yield listener


def heard(listener: Listener, seconds: float = 3.0) -> list[str]:
    """The payloads that arrive together."""
    first = [notice.payload for notice in listener.notifies(timeout=seconds, stop_after=1)]
    return first + [notice.payload for notice in listener.notifies(timeout=0.3)] if first else []


def new_job(owner: UUID | None, count: int = 1) -> list[Job]:
    with new_session() as session:
        jobs = [enqueue(session, add_user, owner=owner, email=f"{n}@example.org") for n in range(count)]
        session.commit()
        return jobs


def test_nobody_is_told_while_nobody_watches(user: User) -> None:
    with engine().begin() as connection:
        # Those that had streams a moment ago.
        hubs = "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ShareLock'"
        here = " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        connection.exec_driver_sql(hubs + here)
    with listening(watching=False) as listener:
        # The connections of streams that a test before this one opened.
        until(
            lambda: listener.execute(f"SELECT pg_try_advisory_xact_lock(hashtext('{CHANGES}'))").fetchone() == (True,)
        )
        new_job(user.id)

        assert heard(listener, 1.5) == []


def test_the_transaction_of_a_change_sends_no_notice_itself(user: User) -> None:
    with listening(watching=True) as listener, psycopg.connect(get_settings().database_url) as other:
        (job,) = new_job(user.id)
        heard(listener)
        other.execute("UPDATE jobs SET progress = '{}' WHERE id = %s", [job.id])
        other.commit()

        assert heard(listener, 1.5) == []


def test_many_changes_of_one_commit_are_told_together(user: User) -> None:
    with listening(watching=True) as listener:
        jobs = new_job(user.id, 250)
        payloads = heard(listener)

    lines = [line for payload in payloads for line in payload.splitlines()]
    assert sorted(lines) == sorted(f"{user.id} {job.id}" for job in jobs)
    assert len(payloads) == 3


def test_a_job_that_nobody_owns_is_not_told_of(user: User) -> None:
    with listening(watching=True) as listener:
        new_job(None)
        (owned,) = new_job(user.id)

        assert heard(listener) == [f"{user.id} {owned.id}"]


@pytest.mark.parametrize("commits", [True, False])
def test_a_change_is_told_after_its_commit_and_not_before(user: User, session: Session, commits: bool) -> None:
    with listening(watching=True) as listener:
        (job,) = new_job(user.id)
        heard(listener)
        session.execute(text("UPDATE jobs SET run_at = now() WHERE id = :id"), {"id": job.id})
        before = heard(listener, 1.2)
        if commits:
            session.commit()
        after = heard(listener, 1.2 if commits else 0.1)

    assert before == []
    assert after == [f"{user.id} {job.id}"] * commits


def test_a_request_tells_of_what_it_changed(client: TestClient, user: User, sign_in: SignInAs) -> None:
    headers = sign_in()
    with listening(watching=True) as listener:
        (job,) = new_job(user.id)
        heard(listener)
        client.post(f"{API}/jobs/{job.id}/cancel", headers=headers)

        assert heard(listener) == [f"{user.id} {job.id}"]


def test_the_claim_of_a_job_is_told_while_it_runs(user: User, run_job: RunJob, then: Any) -> None:
    with listening(watching=True) as listener:
        (job,) = new_job(user.id)
        heard(listener)
        told: list[str] = []
        then(lambda _: told.extend(heard(listener)))
        with new_session() as session:
            run_job(session.get_one(Job, job.id))
        told_after = heard(listener)

    assert told == told_after == [f"{user.id} {job.id}"]


def test_a_command_tells_of_what_it_changed_before_it_ends(user: User) -> None:
    cancel = ["-c", "from app.cli import cli; cli()", "jobs", "cancel"]
    with listening(watching=True) as listener:
        (job,) = new_job(user.id)
        heard(listener)
        subprocess.run([sys.executable, *cancel, str(job.id)], check=True, capture_output=True)

        assert heard(listener) == [f"{user.id} {job.id}"]
