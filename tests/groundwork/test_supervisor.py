"""A real worker that is stopped, or whose processes die, in the middle of a job."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from time import monotonic
from uuid import uuid4

import pytest
from billiard.exceptions import TimeLimitExceeded, WorkerLostError
from celery.signals import task_failure
from celery.worker import state
from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session
from work import add_user_in_company, add_users, hold_the_interpreter, users

from app.accounts.models import User
from groundwork.jobs.enqueueing import enqueue
from groundwork.jobs.models import Job, Status
from groundwork.jobs.transitions import CANCEL
from groundwork.jobs.worker import place
from groundwork.testing import Worker, until
from groundwork.testing.processes import working


@dataclass(eq=False)
class Message:
    """What Celery's main process knows of a message that a child works on."""

    id: str
    args: Sequence[str]
    task: object


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


def test_a_task_that_keeps_its_process_from_everything_else_keeps_its_lease(session: Session, tmp_path: Path) -> None:
    job = enqueue(session, hold_the_interpreter, seconds=6)
    session.commit()

    with working(tmp_path / "log", ["work"]) as worker:
        worker.lease_seconds = 2
        worker.start()
        until(lambda: refreshed(session, job).status == Status.SUCCEEDED)
        print(worker.log.read_text())

    assert (job.attempts, job.crashes) == (1, 0)
    assert users(session) == 1


def test_the_main_process_answers_for_messages_that_its_children_work_on_and_for_no_others(session: Session) -> None:
    alone, ended, *company = [enqueue(session, add_users, count=1) for _ in range(4)]
    session.commit()
    over, message_id = text("now() - interval '1 second'"), str(uuid4())
    for job, message in ((alone, alone.id), (ended, ended.id), *((each, message_id) for each in company)):
        mine = {"status": Status.RUNNING, "token": uuid4(), "worker": place(str(message)), "started_at": func.now()}
        session.execute(update(Job).where(Job.id == job.id).values(mine | {"due_at": over}))
    # By now another worker has it.
    session.execute(update(Job).where(Job.id == company[1].id).values(worker="another"))
    session.commit()
    requests = [
        Message(str(alone.id), (), add_users),
        Message(message_id, [str(job.id) for job in company], add_user_in_company),
    ]
    for request in requests:
        state.active_requests.add(request)

    import_module("groundwork.jobs.supervisor").extend_leases()

    session.expire_all()
    now = session.scalars(select(func.now())).one()
    extended = [job for job in (alone, ended, *company) if job.due_at and job.due_at > now]
    assert extended == [alone, company[0]]
