"""An address is verified by a mailed link."""

import pytest
from fastapi.testclient import TestClient
from people import ME, SignInAs, new_user
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.accounts.models import Token, User
from app.settings import API
from groundwork.testing import Mailed, token_in

LINK = f"{API}/auth/verification-link"
VERIFY = f"{API}/auth/verify"


@pytest.fixture
def unverified(session: Session) -> User:
    """ada@example.org, who has registered and not yet used the link."""
    return new_user(session, "ada@example.org", verified_at=None)


def test_the_mailed_link_verifies_the_address_once_and_brings_a_welcome(
    client: TestClient, unverified: User, session: Session, mailed: Mailed
) -> None:
    client.post(LINK, json={"email": unverified.email})
    token = token_in(mailed()[0])

    replies = [client.post(VERIFY, json={"token": token}) for _ in range(2)]

    assert [reply.status_code for reply in replies] == [204, 400]
    assert replies[1].json()["type"] == "urn:problem:link-invalid"
    session.refresh(unverified)
    assert unverified.verified
    assert [message["Subject"] for message in mailed()] == ["Your address is verified"]


def test_a_link_is_kept_as_a_hash_and_for_a_day(
    client: TestClient, unverified: User, session: Session, mailed: Mailed
) -> None:
    client.post(LINK, json={"email": unverified.email})
    token = token_in(mailed()[0])
    kept = session.scalars(select(Token)).one()
    assert token.encode() not in kept.hash

    session.execute(update(Token).values(expires_at=func.now()))
    session.commit()

    assert client.post(VERIFY, json={"token": token}).status_code == 400


def test_opening_the_link_verifies_nothing(client: TestClient, unverified: User, sign_in: SignInAs) -> None:
    page = client.get("/account/verify")

    assert "Verify my address" in page.text
    assert client.get(ME, headers=sign_in()).json()["verified"] is False


def test_a_new_link_comes_for_who_waits_for_one_and_the_answer_is_always_the_same(
    client: TestClient, unverified: User, session: Session, mailed: Mailed
) -> None:
    new_user(session, "grace@example.org")

    replies = [
        client.post(LINK, json={"email": email})
        for email in (unverified.email, "grace@example.org", "nobody@example.org")
    ]

    assert len({(reply.status_code, reply.text) for reply in replies}) == 1
    assert [message["To"] for message in mailed()] == [unverified.email]
