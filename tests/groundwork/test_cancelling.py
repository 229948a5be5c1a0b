from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import work
from sqlalchemy import func, update
from sqlalchemy.orm import Session
from work import Then, add_user, users, write

from groundwork.jobs.enqueueing import enqueue
from groundwork.jobs.models import Job, Status
from groundwork.jobs.running_job import RunningJob
from groundwork.jobs.transitions import CANCEL, GIVE_BACK, RETRY, WORKER_LOST
from groundwork.testing import RunJob

IGNORED: Any = "IGNORED"


@pytest.fixture
def then(monkeypatch: pytest.MonkeyPatch) -> Then:
    return lambda what: monkeypatch.setattr(work, "then", what)


@pytest.mark.parametrize("back", [GIVE_BACK, WORKER_LOST, RETRY], ids=["stopped", "died", "retry"])
def test_a_job_that_was_cancelled_does_not_go_back_to_the_queue(session: Session, back: Any) -> None:
    job = enqueue(session, add_user, email="ada@example.org")
    session.commit()
    token = uuid4()
    session.execute(update(Job).values(status=Status.RUNNING, token=token, worker="w", started_at=func.now()))
    session.execute(CANCEL, {"job_id": job.id})
    session.commit()

    write(back, {"job_id": job.id, "my_token": token, "me": "w", "reason": "x", "delay": timedelta(seconds=9)})

    session.refresh(job)
    assert (job.status, job.due_at, job.finished_at is None) == (Status.CANCELLED, None, False)


@pytest.mark.parametrize(
    "ask", [RunningJob.check_cancelled, lambda job: job.progress(1, 2)], ids=["check_cancelled", "progress"]
)
def test_a_cancelled_job_stops_where_it_asks_and_keeps_nothing(
    session: Session, run_job: RunJob, then: Then, ask: Callable[[RunningJob], None]
) -> None:
    def cancelled(job: RunningJob) -> None:
        write(CANCEL, {"job_id": job.id})
        ask(job)

    then(cancelled)
    job = enqueue(session, add_user, email="ada@example.org")
    session.commit()

    assert run_job(job).state == IGNORED

    assert job.status == Status.CANCELLED
    assert job.finished_at is not None
    assert users(session) == 0
