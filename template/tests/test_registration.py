"""Who registers an address, and whose account a mailed link makes."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from email.message import EmailMessage

import pytest
from fastapi.testclient import TestClient
from people import ME, PASSWORD, SignInAs, can_sign_in, new_user
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.accounts.models import Registration, User
from app.accounts.routes.users import REGISTER
from app.settings import API
from groundwork.testing import Mailed, token_in

ADA = {"email": "Ada@Example.org", "password": PASSWORD}


def verify(client: TestClient, message: EmailMessage) -> int:
    return client.post(f"{API}/auth/verify", json={"token": token_in(message)}).status_code


def test_whoever_registers_has_an_account_once_they_use_the_mailed_link(
    client: TestClient, session: Session, mailed: Mailed, sign_in: SignInAs
) -> None:
    reply = client.post(f"{API}/users", json=ADA)
    [message] = mailed()

    assert reply.status_code == 202
    assert session.scalars(select(User)).all() == []
    assert not can_sign_in(client, PASSWORD)
    assert (message["To"], message["Subject"][:19]) == ("ada@example.org", "Verify your address")
    assert [verify(client, message) for _ in range(2)] == [204, 400]
    assert can_sign_in(client, PASSWORD)
    me = client.get(ME, headers=sign_in()).json()
    assert (me["email"], me["verified"], me["admin"]) == ("ada@example.org", True, False)
    assert [message["Subject"] for message in mailed()] == ["Your address is verified"]


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
    assert session.scalars(select(User)).all() == [user]


def test_registrations_at_once_make_one_account(
    client: TestClient, session: Session, mailed: Mailed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.accounts.routes.users.REGISTER", replace(REGISTER, per_email=50))

    with ThreadPoolExecutor(10) as threads:
        replies = list(threads.map(lambda _: client.post(f"{API}/users", json=ADA).status_code, range(10)))
        codes = list(threads.map(lambda message: verify(client, message), mailed()))

    assert replies == [202] * 10
    assert (codes.count(204), set(codes)) == (1, {204, 400, 409} & {*codes})
    assert session.scalar(select(func.count()).select_from(User)) == 1


def test_each_link_makes_the_account_with_its_own_password(client: TestClient, mailed: Mailed) -> None:
    stranger = ADA | {"password": "a stranger's own words"}
    for new in (stranger, ADA, stranger):
        client.post(f"{API}/users", json=new)
    first, mine, last = mailed()

    assert [verify(client, message) for message in (mine, first, last)] == [204, 400, 400]
    assert (can_sign_in(client, PASSWORD), can_sign_in(client, stranger["password"])) == (True, False)


def test_a_link_makes_no_account_of_an_address_that_has_one_meanwhile(
    client: TestClient, session: Session, mailed: Mailed
) -> None:
    client.post(f"{API}/users", json=ADA | {"password": "a stranger's own words"})
    [message] = mailed()
    new_user(session, "ada@example.org")

    assert verify(client, message) == 409
    assert can_sign_in(client, PASSWORD)


def test_a_link_is_kept_as_a_hash_and_for_a_day(client: TestClient, session: Session, mailed: Mailed) -> None:
    client.post(f"{API}/users", json=ADA)
    token = token_in(mailed()[0])
    kept = session.scalars(select(Registration)).one()
    assert token.encode() not in kept.hash
    assert kept.password_hash.startswith("$argon2id$")

    session.execute(update(Registration).values(expires_at=func.now()))
    session.commit()

    assert client.post(f"{API}/auth/verify", json={"token": token}).status_code == 400


def test_opening_the_link_verifies_nothing(client: TestClient) -> None:
    client.post(f"{API}/users", json=ADA)
    page = client.get("/account/verify")

    assert "Verify my address" in page.text
    assert not can_sign_in(client, PASSWORD)


def test_an_account_without_a_password_gets_the_one_that_was_registered(
    client: TestClient, session: Session, mailed: Mailed
) -> None:
    user = new_user(session, "ada@example.org", password_hash=None, verified_at=None)
    client.post(f"{API}/users", json=ADA)

    client.post(f"{API}/auth/verify", json={"token": token_in(mailed()[0])})

    assert can_sign_in(client, PASSWORD)
    session.refresh(user)
    assert user.verified
    assert session.scalar(select(func.count()).select_from(User)) == 1


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
    assert session.scalar(select(func.count()).select_from(Registration)) == 0


def test_a_password_may_be_long(client: TestClient, mailed: Mailed) -> None:
    long = "ein langes Passwort, " * 12
    client.post(f"{API}/users", json=ADA | {"password": long})
    verify(client, mailed()[0])

    assert (can_sign_in(client, long), can_sign_in(client, long[:-1])) == (True, False)


@pytest.mark.parametrize(
    "email", ["jürgen@example.org", "Ada <ada@example.org>", "ada@localhost", "ada@example.org\n", "a\x00@example.org"]
)
def test_an_address_that_mail_cannot_reach_is_refused(client: TestClient, email: str) -> None:
    assert client.post(f"{API}/users", json=ADA | {"email": email}).status_code == 422


def test_an_international_domain_is_one_address_in_both_spellings(client: TestClient, mailed: Mailed) -> None:
    for domain in ("bücher.org", "xn--bcher-kva.org"):
        client.post(f"{API}/users", json=ADA | {"email": f"ada@{domain}"})

    assert [verify(client, message) for message in mailed()] == [204, 400]
    assert can_sign_in(client, PASSWORD, "Ada@Bücher.org")


def test_half_a_character_is_no_password(client: TestClient) -> None:
    body = '{"email": "ada@example.org", "password": "long enough \\ud800"}'
    headers = {"Content-Type": "application/json"}

    assert client.post(f"{API}/users", content=body, headers=headers).status_code == 422
