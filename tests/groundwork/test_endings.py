"""How an attempt ends that does not succeed."""

from collections.abc import Callable
from datetime import datetime

import pytest
import work
from celery.exceptions import SoftTimeLimitExceeded
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session
from support import cut_connections, run
from work import Then, add_user, users

from groundwork.jobs.enqueueing import enqueue
from groundwork.jobs.models import Job, Status
from groundwork.jobs.running_job import RunningJob
from groundwork.mail.failures import PermanentFailure
from groundwork.testing import RunJob


@pytest.fixture
def then(monkeypatch: pytest.MonkeyPatch) -> Then:
    return lambda what: monkeypatch.setattr(work, "then", what)


class Throttled(Exception):
    retry_after = 7


def fails(error: Exception) -> Callable[[RunningJob], object]:
    def fail(_: RunningJob) -> None:
        raise error

    return fail


def test_an_error_undoes_the_effect_and_puts_the_job_off(session: Session, run_job: RunJob, then: Then) -> None:
    then(fails(RuntimeError("disk full")))
    job = enqueue(session, add_user, email="ada@example.org")
    session.commit()

    assert run_job(job).state == "RETRY"

    assert users(session) == 0
    assert job.status == Status.QUEUED
    assert job.run_at > job.created_at
    # Its words are for the log: a client must not read what nobody meant to show.
    assert job.error == "RuntimeError in attempt 1; the log has the details."


def cut(job: RunningJob) -> None:
    cut_connections()
    job.session.scalar(select(1))


@pytest.mark.usefixtures("loss_noticed")
@pytest.mark.parametrize(
    ("what", "longest"),
    [(cut, 2), (fails(Throttled()), 7), (fails(RuntimeError("disk full")), 30)],
    ids=["the connection was cut", "the provider asked for it", "anything else"],
)
def test_how_long_a_retry_waits_depends_on_what_went_wrong(
    session: Session,
    run_job: RunJob,
    then: Then,
    monkeypatch: pytest.MonkeyPatch,
    what: Callable[[RunningJob], object],
    longest: int,
) -> None:
    then(what)
    monkeypatch.setattr("groundwork.jobs.endings.random.uniform", lambda _, most: most)
    job = enqueue(session, add_user, email="ada@example.org")
    session.commit()

    run_job(job)

    ended = datetime.fromisoformat(job.history[0]["ended_at"])
    assert longest - 1 < (job.run_at - ended).total_seconds() <= longest


def test_the_last_attempt_fails_the_job(session: Session, run_job: RunJob, then: Then) -> None:
    then(fails(RuntimeError("disk full")))
    job = enqueue(session, add_user, email="ada@example.org")
    session.commit()

    for _ in range(add_user.max_attempts):
        session.execute(update(Job).values(run_at=func.now()))
        session.commit()
        run_job(job)

    assert job.status == Status.FAILED
    assert job.attempts == 3
    assert job.finished_at is not None


def test_an_expected_refusal_fails_the_job_at_once_in_its_own_words(
    session: Session, run_job: RunJob, then: Then
) -> None:
    then(fails(PermanentFailure("The provider said no.")))
    job = enqueue(session, add_user, email="ada@example.org")
    session.commit()

    run_job(job)

    assert job.status == Status.FAILED
    assert job.error == "The provider said no."
    assert users(session) == 0


def test_attempts_that_died_with_their_worker_are_not_counted_as_errors(
    session: Session, run_job: RunJob, then: Then
) -> None:
    then(fails(RuntimeError("disk full")))
    job = enqueue(session, add_user, email="ada@example.org")
    session.commit()
    session.execute(update(Job).values(attempts=4, crashes=4))
    session.commit()

    assert run_job(job).state == "RETRY"


def test_a_job_that_kills_its_workers_stops_with_a_clear_error(session: Session, run_job: RunJob) -> None:
    job = enqueue(session, add_user, email="ada@example.org")
    session.commit()
    session.execute(update(Job).values(crashes=add_user.max_crashes))
    session.commit()

    run_job(job)

    assert job.status == Status.FAILED
    assert job.error == "Its worker or its database connection died 5 times; the logs may tell why."
    assert users(session) == 0


def test_every_attempt_that_fails_leaves_its_times_and_its_reason(
    session: Session, run_job: RunJob, then: Then
) -> None:
    then(fails(RuntimeError("disk full")))
    job = enqueue(session, add_user, email="ada@example.org")
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
        ("a\0b", "Its result is not JSON"),
        ("\ud800", "Its result is not JSON"),
    ],
    ids=["too large", "not JSON", "not a number", "NUL", "half a character"],
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


def test_a_result_may_be_about_a_character_that_it_cannot_have(
    session: Session, run_job: RunJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(add_user, "run", lambda job, **_: "\\u0000")
    job = enqueue(session, add_user, email="ada@example.org")
    session.commit()

    run_job(job)

    assert (job.status, job.result) == (Status.SUCCEEDED, "\\u0000")


def test_the_soft_time_limit_fails_the_job_in_words(session: Session, run_job: RunJob, then: Then) -> None:
    then(fails(SoftTimeLimitExceeded()))
    job = enqueue(session, add_user, email="ada@example.org")
    session.commit()

    run_job(job)

    assert job.status == Status.FAILED
    assert job.error == "It took longer than 1800 s, its limit."
    assert users(session) == 0


@pytest.mark.usefixtures("relay_looked")
def test_a_job_whose_arguments_no_longer_fit_waits_for_a_worker_that_has_the_right_version(
    session: Session, run_job: RunJob
) -> None:
    job = enqueue(session, add_user, email="ada@example.org")
    job.arguments = {"address": "ada@example.org"}
    session.commit()

    waited = [run_job(job).state for _ in range(3)]
    doctor = run("doctor")[1]
    session.execute(update(Job).values(arguments={"email": "ada@example.org"}, run_at=func.now()))
    session.commit()
    run_job(job)

    assert waited == ["RETRY", "IGNORED", "IGNORED"]
    assert f"{job.id} of work.add_user, email: Field required" in doctor
    assert (job.status, job.attempts) == (Status.SUCCEEDED, 1)


def test_a_long_history_keeps_the_first_attempt_and_the_newest(session: Session, run_job: RunJob, then: Then) -> None:
    job = enqueue(session, add_user, email="ada@example.org")
    job.history = [{"started_at": None, "ended_at": None, "error": str(number)} for number in range(50)]
    session.commit()
    then(fails(RuntimeError("disk full")))

    run_job(job)

    told = [attempt["error"] for attempt in job.history]
    assert (len(told), told[:2], told[-2]) == (50, ["0", "2"], "49")


def test_an_error_of_many_words_is_cut(session: Session, run_job: RunJob, then: Then) -> None:
    then(fails(PermanentFailure("no " * 10_000)))
    job = enqueue(session, add_user, email="ada@example.org")
    session.commit()

    run_job(job)

    assert len(job.error or "") == 2000
