"""A person who asks for more and more jobs is refused; everything else goes on."""

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response
from people import SignInAs, new_user
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from work import Then, act, add_user

from app.accounts.models import User
from app.settings import API
from groundwork.data import engine
from groundwork.data.tables import RequestSession
from groundwork.jobs import Job, TooManyJobs, enqueue
from groundwork.jobs.running_job import RunningJob
from groundwork.testing import RunJob, SetVariable

Headers = dict[str, str]
REPORTS = f"{API}/reports"


@pytest.fixture(autouse=True)
def _three_at_most(set_variable: SetVariable) -> None:
    set_variable("JOBS_PER_PERSON", "3")


def ask(client: TestClient, headers: Headers, key: str | None = None) -> Response:
    keyed = {"Idempotency-Key": key} if key else {}
    return client.post(REPORTS, json={"days": 1}, headers=headers | keyed)


def test_a_person_has_a_bounded_number_of_unfinished_jobs(
    client: TestClient, user: User, session: Session, sign_in: SignInAs
) -> None:
    new_user(session, "eve@example.org")
    headers = sign_in()
    accepted = [ask(client, headers) for _ in range(3)]
    refused = ask(client, headers)
    client.post(f"{API}/jobs/{accepted[0].json()['id']}/cancel", headers=headers)

    assert (refused.status_code, refused.json()["type"]) == (429, "urn:problem:too-many-jobs")
    assert [ask(client, headers).status_code for _ in range(2)] == [202, 429]
    assert ask(client, sign_in("eve@example.org")).status_code == 202
    assert session.scalar(select(func.count()).select_from(Job)) == 5


def test_a_request_that_comes_again_gets_its_job_although_there_are_enough(
    client: TestClient, user: User, sign_in: SignInAs
) -> None:
    headers = sign_in()
    replies = [ask(client, headers, key) for key in ("1", "2", "3", "4", "3")]

    assert [reply.status_code for reply in replies] == [202, 202, 202, 429, 202]
    assert replies[2].json() == replies[4].json()


def test_what_the_service_itself_has_to_do_is_not_bounded(
    client: TestClient, user: User, sign_in: SignInAs, session: Session, run_job: RunJob, then: Then
) -> None:
    def enqueue_more(job: RunningJob) -> None:
        for _ in range(9):
            enqueue(job.session, add_user, owner=user.id, email="x")

    headers = sign_in()
    while ask(client, headers).is_success:
        pass
    replies = [client.post(f"{API}/auth/forgotten-password", json={"email": user.email}) for _ in range(2)]
    then(enqueue_more)
    job = enqueue(session, act, owner=user.id)
    session.commit()
    run_job(job)

    assert [reply.status_code for reply in replies] == [202, 202]
    assert job.status == "succeeded"
    assert session.scalar(select(func.count()).where(Job.owner_id == user.id)) == 13


def test_jobs_that_one_request_asks_for_count_together(user: User, session: Session) -> None:
    with RequestSession(engine()) as request:
        for _ in range(4):
            enqueue(request, add_user, owner=user.id, email="x")
        with pytest.raises(TooManyJobs):
            request.commit()

    assert session.scalar(select(func.count()).select_from(Job)) == 0
