from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from conftest import PASSWORD, RunJob, SignIn
from fastapi.testclient import TestClient
from mail_fixtures import Outbox
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.jobs.models import Job
from app.security import sign_token
from app.users.models import User

ADA = {"email": "Ada@Example.org", "password": PASSWORD}


def mailed_token(outbox: Outbox) -> str:
    body = outbox()[0].get_body(("plain",))
    assert body is not None
    return str(body.get_content()).partition("#token=")[2].split()[0]


def test_a_new_user_is_stored_with_a_mail_to_verify_the_address(client: TestClient, session: Session) -> None:
    reply = client.post("/users", json=ADA)

    assert reply.status_code == 201
    assert reply.json()["email"] == "ada@example.org"
    assert reply.json()["verified"] is False
    assert "password" not in reply.text
    user = session.scalars(select(User)).one()
    job = session.scalars(select(Job)).one()
    assert user.password_hash.startswith("$argon2id$")
    assert job.task == "app.users.tasks.send_verification"
    assert job.arguments == {"user_id": str(user.id)}


def test_an_address_can_be_registered_once(client: TestClient, session: Session) -> None:
    client.post("/users", json=ADA)

    reply = client.post("/users", json=ADA | {"email": "ada@example.org"})

    assert reply.status_code == 409
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json()["type"] == "urn:problem:email-taken"
    assert session.scalar(select(func.count()).select_from(Job)) == 1


def test_parallel_registrations_of_one_address_make_one_user(client: TestClient, session: Session) -> None:
    with ThreadPoolExecutor(8) as threads:
        replies = list(threads.map(lambda _: client.post("/users", json=ADA).status_code, range(8)))

    assert sorted(replies) == [201] + [409] * 7
    assert session.scalar(select(func.count()).select_from(User)) == 1


def test_a_short_password_and_a_wrong_address_are_refused_without_repeating_them(client: TestClient) -> None:
    reply = client.post("/users", json={"email": "ada", "password": "secret"})

    assert reply.status_code == 422
    assert {error["where"][-1] for error in reply.json()["errors"]} == {"email", "password"}
    assert "secret" not in reply.text


def test_the_mailed_link_verifies_the_address_and_brings_one_welcome(
    client: TestClient, session: Session, run_job: RunJob, outbox: Outbox
) -> None:
    client.post("/users", json=ADA)
    run_job(session.scalars(select(Job)).one())
    token = mailed_token(outbox)

    replies = [client.post("/auth/verify", json={"token": token}) for _ in range(2)]

    assert [reply.status_code for reply in replies] == [204, 204]
    assert session.scalars(select(User)).one().verified
    welcome = session.scalars(select(Job).where(Job.task.endswith("send_welcome"))).one()
    run_job(welcome)
    assert outbox()[1]["Subject"] == "Your address is verified"


def test_a_repeated_verification_mail_carries_the_same_link(
    client: TestClient, session: Session, run_job: RunJob, outbox: Outbox
) -> None:
    client.post("/users", json=ADA)
    job = session.scalars(select(Job)).one()
    run_job(job)
    first = mailed_token(outbox)
    job.status, job.due_at = job.status.QUEUED, func.now()
    session.commit()

    run_job(job)

    assert mailed_token(outbox) == first
    assert len(outbox()) == 1


def test_opening_the_link_verifies_nothing(client: TestClient, session: Session) -> None:
    client.post("/users", json=ADA)

    page = client.get("/auth/verify")

    assert "Verify my address" in page.text
    assert not session.scalars(select(User)).one().verified


def test_a_forged_an_old_and_a_misused_token_do_not_verify(client: TestClient, user: User) -> None:
    old = sign_token("verify", user.id, timedelta(seconds=-1))
    other_purpose = sign_token("access", user.id, timedelta(hours=1))
    forged = sign_token("verify", user.id, timedelta(hours=1))[:-2] + "AA"

    replies = [client.post("/auth/verify", json={"token": token}) for token in (old, other_purpose, forged, "x")]

    assert [reply.status_code for reply in replies] == [400] * 4
    assert replies[0].json()["type"] == "urn:problem:link-invalid"


def test_an_unverified_user_can_ask_for_another_link(client: TestClient, sign_in: SignIn, session: Session) -> None:
    client.post("/users", json=ADA)

    reply = client.post("/users/me/verification", headers=sign_in())

    assert reply.status_code == 202
    assert session.scalar(select(func.count()).select_from(Job)) == 2


@pytest.mark.parametrize(
    "email", ["jürgen@example.org", "Ada <ada@example.org>", "ada@localhost", "ada@example.org\n", "a\x00@example.org"]
)
def test_an_address_that_mail_cannot_reach_is_refused(client: TestClient, email: str) -> None:
    assert client.post("/users", json=ADA | {"email": email}).status_code == 422


def test_an_international_domain_is_one_address_in_both_spellings(client: TestClient) -> None:
    codes = [
        client.post("/users", json=ADA | {"email": f"ada@{d}"}).status_code for d in ("bücher.org", "xn--bcher-kva.org")
    ]
    form = {"username": "Ada@Bücher.org", "password": PASSWORD}

    assert codes == [201, 409]
    assert client.post("/auth/token", data=form).status_code == 200


def test_half_a_character_is_no_password(client: TestClient) -> None:
    body = '{"email": "ada@example.org", "password": "long enough \\ud800"}'

    assert client.post("/users", content=body, headers={"Content-Type": "application/json"}).status_code == 422
