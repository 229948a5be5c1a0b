"""Two who want something of one account in the same moment: what its owner did last holds."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi.testclient import TestClient
from people import PASSWORD, SignInAs
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.accounts.models import SignIn, User
from app.accounts.passwords import hash_password, password_matches
from app.main import create_app
from app.settings import API
from groundwork.data import new_session
from groundwork.jobs import Job
from groundwork.testing import Mailed, SetVariable, token_in

NEW = "an entirely new one"


@pytest.fixture
def owner_is_faster(user: User, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """While somebody's password is looked at, the owner changes it."""

    def change_meanwhile(password: str, password_hash: str | None) -> tuple[bool, str | None]:
        found = password_matches(password, password_hash)
        with new_session() as session:
            session.execute(update(User).values(password_hash=hash_password(NEW)))
            session.commit()
        return found

    def begin() -> None:
        monkeypatch.setattr("app.accounts.sign_ins.password_matches", change_meanwhile)
        monkeypatch.setattr("app.accounts.service.password_matches", change_meanwhile)

    return begin


def test_nobody_signs_in_with_a_password_that_its_owner_has_just_changed(
    client: TestClient, user: User, session: Session, owner_is_faster: Callable[[], None]
) -> None:
    owner_is_faster()

    reply = client.post(f"{API}/auth/token", data={"username": user.email, "password": PASSWORD})

    assert reply.status_code == 401
    assert session.scalar(select(func.count()).select_from(SignIn)) == 0


@pytest.mark.parametrize("path", ["password", "email", "deletion"])
def test_nobody_changes_an_account_by_a_password_that_its_owner_has_just_changed(
    client: TestClient, user: User, sign_in: SignInAs, session: Session, owner_is_faster: Callable[[], None], path: str
) -> None:
    thief = {"password": "the thief has this", "email": "thief@example.org", "current_password": PASSWORD}
    headers = sign_in()
    owner_is_faster()

    reply = client.post(f"{API}/users/me/{path}", json=thief, headers=headers)

    assert (reply.status_code, reply.json()["type"]) == (403, "urn:problem:password-needed")
    assert session.scalar(select(func.count()).select_from(Job)) == 0
    session.refresh(user)
    assert password_matches(NEW, user.password_hash)[0]
    assert user.deactivated_at is None


def test_of_several_links_that_are_used_at_once_one_works(client: TestClient, user: User, mailed: Mailed) -> None:
    for _ in range(5):
        client.post(f"{API}/auth/forgotten-password", json={"email": user.email})
    links = [{"token": token_in(message), "password": NEW} for message in mailed()]

    with ThreadPoolExecutor(5) as threads:
        replies = list(threads.map(lambda new: client.post(f"{API}/auth/reset-password", json=new), links))

    assert sorted(reply.status_code for reply in replies) == [204] + [400] * 4


def test_a_link_mailed_to_an_address_that_the_account_has_no_more_resets_nothing(
    client: TestClient, user: User, session: Session, mailed: Mailed
) -> None:
    client.post(f"{API}/auth/forgotten-password", json={"email": user.email})
    [message] = mailed()
    session.execute(update(User).values(email="countess@example.org"))
    session.commit()

    reply = client.post(f"{API}/auth/reset-password", json={"token": token_in(message), "password": NEW})

    assert (reply.status_code, reply.json()["type"]) == (400, "urn:problem:link-invalid")


def test_a_request_needs_one_connection_at_a_time(set_variable: SetVariable, user: User, sign_in: SignInAs) -> None:
    headers = sign_in()
    set_variable("DATABASE_POOL_SIZE", "1")
    change = {"email": "countess@example.org", "current_password": PASSWORD}

    with TestClient(create_app()) as client:
        reply = client.post(f"{API}/users/me/email", json=change, headers=headers)

    assert reply.status_code == 202
