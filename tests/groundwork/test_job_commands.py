import json
import re
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session
from support import run

from app.accounts.tasks import send_welcome
from app.worker import celery
from groundwork.jobs.enqueueing import enqueue
from groundwork.jobs.models import Job, Status
from groundwork.jobs.outdated import housekeeping
from groundwork.settings import get_settings
from groundwork.testing import RunJob, Worker, until


@pytest.fixture
def jobs(session: Session) -> list[Job]:
    """One that waits, one that failed, one that runs."""
    made = [enqueue(session, send_welcome, user_id=uuid4()) for _ in range(2)] + [enqueue(session, housekeeping)]
    session.commit()
    waiting, failed, running = made
    failed_so = {"status": Status.FAILED, "due_at": None, "error": "No such user.", "finished_at": text("now()")}
    session.execute(update(Job).where(Job.id == failed.id).values(failed_so))
    session.execute(update(Job).where(Job.id == running.id).values(status=Status.RUNNING, token=uuid4()))
    session.commit()
    return [waiting, failed, running]


def test_jobs_are_listed_newest_first_and_filtered(jobs: list[Job]) -> None:
    waiting, failed, running = jobs

    every, by_status, by_task = (
        run("jobs", "list", *words)[1].splitlines() for words in ((), ("--status", "failed"), ("--task", "keeping"))
    )

    assert [line.split()[0] for line in every] == [str(running.id), str(failed.id), str(waiting.id)]
    assert len(by_status) == 1
    assert by_status[0].startswith(str(failed.id))
    assert by_status[0].endswith("No such user.")
    assert [line.split()[0] for line in by_task] == [str(running.id)]


def test_one_job_is_shown_whole(jobs: list[Job]) -> None:
    shown = json.loads(run("jobs", "show", str(jobs[0].id))[1])

    assert shown["status"] == "queued"
    assert shown["arguments"] == jobs[0].arguments


def test_a_failed_job_runs_again_and_no_other(jobs: list[Job], session: Session) -> None:
    waiting, failed, _ = jobs

    assert run("jobs", "retry", str(failed.id)) == (0, f"{failed.id} is queued.\n")
    assert run("jobs", "retry", str(waiting.id)) == (
        1,
        f"{waiting.id} is queued; only a job that failed, was cancelled or waits for its time can be run.\n",
    )
    session.refresh(failed)
    assert (failed.status, failed.attempts, failed.error) == (Status.QUEUED, 0, None)


def test_a_job_that_waits_for_its_next_attempt_is_listed_with_its_time_and_runs_now(
    session: Session, run_job: RunJob
) -> None:
    job = enqueue(session, send_welcome, user_id=uuid4(), run_at=datetime.now(UTC) + timedelta(days=1))
    session.commit()
    session.execute(update(Job).where(Job.id == job.id).values(attempts=2))
    session.commit()

    listed = run("jobs", "list")[1]
    told = run("jobs", "retry", str(job.id))
    run_job(job)

    assert "  not before 2" in listed
    assert told == (0, f"{job.id} is queued.\n")
    assert job.attempts == 3
    assert "not before" not in run("jobs", "list")[1]


def test_a_waiting_job_is_cancelled_and_a_running_one_asked(jobs: list[Job], session: Session) -> None:
    waiting, failed, running = jobs

    assert run("jobs", "cancel", str(waiting.id)) == (0, f"{waiting.id} is cancelled.\n")
    assert run("jobs", "cancel", str(running.id)) == (0, f"{running.id} is asked to stop.\n")
    assert run("jobs", "cancel", str(failed.id)) == (1, f"{failed.id} is failed already; nothing was done.\n")
    session.expire_all()
    assert waiting.status == Status.CANCELLED
    assert (running.status, running.cancel_requested_at is None) == (Status.RUNNING, False)


@pytest.mark.parametrize("command", ["show", "retry", "cancel"])
def test_an_unknown_job_is_said(command: str) -> None:
    unknown = uuid4()

    assert run("jobs", command, str(unknown)) == (
        1,
        f"{unknown}: there is no such job; `app jobs list` shows the newest.\n",
    )


def test_jobs_that_have_ended_are_purged(jobs: list[Job], session: Session) -> None:
    assert run("jobs", "purge", "--days", "1") == (0, "0 jobs deleted.\n")
    assert run("jobs", "purge", "--days", "0") == (0, "1 jobs deleted.\n")
    assert len(session.scalars(select(Job.id)).all()) == 2


def test_jobs_that_do_not_move_are_an_exit_code(session: Session, relay_looked: None) -> None:
    moving = [run("health", part) for part in ("jobs", "relay")]
    session.execute(text("UPDATE ticks SET at = now() - interval '2 minutes'"))
    session.commit()

    assert moving == [(0, "")] * 2
    for part in ("jobs", "relay"):
        code, output = run("health", part)
        assert code == 1
        assert re.fullmatch(r"No relay has looked for 12\d s; is `app relay` running\?\n", output)


def test_a_worker_that_is_not_there_is_an_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = celery.control.inspect(["nobody@nowhere"], timeout=0.2, limit=1)
    monkeypatch.setattr(celery.control, "inspect", lambda *_, **__: nobody)
    code, output = run("health", "worker", "--name", "nobody@nowhere")

    assert code == 1
    # A worker that feeds itself takes no questions: its relay, which has never run, answers for it.
    memory = get_settings().in_memory_broker
    assert ("No relay has run yet" if memory else "The worker nobody@nowhere does not answer.") in output


def test_a_worker_that_works_answers(worker: Worker) -> None:
    until(lambda: " ready." in worker.log.read_text(), seconds=60)

    until(lambda: run("health", "worker", "--name", worker.name)[0] == 0)
