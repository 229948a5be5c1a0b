from threading import Thread
from time import sleep
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session
from work import Then, add_user, users, write

from app.accounts.models import User
from app.worker import celery
from groundwork.data.connections import engine
from groundwork.jobs.enqueueing import enqueue
from groundwork.jobs.models import CHANGES, Job, Status
from groundwork.jobs.running_job import RunningJob
from groundwork.jobs.task import JobTask
from groundwork.settings import get_settings
from groundwork.testing import RunJob

IGNORED: Any = "IGNORED"


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
    session.add(User(email="ada@example.org"))
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


def test_two_workers_that_get_one_message_do_the_work_once(session: Session, run_job: RunJob, then: Then) -> None:
    then(lambda _: sleep(0.2))
    job = enqueue(session, add_user, email="ada@example.org")
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


def test_a_worker_that_lost_its_lease_keeps_nothing(session: Session, run_job: RunJob, then: Then) -> None:
    then(lambda job: write(update(Job).where(Job.id == job.id).values(token=uuid4())))
    job = enqueue(session, add_user, email="ada@example.org")
    session.commit()

    assert run_job(job).state == IGNORED

    assert users(session) == 0
    assert job.status == Status.RUNNING


def test_a_job_waits_for_its_retry_even_if_a_message_comes_early(session: Session, run_job: RunJob) -> None:
    job = enqueue(session, add_user, email="ada@example.org")
    session.commit()
    session.execute(update(Job).values(run_at=text("now() + interval '1 hour'")))
    session.commit()

    assert run_job(job).state == IGNORED

    assert job.status == Status.QUEUED


def test_progress_is_written_four_times_a_second_at_most_and_heard_at_once(
    session: Session, user: User, run_job: RunJob, then: Then
) -> None:
    def steps(job: RunningJob) -> None:
        for done in range(1, 101):
            job.progress(done, 100, "st\0ep \ud800")

    then(steps)
    job = enqueue(session, add_user, owner=user.id, email="grace@example.org")
    session.commit()
    with psycopg.connect(get_settings().database_url, autocommit=True) as listener:
        listener.execute(f"SELECT pg_advisory_lock_shared(hashtext('{CHANGES}'))")
        listener.execute(f"LISTEN {CHANGES}")
        run_job(job)
        heard = [notice.payload for notice in listener.notifies(timeout=2, stop_after=4)]

    # It begins, it goes on, it is done, it has succeeded; what happens at once is told once.
    assert 1 <= len(heard) <= 4
    assert set(heard) == {f"{user.id} {job.id}"}
    assert job.progress == {"done": 100, "total": 100, "note": "step ?"}


def test_the_lease_of_a_long_job_is_extended_while_it_runs(session: Session, run_job: RunJob, then: Then) -> None:
    then(lambda _: sleep(3))
    job = enqueue(session, add_user, email="ada@example.org")
    session.commit()
    leases = []

    def watch() -> None:
        with engine().connect() as connection:
            for _ in range(12):
                sleep(0.25)
                leases.append(connection.scalar(select(Job.due_at).where(Job.status == Status.RUNNING)))
                connection.rollback()

    watcher = Thread(target=watch)
    watcher.start()
    run_job(job)
    watcher.join()

    assert job.status == Status.SUCCEEDED
    assert len({lease for lease in leases if lease}) > 1


def test_a_time_limit_of_many_jobs_is_refused() -> None:
    with pytest.raises(TypeError, match="has a batch_size and a time limit"):
        celery.task(base=JobTask, name="limited", batch_size=3, time_limit=60, lazy=False)(add_user.run)
