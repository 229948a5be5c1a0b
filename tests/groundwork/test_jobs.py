from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient
from people import SignInAs, new_user
from sqlalchemy import Engine, ExceptionContext, delete, event, select, update
from sqlalchemy.orm import Session
from work import write

from app.accounts.models import User
from app.accounts.tasks import send_welcome
from app.settings import API
from groundwork.audit.models import AuditEvent, Kind
from groundwork.jobs.enqueueing import enqueue
from groundwork.jobs.models import Job, Status
from groundwork.testing import RunJob


def test_people_see_their_own_jobs_only(client: TestClient, user: User, sign_in: SignInAs, session: Session) -> None:
    own = enqueue(session, send_welcome, owner=user.id, user_id=user.id)
    nobodys = enqueue(session, send_welcome, user_id=user.id)
    session.commit()
    new_user(session, "eve@example.org")

    assert [job["id"] for job in client.get(f"{API}/jobs", headers=sign_in()).json()] == [str(own.id)]
    assert client.get(f"{API}/jobs/{own.id}", headers=sign_in()).json()["status"] == Status.QUEUED
    assert client.get(f"{API}/jobs/{nobodys.id}", headers=sign_in()).status_code == 404
    assert client.get(f"{API}/jobs/{own.id}", headers=sign_in("eve@example.org")).status_code == 404
    assert client.get(f"{API}/jobs").status_code == 401


def test_jobs_come_newest_first_in_pages(client: TestClient, user: User, sign_in: SignInAs, session: Session) -> None:
    jobs = [enqueue(session, send_welcome, owner=user.id, user_id=user.id) for _ in range(5)]
    session.commit()
    newest_first = sorted((str(job.id) for job in jobs), reverse=True)

    first = client.get(f"{API}/jobs", params={"limit": 3}, headers=sign_in()).json()
    rest = client.get(f"{API}/jobs", params={"limit": 3, "before": first[-1]["id"]}, headers=sign_in()).json()

    assert [job["id"] for job in first + rest] == newest_first


def test_a_waiting_job_is_cancelled_at_once_and_never_runs(
    client: TestClient, user: User, sign_in: SignInAs, session: Session, run_job: RunJob
) -> None:
    job = enqueue(session, send_welcome, owner=user.id, user_id=user.id)
    session.commit()

    replies = [client.post(f"{API}/jobs/{job.id}/cancel", headers=sign_in()) for _ in range(2)]
    run_job(job)

    assert [reply.json()["status"] for reply in replies] == [Status.CANCELLED] * 2
    assert replies[0].json() == replies[1].json()
    assert job.status == Status.CANCELLED
    assert job.attempts == 0


def test_a_running_job_is_asked_to_stop(client: TestClient, user: User, sign_in: SignInAs, session: Session) -> None:
    job = enqueue(session, send_welcome, owner=user.id, user_id=user.id)
    session.commit()
    session.execute(update(Job).values(status=Status.RUNNING, token=uuid4()))
    session.commit()

    reply = client.post(f"{API}/jobs/{job.id}/cancel", headers=sign_in()).json()

    assert reply["status"] == Status.RUNNING
    assert reply["cancel_requested_at"] is not None


def test_what_has_ended_cannot_be_cancelled(
    client: TestClient, user: User, sign_in: SignInAs, session: Session, run_job: RunJob
) -> None:
    job = enqueue(session, send_welcome, owner=user.id, user_id=user.id)
    session.commit()
    run_job(job)

    assert client.post(f"{API}/jobs/{job.id}/cancel", headers=sign_in()).json()["status"] == Status.SUCCEEDED


def test_nobody_cancels_the_jobs_of_others(client: TestClient, user: User, sign_in: SignInAs, session: Session) -> None:
    job = enqueue(session, send_welcome, user_id=user.id)
    session.commit()

    assert client.post(f"{API}/jobs/{job.id}/cancel", headers=sign_in()).status_code == 404
    assert client.post(f"{API}/jobs/{job.id}/cancel").status_code == 401
    session.refresh(job)
    assert job.status == Status.QUEUED


@pytest.fixture
def admin(user: User, session: Session) -> User:
    """Ada, as an administrator."""
    user.admin = True
    session.commit()
    return user


def test_an_admin_runs_a_failed_job_again_from_its_first_attempt(
    client: TestClient, admin: User, sign_in: SignInAs, session: Session, run_job: RunJob
) -> None:
    job = enqueue(session, send_welcome, owner=admin.id, user_id=uuid4())
    session.commit()
    run_job(job)
    failed = client.get(f"{API}/jobs", headers=sign_in()).json()
    session.execute(update(Job).values(arguments={"user_id": str(admin.id)}))
    session.commit()

    reply = client.post(f"{API}/jobs/{job.id}/retry", headers=sign_in()).json()
    run_job(job)

    assert failed[0]["status"] == Status.FAILED
    assert (reply["status"], reply["attempts"], reply["error"]) == (Status.QUEUED, 0, None)
    assert job.status == Status.SUCCEEDED
    [event] = session.scalars(select(AuditEvent)).all()
    assert (event.kind, event.actor_id, event.detail) == (Kind.JOB_RETRIED, admin.id, {"job_id": str(job.id)})
    assert len(job.history) == 1
    again = client.post(f"{API}/jobs/{job.id}/retry", headers=sign_in())
    assert (again.status_code, again.json()["type"].endswith("job-not-retryable")) == (409, True)


def test_an_admin_who_cancels_the_job_of_another_is_written_down(
    client: TestClient, admin: User, sign_in: SignInAs, session: Session, run_job: RunJob
) -> None:
    other = new_user(session, "grace@example.org")
    waits, done = (enqueue(session, send_welcome, owner=other.id, user_id=other.id) for _ in range(2))
    own = enqueue(session, send_welcome, owner=admin.id, user_id=admin.id)
    session.commit()
    run_job(done)

    for job in (waits, done, own):
        assert client.post(f"{API}/jobs/{job.id}/cancel", headers=sign_in()).status_code == 200

    [event] = session.scalars(select(AuditEvent)).all()
    assert (event.kind, event.user_id, event.actor_id) == (Kind.JOB_CANCELLED, other.id, admin.id)
    assert event.detail == {"job_id": str(waits.id)}


def test_only_an_admin_runs_jobs_again(client: TestClient, user: User, sign_in: SignInAs) -> None:
    assert client.post(f"{API}/jobs/{uuid4()}/retry", headers=sign_in()).status_code == 403


def test_a_job_that_is_polled_travels_again_once_it_changes(
    client: TestClient, user: User, sign_in: SignInAs, session: Session
) -> None:
    job = enqueue(session, send_welcome, owner=user.id, user_id=user.id)
    session.commit()
    headers, url = sign_in(), f"{API}/jobs/{job.id}"
    known = client.get(url, headers=headers).headers["etag"]

    same = client.get(url, headers=headers | {"If-None-Match": f'W/{known}, "other"'})
    client.post(f"{url}/cancel", headers=headers)
    changed = client.get(url, headers=headers | {"If-None-Match": known})

    assert (same.status_code, same.content) == (304, b"")
    assert (changed.status_code, changed.json()["status"]) == (200, "cancelled")
    assert changed.headers["etag"] != known


def test_administrators_see_and_cancel_everybodys_jobs(
    client: TestClient, admin: User, session: Session, sign_in: SignInAs
) -> None:
    grace = new_user(session, "grace@example.org")
    job = enqueue(session, send_welcome, owner=grace.id, user_id=grace.id)
    session.commit()
    everybodys: dict[str, str | bool] = {"everybody": True, "status": "queued"}
    headers = sign_in(admin.email)

    seen = client.get(f"{API}/jobs", params=everybodys, headers=headers).json()
    cancelled = client.post(f"{API}/jobs/{job.id}/cancel", headers=headers)

    assert [each["id"] for each in seen] == [str(job.id)]
    assert cancelled.json()["status"] == "cancelled"
    assert client.get(f"{API}/jobs", params=everybodys, headers=headers).json() == []
    assert client.get(f"{API}/jobs", params={"everybody": True}, headers=sign_in(grace.email)).status_code == 403


def test_a_key_whose_job_is_purged_meanwhile_is_free_again(
    client: TestClient, user: User, sign_in: SignInAs, session: Session
) -> None:
    headers = sign_in() | {"Idempotency-Key": "one"}
    first = client.post(f"{API}/reports", json={"days": 2}, headers=headers)

    def purge(_: ExceptionContext) -> None:
        write(delete(Job))

    event.listen(Engine, "handle_error", purge, once=True)
    again = client.post(f"{API}/reports", json={"days": 2}, headers=headers)

    assert (first.status_code, again.status_code) == (202, 202)
    assert session.scalars(select(Job.id)).one() == UUID(again.json()["id"])
    assert again.json()["id"] != first.json()["id"]
