from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import work
from fastapi.testclient import TestClient
from people import PASSWORD, SignInAs, new_user
from sqlalchemy import func, update
from sqlalchemy.orm import Session
from work import Then, add_user, users, write

from app.accounts.models import User
from app.settings import API
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


@pytest.mark.parametrize("by", ["an administrator", "themselves"])
def test_the_jobs_of_a_deactivated_person_are_cancelled(
    client: TestClient, session: Session, user: User, admin: dict[str, str], sign_in: SignInAs, by: str
) -> None:
    eve = new_user(session, "eve@example.org")
    waiting, running, done = (enqueue(session, add_user, owner=user.id, email="x") for _ in range(3))
    hers = enqueue(session, add_user, owner=eve.id, email="x")
    session.flush()
    running.status, running.token = Status.RUNNING, uuid4()
    done.status, done.due_at = Status.SUCCEEDED, None
    session.commit()

    if by == "themselves":
        client.post(f"{API}/users/me/deletion", json={"current_password": PASSWORD}, headers=sign_in())
    else:
        client.post(f"{API}/users/{user.id}/deactivate", headers=admin)

    session.expire_all()
    assert [job.status for job in (waiting, running, done, hers)] == ["cancelled", "running", "succeeded", "queued"]
    assert [job.cancel_requested_at is None for job in (waiting, running, done, hers)] == [False, False, True, True]


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
