"""Many short jobs in one message: they share what it costs, and nothing else."""

from importlib import import_module
from time import sleep
from uuid import uuid4

import pytest
from billiard.exceptions import TimeLimitExceeded
from celery.signals import task_failure
from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session
from work import Then, add_user_in_company, users, write

from app.accounts.models import User
from app.worker import celery
from groundwork.jobs import batch
from groundwork.jobs.enqueueing import enqueue
from groundwork.jobs.models import Job, Status
from groundwork.jobs.publishing import publish_due
from groundwork.jobs.running_job import RunningJob
from groundwork.jobs.worker import place
from groundwork.settings import get_settings
from groundwork.testing import Published, RunJob


def company(session: Session) -> list[Job]:
    jobs = [enqueue(session, add_user_in_company, email=f"{name}@example.org") for name in ("ada", "grace", "mary")]
    session.commit()
    return jobs


def test_they_are_committed_together(session: Session, run_job: RunJob, monkeypatch: pytest.MonkeyPatch) -> None:
    # On a busy machine the first one alone may take as long as they may wait for each other.
    monkeypatch.setattr(batch, "SHARED_SECONDS", 60)
    jobs = company(session)

    run_job(*jobs)

    assert [job.status for job in jobs] == [Status.SUCCEEDED] * 3
    # The transaction that wrote the row as it is.
    assert len(set(session.scalars(text("SELECT xmin::text FROM jobs")))) == 1


def test_a_job_that_fails_takes_nothing_from_those_behind_it_in_its_message(session: Session, run_job: RunJob) -> None:
    names = ["ada", "ada", "grace"]
    jobs = [enqueue(session, add_user_in_company, email=f"{name}@example.org") for name in names]
    session.commit()

    run_job(*jobs)
    # And once more, as messages do.
    run_job(*jobs)

    assert [job.status for job in jobs] == [Status.SUCCEEDED, Status.FAILED, Status.SUCCEEDED]
    assert [job.attempts for job in jobs] == [1, 1, 1]
    assert users(session) == 2


def test_a_worker_that_lost_a_job_leaves_the_rest_of_its_message_to_others(
    session: Session, run_job: RunJob, then: Then
) -> None:
    jobs = company(session)
    lost = update(Job).where(Job.id == jobs[0].id).values(token=uuid4())
    then(lambda job: write(lost) if job.id == jobs[0].id else None)

    run_job(*jobs)

    assert [job.attempts for job in jobs] == [1, 0, 0]
    assert users(session) == 0


def test_what_a_message_has_no_time_for_is_sent_again_at_once(
    session: Session, run_job: RunJob, then: Then, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(get_settings(), "job_patience_seconds", 1)
    then(lambda _: sleep(1.2))
    jobs = company(session)
    write(update(Job).values(due_at=text("now() + interval '1 hour'")))

    run_job(*jobs)

    assert [job.status for job in jobs] == [Status.SUCCEEDED, Status.QUEUED, Status.QUEUED]
    due = select(Job.id).where(Job.due_at <= func.now()).order_by(Job.id)
    assert session.scalars(due).all() == [job.id for job in jobs[1:]]


@pytest.mark.parametrize("together", [True, False])
def test_the_end_of_a_connection_takes_an_attempt_from_nobody(
    session: Session, run_job: RunJob, then: Then, together: bool
) -> None:
    """Each has one. Those that were done before in the same transaction are run once more, and those behind it."""
    jobs = company(session)

    def cut(job: RunningJob) -> None:
        if job.id == jobs[1].id:
            job.session.execute(select(func.pg_terminate_backend(func.pg_backend_pid())))

    then(cut)
    for message in [jobs] if together else [[job] for job in jobs]:
        run_job(*message)

    assert [job.status for job in jobs] == [Status.SUCCEEDED, Status.QUEUED, Status.SUCCEEDED]
    assert [job.crashes for job in jobs] == [0, 1, 0]
    assert users(session) == 2


def test_what_only_the_commit_finds_wrong_fails_by_itself(session: Session, run_job: RunJob, then: Then) -> None:
    session.execute(text("ALTER TABLE users ADD CONSTRAINT late UNIQUE (admin) DEFERRABLE INITIALLY DEFERRED"))
    jobs = company(session)
    try:
        run_job(*jobs)
        assert [job.status for job in jobs] == [Status.SUCCEEDED, Status.FAILED, Status.FAILED]
        assert session.scalars(select(User.email)).all() == ["ada@example.org"]
    finally:
        session.execute(text("ALTER TABLE users DROP CONSTRAINT late"))
        session.commit()


def test_one_whose_worker_died_travels_alone(session: Session, published: Published) -> None:
    """So that only the one which is the cause is taken for it."""
    jobs = company(session)
    write(update(Job).where(Job.id == jobs[1].id).values(crashes=1))

    publish_due(celery)

    assert sorted(len(message.split()) for message in published()) == [1, 2]


def test_a_hard_limit_does_not_tell_which_one_of_them_took_too_long(session: Session) -> None:
    jobs, message_id = company(session), str(uuid4())
    running = {"status": Status.RUNNING, "token": uuid4(), "worker": place(message_id), "started_at": func.now()}
    write(update(Job).values(running))

    ids = [str(job.id) for job in jobs]
    # As a worker does: now it listens to Celery's signals.
    import_module("groundwork.jobs.supervisor")
    task_failure.send(sender=add_user_in_company, task_id=message_id, args=ids, exception=TimeLimitExceeded(1860))

    session.expire_all()
    assert [(job.status, job.crashes) for job in jobs] == [(Status.QUEUED, 1)] * 3
