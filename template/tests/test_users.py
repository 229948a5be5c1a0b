from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from conftest import PASSWORD, SignInAs
from fastapi.testclient import TestClient
from mail_fixtures import Mailed, token_in
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.sign_ins.models import Token
from app.users.models import User
from app.users.routes import REGISTER

ADA = {"email": "Ada@Example.org", "password": PASSWORD}


def test_a_new_user_is_stored_and_gets_a_mail_to_verify_the_address(
    client: TestClient, session: Session, mailed: Mailed
) -> None:
    reply = client.post("/api/v1/users", json=ADA)
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
        client.post("/api/v1/users", json=ADA | {"email": email, "password": "another person's words"})
        for email in (user.email, "grace@example.org")
    )
    to_ada, to_grace = mailed()

    assert (taken.status_code, taken.text) == (new.status_code, new.text)
    assert taken.headers.keys() == new.headers.keys()
    assert to_ada["Subject"].startswith("You have an account")
    assert to_grace["Subject"].startswith("Verify your address")
    assert client.get("/api/v1/users/me", headers=sign_in()).status_code == 200
    assert session.scalar(select(func.count()).select_from(User)) == 2


def test_fifty_registrations_at_once_make_one_user(
    client: TestClient, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.users.routes.REGISTER", replace(REGISTER, per_email=50))

    with ThreadPoolExecutor(50) as threads:
        replies = list(threads.map(lambda _: client.post("/api/v1/users", json=ADA).status_code, range(50)))

    assert replies == [202] * 50
    assert session.scalar(select(func.count()).select_from(User)) == 1


def test_an_address_that_nobody_has_proven_belongs_to_who_comes_last(
    client: TestClient, mailed: Mailed, sign_in: SignInAs
) -> None:
    client.post("/api/v1/users", json=ADA | {"password": "the squatter's own words"})
    [to_squatter] = mailed()
    form = {"username": "ada@example.org", "password": "the squatter's own words"}
    squatter = client.post("/api/v1/auth/token", data=form).json()

    client.post("/api/v1/users", json=ADA)
    [to_ada] = mailed()
    old, new = (
        client.post("/api/v1/auth/verify", json={"token": token_in(message)}) for message in (to_squatter, to_ada)
    )

    assert (old.status_code, new.status_code) == (400, 204)
    assert client.post("/api/v1/auth/token", data=form).status_code == 401
    headers = {"Authorization": f"Bearer {squatter['access_token']}"}
    assert client.get("/api/v1/users/me", headers=headers).status_code == 401
    assert client.get("/api/v1/users/me", headers=sign_in()).json()["verified"] is True


def test_a_short_password_and_a_wrong_address_are_refused_without_repeating_them(client: TestClient) -> None:
    reply = client.post("/api/v1/users", json={"email": "ada", "password": "secret"})

    assert reply.status_code == 422
    assert {error["where"][-1] for error in reply.json()["errors"]} == {"email", "password"}
    assert "secret" not in reply.text


@pytest.mark.parametrize("password", ["1234567890", "qwertyuiop", "passwordpassword", "iloveyou12", "ada@example.org"])
def test_a_password_that_thieves_try_first_is_refused(client: TestClient, session: Session, password: str) -> None:
    reply = client.post("/api/v1/users", json=ADA | {"password": password})

    assert (reply.status_code, reply.json()["type"]) == (422, "urn:problem:password-weak")
    assert password not in reply.text
    assert session.scalar(select(func.count()).select_from(User)) == 0


def test_a_password_may_be_long(client: TestClient, sign_in: SignInAs) -> None:
    long = "ein langes Passwort, " * 12
    client.post("/api/v1/users", json=ADA | {"password": long})

    assert client.post("/api/v1/auth/token", data={"username": "ada@example.org", "password": long}).status_code == 200
    assert client.post("/api/v1/auth/token", data={"username": "ada@example.org", "password": long[:-1]}).is_error


def test_the_mailed_link_verifies_the_address_once_and_brings_a_welcome(
    client: TestClient, session: Session, mailed: Mailed
) -> None:
    client.post("/api/v1/users", json=ADA)
    token = token_in(mailed()[0])

    replies = [client.post("/api/v1/auth/verify", json={"token": token}) for _ in range(2)]

    assert [reply.status_code for reply in replies] == [204, 400]
    assert replies[1].json()["type"] == "urn:problem:link-invalid"
    assert session.scalars(select(User)).one().verified
    assert [message["Subject"] for message in mailed()] == ["Your address is verified"]


def test_a_link_is_kept_as_a_hash_and_for_a_day(client: TestClient, session: Session, mailed: Mailed) -> None:
    client.post("/api/v1/users", json=ADA)
    token = token_in(mailed()[0])
    kept = session.scalars(select(Token)).one()
    assert token.encode() not in kept.hash

    session.execute(update(Token).values(expires_at=func.now()))
    session.commit()

    assert client.post("/api/v1/auth/verify", json={"token": token}).status_code == 400


def test_opening_the_link_verifies_nothing(client: TestClient, session: Session) -> None:
    client.post("/api/v1/users", json=ADA)

    page = client.get("/account/verify")

    assert "Verify my address" in page.text
    assert not session.scalars(select(User)).one().verified


def test_a_new_link_comes_for_who_waits_for_one_and_the_answer_is_always_the_same(
    client: TestClient, user: User, mailed: Mailed
) -> None:
    client.post("/api/v1/users", json={"email": "grace@example.org", "password": PASSWORD})
    mailed()

    replies = [
        client.post("/api/v1/auth/verification-link", json={"email": email})
        for email in (user.email, "grace@example.org", "nobody@example.org")
    ]

    assert len({(reply.status_code, reply.text) for reply in replies}) == 1
    assert [message["To"] for message in mailed()] == ["grace@example.org"]


@pytest.mark.parametrize(
    "email", ["jürgen@example.org", "Ada <ada@example.org>", "ada@localhost", "ada@example.org\n", "a\x00@example.org"]
)
def test_an_address_that_mail_cannot_reach_is_refused(client: TestClient, email: str) -> None:
    assert client.post("/api/v1/users", json=ADA | {"email": email}).status_code == 422


def test_an_international_domain_is_one_address_in_both_spellings(client: TestClient, session: Session) -> None:
    for domain in ("bücher.org", "xn--bcher-kva.org"):
        client.post("/api/v1/users", json=ADA | {"email": f"ada@{domain}"})

    assert session.scalar(select(func.count()).select_from(User)) == 1
    form = {"username": "Ada@Bücher.org", "password": PASSWORD}
    assert client.post("/api/v1/auth/token", data=form).status_code == 200


def test_half_a_character_is_no_password(client: TestClient) -> None:
    body = '{"email": "ada@example.org", "password": "long enough \\ud800"}'
    headers = {"Content-Type": "application/json"}

    assert client.post("/api/v1/users", content=body, headers=headers).status_code == 422
