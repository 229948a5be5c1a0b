from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient
from people import ME, PASSWORD, SignInAs
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.accounts.models import User
from app.accounts.routes.users import REGISTER
from app.settings import API
from groundwork.jobs import Job, Status
from groundwork.testing import Mailed, RunJob, token_in

ADA = {"email": "Ada@Example.org", "password": PASSWORD}


def test_a_new_user_is_stored_and_gets_a_mail_to_verify_the_address(
    client: TestClient, session: Session, mailed: Mailed
) -> None:
    reply = client.post(f"{API}/users", json=ADA)
    [message] = mailed()

    assert reply.status_code == 202
    user = session.scalars(select(User)).one()
    assert (user.email, user.verified, user.admin) == ("ada@example.org", False, False)
    assert user.password_hash.startswith("$argon2id$")
    assert message["To"] == "ada@example.org"
    assert message["Subject"].startswith("Verify your address")


def test_registering_a_known_address_answers_the_same_and_tells_its_owner(
    client: TestClient, user: User, session: Session, mailed: Mailed, sign_in: SignInAs
) -> None:
    taken, new = (
        client.post(f"{API}/users", json=ADA | {"email": email, "password": "another person's words"})
        for email in (user.email, "grace@example.org")
    )
    to_ada, to_grace = mailed()

    assert (taken.status_code, taken.text) == (new.status_code, new.text)
    assert taken.headers.keys() == new.headers.keys()
    assert to_ada["Subject"].startswith("You have an account")
    assert to_grace["Subject"].startswith("Verify your address")
    assert client.get(ME, headers=sign_in()).status_code == 200
    assert session.scalar(select(func.count()).select_from(User)) == 2


def test_registrations_at_once_make_one_user(
    client: TestClient, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.accounts.routes.users.REGISTER", replace(REGISTER, per_email=50))

    with ThreadPoolExecutor(10) as threads:
        replies = list(threads.map(lambda _: client.post(f"{API}/users", json=ADA).status_code, range(20)))

    assert replies == [202] * 20
    assert session.scalar(select(func.count()).select_from(User)) == 1


def test_an_address_that_nobody_has_proven_belongs_to_who_comes_last(
    client: TestClient, mailed: Mailed, sign_in: SignInAs
) -> None:
    client.post(f"{API}/users", json=ADA | {"password": "the squatter's own words"})
    [to_squatter] = mailed()
    form = {"username": "ada@example.org", "password": "the squatter's own words"}
    squatter = client.post(f"{API}/auth/token", data=form).json()

    client.post(f"{API}/users", json=ADA)
    [to_ada] = mailed()
    old, new = (
        client.post(f"{API}/auth/verify", json={"token": token_in(message)}) for message in (to_squatter, to_ada)
    )

    assert (old.status_code, new.status_code) == (400, 204)
    assert client.post(f"{API}/auth/token", data=form).status_code == 401
    headers = {"Authorization": f"Bearer {squatter['access_token']}"}
    assert client.get(ME, headers=headers).status_code == 401
    assert client.get(ME, headers=sign_in()).json()["verified"] is True


def test_a_short_password_and_a_wrong_address_are_refused_without_repeating_them(client: TestClient) -> None:
    reply = client.post(f"{API}/users", json={"email": "ada", "password": "secret"})

    assert reply.status_code == 422
    assert {error["where"][-1] for error in reply.json()["errors"]} == {"email", "password"}
    assert "secret" not in reply.text


@pytest.mark.parametrize("password", ["1234567890", "qwertyuiop", "passwordpassword", "iloveyou12", "ada@example.org"])
def test_a_password_that_thieves_try_first_is_refused(client: TestClient, session: Session, password: str) -> None:
    reply = client.post(f"{API}/users", json=ADA | {"password": password})

    assert (reply.status_code, reply.json()["type"]) == (422, "urn:problem:password-weak")
    assert password not in reply.text
    assert session.scalar(select(func.count()).select_from(User)) == 0


def test_a_password_may_be_long(client: TestClient, sign_in: SignInAs) -> None:
    long = "ein langes Passwort, " * 12
    client.post(f"{API}/users", json=ADA | {"password": long})

    assert client.post(f"{API}/auth/token", data={"username": "ada@example.org", "password": long}).status_code == 200
    assert client.post(f"{API}/auth/token", data={"username": "ada@example.org", "password": long[:-1]}).is_error


@pytest.mark.parametrize(
    "email", ["jürgen@example.org", "Ada <ada@example.org>", "ada@localhost", "ada@example.org\n", "a\x00@example.org"]
)
def test_an_address_that_mail_cannot_reach_is_refused(client: TestClient, email: str) -> None:
    assert client.post(f"{API}/users", json=ADA | {"email": email}).status_code == 422


def test_an_international_domain_is_one_address_in_both_spellings(client: TestClient, session: Session) -> None:
    for domain in ("bücher.org", "xn--bcher-kva.org"):
        client.post(f"{API}/users", json=ADA | {"email": f"ada@{domain}"})

    assert session.scalar(select(func.count()).select_from(User)) == 1
    form = {"username": "Ada@Bücher.org", "password": PASSWORD}
    assert client.post(f"{API}/auth/token", data=form).status_code == 200


def test_half_a_character_is_no_password(client: TestClient) -> None:
    body = '{"email": "ada@example.org", "password": "long enough \\ud800"}'
    headers = {"Content-Type": "application/json"}

    assert client.post(f"{API}/users", content=body, headers=headers).status_code == 422


def test_a_squatters_job_that_is_late_mails_no_link_to_the_account_of_who_came_last(
    client: TestClient, session: Session, run_job: RunJob, mailed: Mailed
) -> None:
    squatter = {"email": "ada@example.org", "password": "the squatter's own words"}
    client.post(f"{API}/users", json=squatter)
    tokens = client.post(f"{API}/auth/token", data={"username": squatter["email"], "password": squatter["password"]})
    headers = {"Authorization": f"Bearer {tokens.json()['access_token']}"}
    mailed()
    change = {"email": "squatter@example.org", "current_password": squatter["password"]}
    assert client.post(f"{API}/users/me/email", json=change, headers=headers).status_code == 202
    late = session.scalars(select(Job).where(Job.status == Status.QUEUED)).one()

    client.post(f"{API}/users", json={"email": "ada@example.org", "password": PASSWORD})
    run_job(late)

    assert late.status == Status.FAILED
    assert [message["To"] for message in mailed()] == ["ada@example.org"]
