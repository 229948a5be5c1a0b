from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

from fastapi.testclient import TestClient
from people import SignInAs, new_user
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.accounts.models import User
from app.reports.models import Report
from app.settings import API
from groundwork.jobs import Job, Status
from groundwork.testing import RunJob, Worker, until


def test_a_report_is_accepted_as_a_job_and_its_result_names_it(
    client: TestClient, user: User, sign_in: SignInAs, session: Session, run_job: RunJob
) -> None:
    reply = client.post(f"{API}/reports", json={"days": 2}, headers=sign_in())
    assert reply.status_code == 202
    assert reply.json()["status"] == Status.QUEUED
    asked_for = session.get_one(Job, UUID(reply.json()["id"]))
    # On one day, also at midnight.
    session.execute(update(User).values(created_at=asked_for.created_at))
    session.commit()
    run_job(asked_for)

    job = client.get(reply.headers["location"], headers=sign_in()).json()
    report = client.get(f"{API}/reports/{job['result']['report_id']}", headers=sign_in()).json()

    assert job["progress"] == {"done": 2, "total": 2, "note": "Done"}
    assert list(report["signups"].values()) == [0, 1]


def test_a_report_is_made_once_however_often_its_job_starts(
    client: TestClient, user: User, sign_in: SignInAs, session: Session, run_job: RunJob
) -> None:
    job_id = client.post(f"{API}/reports", json={"days": 1}, headers=sign_in()).json()["id"]
    job = session.get_one(Job, UUID(job_id))

    for _ in range(3):
        run_job(job)

    assert session.scalar(select(func.count()).select_from(Report)) == 1


def test_its_progress_can_be_watched(
    client: TestClient, user: User, sign_in: SignInAs, session: Session, worker: Worker
) -> None:
    headers = sign_in()
    location = client.post(f"{API}/reports", json={"days": 3}, headers=headers).headers["location"]
    seen = until(lambda: client.get(location, headers=headers).json()["progress"])
    until(lambda: client.get(location, headers=headers).json()["status"] == Status.SUCCEEDED)

    assert seen["total"] == 3
    assert session.scalar(select(func.count()).select_from(Report)) == 1


def test_people_read_their_own_reports_only(
    client: TestClient, user: User, sign_in: SignInAs, session: Session
) -> None:
    report = Report(owner_id=user.id, signups={})
    session.add(report)
    session.commit()
    new_user(session, "eve@example.org")

    assert client.get(f"{API}/reports/{report.id}", headers=sign_in()).status_code == 200
    assert client.get(f"{API}/reports/{report.id}", headers=sign_in("eve@example.org")).status_code == 404


def test_an_impossible_number_of_days_is_refused(client: TestClient, user: User, sign_in: SignInAs) -> None:
    replies = [client.post(f"{API}/reports", json={"days": days}, headers=sign_in()) for days in (0, 367, "many")]

    assert [reply.status_code for reply in replies] == [422] * 3
    assert replies[0].json()["detail"] == "days: Input should be greater than or equal to 1"


def test_a_request_that_comes_again_with_its_key_gets_the_same_job(
    client: TestClient, user: User, sign_in: SignInAs, session: Session
) -> None:
    headers = sign_in() | {"Idempotency-Key": "one"}

    first, again = (client.post(f"{API}/reports", json={"days": 2}, headers=headers) for _ in range(2))
    other = client.post(f"{API}/reports", json={"days": 3}, headers=headers)
    new = client.post(f"{API}/reports", json={"days": 2}, headers=headers | {"Idempotency-Key": "two"})

    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json() == again.json()
    assert first.headers["location"] == again.headers["location"]
    assert other.status_code == 422
    assert other.json()["type"].endswith("idempotency-key-reused")
    assert new.json()["id"] != first.json()["id"]
    assert session.scalar(select(func.count()).select_from(Job)) == 2


def test_requests_at_the_same_time_with_one_key_get_one_job(client: TestClient, user: User, sign_in: SignInAs) -> None:
    headers = sign_in() | {"Idempotency-Key": "one"}

    with ThreadPoolExecutor(8) as clients:
        replies = list(
            clients.map(lambda _: client.post(f"{API}/reports", json={"days": 2}, headers=headers), range(16))
        )

    assert {reply.status_code for reply in replies} == {202}
    assert len({reply.json()["id"] for reply in replies}) == 1


def test_a_key_is_its_users_own(client: TestClient, user: User, sign_in: SignInAs, session: Session) -> None:
    new_user(session, "eve@example.org")
    key = {"Idempotency-Key": "one"}

    ids = {
        UUID(client.post(f"{API}/reports", json={"days": 2}, headers=sign_in(email) | key).json()["id"])
        for email in ("ada@example.org", "eve@example.org")
    }

    assert len(ids) == 2
