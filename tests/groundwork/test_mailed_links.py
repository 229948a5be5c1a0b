"""Links that are mailed, or wait to be: what ends them, and what no row keeps of whom they were for."""

from typing import Any

import pytest
from fastapi.testclient import TestClient
from people import PASSWORD, SignInAs, can_sign_in
from sqlalchemy import cast, func, select, update
from sqlalchemy.dialects.postgresql import TEXT
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.accounts.models import Registration, Token, User
from app.settings import API
from groundwork.jobs import Job
from groundwork.mail import ReportedEvent
from groundwork.testing import Mailed, SetVariable, token_in

NEW = "an entirely new one"
LINKS = {"Reset your password for My Service", "Confirm your new address for My Service"}


@pytest.fixture
def ask(client: TestClient, user: User, sign_in: SignInAs) -> None:
    """Ada asks for a link of each kind."""
    change = {"email": "countess@example.org", "current_password": PASSWORD}
    assert client.post(f"{API}/users/me/email", json=change, headers=sign_in()).status_code == 202
    assert client.post(f"{API}/auth/forgotten-password", json={"email": user.email}).status_code == 202


def used(client: TestClient, messages: list[Any]) -> list[int]:
    """The statuses of all links, used in turn."""
    change, reset = ({"token": token_in(message)} for message in messages)
    return [
        client.post(f"{API}/auth/reset-password", json=reset | {"password": NEW}).status_code,
        client.post(f"{API}/auth/confirm-email", json=change | {"current_password": PASSWORD}).status_code,
    ]


def end(client: TestClient, user: User, how: str, owner: dict[str, str], admin: dict[str, str]) -> None:
    change = {"current_password": PASSWORD, "password": NEW}
    path, headers = {
        "a new password": ("users/me/password", owner),
        "sign-out everywhere": ("auth/sign-out-everywhere", owner),
        "deactivation": (f"users/{user.id}/deactivate", admin),
        "deletion": ("users/me/deletion", owner),
    }[how]
    assert client.post(f"{API}/{path}", json=change, headers=headers).is_success


ENDS = pytest.mark.parametrize("how", ["a new password", "sign-out everywhere", "deactivation", "deletion"])


@ENDS
@pytest.mark.usefixtures("ask")
def test_links_that_wait_to_be_mailed_are_not(
    client: TestClient, user: User, sign_in: SignInAs, admin: dict[str, str], mailed: Mailed, how: str
) -> None:
    end(client, user, how, sign_in(), admin)

    assert LINKS & {message["Subject"] for message in mailed()} == set()


@ENDS
@pytest.mark.usefixtures("ask")
def test_links_that_were_mailed_work_no_more(
    client: TestClient, user: User, sign_in: SignInAs, admin: dict[str, str], mailed: Mailed, how: str
) -> None:
    messages = mailed()

    end(client, user, how, sign_in(), admin)

    assert used(client, messages) == [400, 400]


@pytest.mark.usefixtures("ask")
def test_a_reset_cancels_the_link_that_would_change_the_address(client: TestClient, mailed: Mailed) -> None:
    assert used(client, mailed()) == [204, 400]


@pytest.mark.usefixtures("ask")
def test_no_link_changes_a_deactivated_account_however_it_was_deactivated(
    client: TestClient, user: User, session: Session, mailed: Mailed
) -> None:
    messages = mailed()
    session.execute(update(User).values(deactivated_at=func.now()))
    session.commit()

    assert used(client, messages) == [400, 400]
    session.refresh(user)
    assert user.email == "ada@example.org"


@pytest.mark.usefixtures("ask")
def test_a_link_that_was_asked_for_before_the_key_changed_works(
    client: TestClient, mailed: Mailed, set_variable: SetVariable
) -> None:
    set_variable("SECRET_KEY_PREVIOUS", "only-for-tests-" * 3)
    set_variable("SECRET_KEY", "another-for-tests-" * 3)

    assert used(client, mailed()) == [204, 400]


def test_without_a_password_nobody_signs_in(client: TestClient, user: User, session: Session) -> None:
    user.password_hash = None
    session.commit()

    assert not any(can_sign_in(client, password) for password in ("", "nobody has this password", PASSWORD))
    for impossible in ({"password_hash": ""}, {"password_hash": "x", "verified_at": None}):
        with pytest.raises(IntegrityError):
            session.execute(update(User).values(impossible))
        session.rollback()


def test_of_a_deleted_person_no_job_keeps_an_address(
    client: TestClient, user: User, sign_in: SignInAs, session: Session, mailed: Mailed
) -> None:
    change = {"email": "countess@example.org", "current_password": PASSWORD}
    client.post(f"{API}/users", json={"email": user.email, "password": PASSWORD})
    client.post(f"{API}/auth/forgotten-password", json={"email": user.email})
    client.post(f"{API}/users/me/email", json=change, headers=sign_in())
    confirm = next(message for message in mailed() if message["Subject"].startswith("Confirm"))
    client.post(f"{API}/auth/confirm-email", json={"token": token_in(confirm), "current_password": PASSWORD})
    headers = sign_in("countess@example.org")

    client.post(f"{API}/users/me/deletion", json={"current_password": PASSWORD}, headers=headers)

    assert [message["To"] for message in mailed()] == ["ada@example.org", "countess@example.org"]
    jobs = session.scalars(select(func.concat(cast(Job.arguments, TEXT), cast(Job.result, TEXT), Job.error))).all()
    assert len(jobs) == 6
    assert [job for job in jobs if "@" in job] == []
    assert session.scalars(select(Token)).all() == []
    assert session.scalars(select(ReportedEvent)).all() == []
    # Until it is too old, or its address has an account.
    assert [each.email for each in session.scalars(select(Registration))] == ["ada@example.org"]
