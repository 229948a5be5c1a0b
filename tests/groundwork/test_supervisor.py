"""A real worker that is stopped, or whose processes die, in the middle of a job."""

from importlib import import_module
from time import monotonic
from uuid import uuid4

import pytest
from billiard.exceptions import TimeLimitExceeded, WorkerLostError
from celery.signals import task_failure
from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session
from work import add_users

from app.accounts.models import User
from groundwork.jobs.enqueueing import enqueue
from groundwork.jobs.models import Job, Status
from groundwork.jobs.transitions import CANCEL
from groundwork.jobs.worker import place
from groundwork.testing import Worker, until


def started(session: Session, count: int) -> Job:
    """A job in the middle of its work."""
    job = enqueue(session, add_users, count=count, seconds=0.2)
    session.commit()
    until(lambda: refreshed(session, job).progress)
    return job


def refreshed(session: Session, job: Job) -> Job:
    session.rollback()
    session.refresh(job)
    return job


def test_a_stopped_worker_gives_its_long_job_back_at_once(session: Session, worker_to_stop: Worker) -> None:
    job = started(session, count=300)

    stopped = monotonic()
    worker_to_stop.stop()
    seconds = monotonic() - stopped

    assert refreshed(session, job).status == Status.QUEUED
    assert job.attempts == 0
    assert job.history[0]["error"] == "the worker was stopped"
    # It had one second to finish.
    assert 1 <= seconds < 15
    session.execute(CANCEL, {"job_id": job.id})
    session.commit()


def test_a_job_whose_process_is_killed_starts_again_soon_and_has_one_effect(session: Session, worker: Worker) -> None:
    job = started(session, count=50)

    worker.kill()
    worker.start()
    until(lambda: refreshed(session, job).status == Status.SUCCEEDED)

    assert job.attempts == 2
    assert [attempt["error"] for attempt in job.history] == ["the worker died"]
    assert session.scalar(select(func.count()).select_from(User)) == 50


def test_what_waited_behind_it_in_its_message_is_sent_again_at_once(session: Session) -> None:
    running, waiting = (enqueue(session, add_users, count=1) for _ in range(2))
    session.commit()
    later = text("now() + interval '1 hour'")
    session.execute(update(Job).values(due_at=later))
    message_id = str(uuid4())
    mine = {"status": Status.RUNNING, "token": uuid4(), "worker": place(message_id), "started_at": func.now()}
    session.execute(update(Job).where(Job.id == running.id).values(mine))
    session.commit()

    import_module("groundwork.jobs.supervisor")
    lost = WorkerLostError("killed")
    task_failure.send(sender=add_users, task_id=message_id, args=[str(running.id), str(waiting.id)], exception=lost)

    session.expire_all()
    assert (running.crashes, waiting.crashes, waiting.attempts) == (1, 0, 0)
    assert session.scalar(select(func.count()).where(Job.due_at <= func.now(), Job.status == Status.QUEUED)) == 2


@pytest.mark.parametrize(
    ("death", "status", "error"),
    [
        (WorkerLostError("killed"), Status.QUEUED, None),
        (TimeLimitExceeded(1860), Status.FAILED, "It took longer than 1860 s, its hard limit."),
    ],
    ids=["killed", "hard time limit"],
)
def test_the_main_process_writes_down_how_a_process_ended(
    session: Session, death: Exception, status: Status, error: str | None
) -> None:
    ours, elsewhere = (enqueue(session, add_users, count=1) for _ in range(2))
    session.commit()
    session.execute(update(Job).values(status=Status.RUNNING, token=uuid4(), worker="another", started_at=func.now()))
    session.execute(update(Job).where(Job.id == ours.id).values(worker=place(str(ours.id))))
    session.commit()

    # As a worker does: now it listens to Celery's signals.
    import_module("groundwork.jobs.supervisor")
    for job in (ours, elsewhere):
        task_failure.send(sender=add_users, task_id=str(job.id), exception=death)

    session.expire_all()
    assert (ours.status, ours.error, ours.token) == (status, error, None)
    assert elsewhere.status == Status.RUNNING
