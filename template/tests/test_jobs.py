from uuid import uuid4

import pytest
from conftest import PASSWORD, SetVariable, SignIn
from fastapi.testclient import TestClient
from pydantic import ValidationError
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.jobs.enqueue import enqueue
from app.jobs.models import Job, Status
from app.users.models import User
from app.users.tasks import send_welcome
from app.worker import celery


def test_a_job_vanishes_with_the_transaction_that_asked_for_it(session: Session) -> None:
    enqueue(session, send_welcome, user_id=uuid4())
    session.flush()

    session.rollback()

    assert session.scalar(select(func.count()).select_from(Job)) == 0


def test_wrong_arguments_are_an_error_of_the_caller(session: Session) -> None:
    with pytest.raises(ValidationError, match="user_id"):
        enqueue(session, send_welcome, user_id="not an id")
    with pytest.raises(ValidationError, match="Extra inputs"):
        enqueue(session, send_welcome, user_id=uuid4(), user_name="Ada")


def test_a_job_task_cannot_be_started_without_its_row() -> None:
    with pytest.raises(TypeError, match="use enqueue"):
        send_welcome.delay(user_id=uuid4())


def test_a_plain_task_without_a_broker_says_so_instead_of_vanishing(set_variable: SetVariable) -> None:
    set_variable("BROKER_URL", "memory://localhost")

    @celery.task(name="plain")
    def plain() -> None:
        """Would be lost: nobody else sees this process's memory."""

    with pytest.raises(RuntimeError, match="needs a broker"):
        plain.delay()
    celery.tasks.pop("plain")


def test_people_see_their_own_jobs_only(client: TestClient, user: User, sign_in: SignIn, session: Session) -> None:
    own = enqueue(session, send_welcome, owner=user.id, user_id=user.id)
    nobodys = enqueue(session, send_welcome, user_id=user.id)
    session.commit()
    client.post("/users", json={"email": "eve@example.org", "password": PASSWORD})

    assert [job["id"] for job in client.get("/jobs", headers=sign_in()).json()] == [str(own.id)]
    assert client.get(f"/jobs/{own.id}", headers=sign_in()).json()["status"] == Status.QUEUED
    assert client.get(f"/jobs/{nobodys.id}", headers=sign_in()).status_code == 404
    assert client.get(f"/jobs/{own.id}", headers=sign_in("eve@example.org")).status_code == 404
    assert client.get("/jobs").status_code == 401


def test_jobs_come_newest_first_in_pages(client: TestClient, user: User, sign_in: SignIn, session: Session) -> None:
    jobs = [enqueue(session, send_welcome, owner=user.id, user_id=user.id) for _ in range(5)]
    session.commit()
    newest_first = sorted((str(job.id) for job in jobs), reverse=True)

    first = client.get("/jobs", params={"limit": 3}, headers=sign_in()).json()
    rest = client.get("/jobs", params={"limit": 3, "before": first[-1]["id"]}, headers=sign_in()).json()

    assert [job["id"] for job in first + rest] == newest_first
