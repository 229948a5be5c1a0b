from collections.abc import Iterator
from threading import Thread
from time import sleep
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from celery.exceptions import SoftTimeLimitExceeded
from conftest import RunJob
from processes import cut_connections
from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from app.db import engine
from app.jobs.enqueue import enqueue
from app.jobs.models import PROGRESS_CHANNEL, Job, Status
from app.jobs.runner import JobTask, RunningJob
from app.jobs.transitions import CANCEL
from app.mail.failures import PermanentFailure
from app.settings import get_settings
from app.users.models import User
from app.worker import celery

IGNORED: Any = "IGNORED"


class Throttled(Exception):
    retry_after = 7


@celery.task(base=JobTask, max_attempts=3, dont_autoretry_for=(PermanentFailure,))
def add_user(job: RunningJob, email: str, error: str = "", seconds: float = 0, flush: bool = True) -> Any:
    """Has an effect, and then whatever goes wrong."""
    user = User(email=email, password_hash="")
    job.session.add(user)
    if flush:
        job.session.flush()
    sleep(seconds)
    if error == "lease":
        with engine().begin() as connection:
            connection.execute(update(Job).where(Job.id == job.id).values(token=uuid4()))
    elif error in ("check_cancelled", "progress"):
        with engine().begin() as connection:
            connection.execute(CANCEL, {"job_id": job.id})
        getattr(job, error)(*((1, 2) if error == "progress" else ()))
    elif error == "steps":
        for done in range(1, 101):
            job.progress(done, 100, "step")
    elif error == "connection":
        cut_connections()
        job.session.flush()
        job.session.scalar(select(1))
    elif error == "retry after":
        raise Throttled
    elif error == "time":
        raise SoftTimeLimitExceeded
    elif error == "permanent":
        raise PermanentFailure("The provider said no.")
    elif error:
        raise RuntimeError(error)
    return {"user_id": str(user.id)}


@pytest.fixture(autouse=True, scope="module")
def _forget_this_task() -> Iterator[None]:
    yield
    celery.tasks.pop(add_user.name)


def users(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(User)) or 0


def test_effect_and_result_are_committed_together(session: Session, run_job: RunJob) -> None:
    job = enqueue(session, add_user, email="ada@example.org")
    session.commit()

    run_job(job)

    assert job.status == Status.SUCCEEDED
    assert job.result is not None
    assert session.get(User, UUID(job.result["user_id"])) is not None
    assert job.attempts == 1
    assert job.due_at is None
    assert job.finished_at is not None


def test_what_is_not_committed_did_not_happen(session: Session, run_job: RunJob) -> None:
    session.add(User(email="ada@example.org", password_hash=""))
    job = enqueue(session, add_user, email="ada@example.org", flush=False)
    session.commit()

    # The effect breaks a constraint, and only the commit finds out.
    assert run_job(job).state == "RETRY"

    assert job.status == Status.QUEUED
    assert job.result is None
    assert job.finished_at is None


def test_a_message_delivered_three_times_has_one_effect(session: Session, run_job: RunJob) -> None:
    job = enqueue(session, add_user, email="ada@example.org")
    session.commit()

    states = [run_job(job).state for _ in range(3)]

    assert states == ["SUCCESS", IGNORED, IGNORED]
    assert job.attempts == 1


def test_two_workers_that_get_one_message_do_the_work_once(session: Session, run_job: RunJob) -> None:
    job = enqueue(session, add_user, email="ada@example.org", seconds=0.2)
    session.commit()
    threads = [Thread(target=lambda: celery.tasks[job.task].apply(task_id=str(job.id))) for _ in range(4)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    session.refresh(job)
    assert job.status == Status.SUCCEEDED
    assert job.attempts == 1
    assert users(session) == 1


def test_an_error_undoes_the_effect_and_puts_the_job_off(session: Session, run_job: RunJob) -> None:
    job = enqueue(session, add_user, email="ada@example.org", error="disk full")
    session.commit()

    assert run_job(job).state == "RETRY"

    assert users(session) == 0
    assert job.status == Status.QUEUED
    assert job.run_at > job.created_at
    # Its words are for the log: a client must not read what nobody meant to show.
    assert job.error == "RuntimeError in attempt 1; the log has the details."


@pytest.mark.parametrize(("error", "longest"), [("connection", 2), ("retry after", 7), ("disk full", 30)])
def test_how_long_a_retry_waits_depends_on_what_went_wrong(
    session: Session, run_job: RunJob, monkeypatch: pytest.MonkeyPatch, error: str, longest: int
) -> None:
    monkeypatch.setattr("app.jobs.runner.random.uniform", lambda _, most: most)
    job = enqueue(session, add_user, email="ada@example.org", error=error)
    session.commit()
    session.rollback()

    run_job(job)

    wait = session.scalar(select(func.extract("epoch", Job.run_at - Job.started_at)))
    assert round(float(wait or 0)) == longest


def test_a_job_waits_for_its_retry_even_if_a_message_comes_early(session: Session, run_job: RunJob) -> None:
    job = enqueue(session, add_user, email="ada@example.org")
    session.commit()
    session.execute(update(Job).values(run_at=text("now() + interval '1 hour'")))
    session.commit()

    assert run_job(job).state == IGNORED

    assert job.status == Status.QUEUED


def test_the_last_attempt_fails_the_job(session: Session, run_job: RunJob) -> None:
    job = enqueue(session, add_user, email="ada@example.org", error="disk full")
    session.commit()

    for _ in range(add_user.max_attempts):
        session.execute(update(Job).values(run_at=func.now()))
        session.commit()
        run_job(job)

    assert job.status == Status.FAILED
    assert job.attempts == 3
    assert job.finished_at is not None


def test_an_expected_refusal_fails_the_job_at_once_in_its_own_words(session: Session, run_job: RunJob) -> None:
    job = enqueue(session, add_user, email="ada@example.org", error="permanent")
    session.commit()

    run_job(job)

    assert job.status == Status.FAILED
    assert job.error == "The provider said no."
    assert users(session) == 0


def test_a_worker_that_lost_its_lease_keeps_nothing(session: Session, run_job: RunJob) -> None:
    job = enqueue(session, add_user, email="ada@example.org", error="lease")
    session.commit()

    assert run_job(job).state == IGNORED

    assert users(session) == 0
    assert job.status == Status.RUNNING


def test_a_job_that_kills_its_workers_stops_with_a_clear_error(session: Session, run_job: RunJob) -> None:
    job = enqueue(session, add_user, email="ada@example.org")
    session.commit()
    session.execute(update(Job).values(crashes=add_user.max_crashes))
    session.commit()

    run_job(job)

    assert job.status == Status.FAILED
    assert job.error == "Its worker died 5 times while it ran; the workers' logs may tell why."
    assert users(session) == 0


def test_every_attempt_that_fails_leaves_its_times_and_its_reason(session: Session, run_job: RunJob) -> None:
    job = enqueue(session, add_user, email="ada@example.org", error="disk full")
    session.commit()
    for _ in range(2):
        session.execute(update(Job).values(run_at=func.now()))
        session.commit()
        run_job(job)

    assert [attempt["error"][:25] for attempt in job.history] == [
        "RuntimeError in attempt 1",
        "RuntimeError in attempt 2",
    ]
    assert all(attempt["started_at"] < attempt["ended_at"] for attempt in job.history)


@pytest.mark.parametrize(
    ("returned", "sentence"),
    [
        ("x" * 70_000, "Its result has 70002 bytes, and a job keeps 65536: store it, and return its id."),
        (object(), "Its result is not JSON"),
        (float("nan"), "Its result is not JSON"),
    ],
    ids=["too large", "not JSON", "not a number"],
)
def test_a_result_that_cannot_be_kept_fails_the_job_at_once(
    session: Session, run_job: RunJob, monkeypatch: pytest.MonkeyPatch, returned: object, sentence: str
) -> None:
    monkeypatch.setattr(add_user, "run", lambda job, **_: returned)
    job = enqueue(session, add_user, email="ada@example.org")
    session.commit()

    run_job(job)

    assert job.status == Status.FAILED
    assert (job.error or "").startswith(sentence)


def test_the_soft_time_limit_fails_the_job_in_words(session: Session, run_job: RunJob) -> None:
    job = enqueue(session, add_user, email="ada@example.org", error="time")
    session.commit()

    run_job(job)

    assert job.status == Status.FAILED
    assert job.error == "It took longer than 1800 s, its limit."
    assert users(session) == 0


@pytest.mark.parametrize("ask", ["check_cancelled", "progress"])
def test_a_cancelled_job_stops_where_it_asks_and_keeps_nothing(session: Session, run_job: RunJob, ask: str) -> None:
    job = enqueue(session, add_user, email="ada@example.org", error=ask)
    session.commit()

    assert run_job(job).state == IGNORED

    assert job.status == Status.CANCELLED
    assert job.finished_at is not None
    assert users(session) == 0


def test_progress_is_written_four_times_a_second_at_most_and_heard_at_once(session: Session, run_job: RunJob) -> None:
    job = enqueue(session, add_user, email="ada@example.org", error="steps")
    session.commit()
    with psycopg.connect(get_settings().database_url, autocommit=True) as listener:
        listener.execute(f"LISTEN {PROGRESS_CHANNEL}")
        run_job(job)
        heard = [notice.payload for notice in listener.notifies(timeout=0.2)]

    assert heard == [str(job.id)] * 2
    assert job.progress == {"done": 100, "total": 100, "note": "step"}


def test_the_lease_of_a_long_job_is_extended_while_it_runs(session: Session, run_job: RunJob) -> None:
    job = enqueue(session, add_user, email="ada@example.org", seconds=1.5)
    session.commit()
    leases = []

    def watch() -> None:
        with engine().connect() as connection:
            for _ in range(6):
                sleep(0.25)
                leases.append(connection.scalar(select(Job.due_at)))
                connection.rollback()

    watcher = Thread(target=watch)
    watcher.start()
    run_job(job)
    watcher.join()

    assert job.status == Status.SUCCEEDED
    assert len({lease for lease in leases if lease}) > 1
