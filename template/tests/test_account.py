"""What people do with their own account."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi.testclient import TestClient
from people import ME, PASSWORD, SignInAs, can_sign_in, new_user
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.accounts.events import Kind
from app.accounts.models import SignIn, User
from app.settings import API
from groundwork.audit import AuditEvent
from groundwork.testing import Mailed, token_in

NEW = "an entirely new one"


def test_a_changed_password_ends_the_other_sign_ins_and_is_told_by_mail(
    client: TestClient, user: User, sign_in: SignInAs, mailed: Mailed
) -> None:
    here, elsewhere = sign_in(), sign_in()

    change = {"password": NEW, "current_password": PASSWORD}
    reply = client.post(f"{API}/users/me/password", json=change, headers=here)

    assert reply.status_code == 204
    assert (can_sign_in(client, PASSWORD), can_sign_in(client, NEW)) == (False, True)
    codes = [client.get(ME, headers=headers).status_code for headers in (here, elsewhere)]
    assert codes == [200, 401]
    assert [message["Subject"] for message in mailed()] == ["Your password was changed"]


@pytest.mark.parametrize("path", ["password", "email", "deletion"])
def test_what_matters_needs_the_present_password(
    client: TestClient, user: User, sign_in: SignInAs, session: Session, path: str
) -> None:
    change = {"password": NEW, "email": "new@example.org", "current_password": "a wrong one"}

    reply = client.post(f"{API}/users/me/{path}", json=change, headers=sign_in())

    assert (reply.status_code, reply.json()["type"]) == (403, "urn:problem:password-needed")
    assert can_sign_in(client, PASSWORD)
    assert session.scalars(select(AuditEvent.kind).order_by(AuditEvent.id)).first() == Kind.PASSWORD_REFUSED


def test_who_is_reactivated_in_time_is_not_deleted(
    client: TestClient, user: User, session: Session, sign_in: SignInAs, mailed: Mailed
) -> None:
    client.post(f"{API}/users/me/deletion", json={"current_password": PASSWORD}, headers=sign_in())
    session.refresh(user)
    user.deactivated_at = None
    session.commit()

    assert mailed() == []
    assert can_sign_in(client, PASSWORD)


@pytest.mark.parametrize("path", ["password", "email", "deletion"])
def test_half_a_character_is_nobodys_password(client: TestClient, user: User, sign_in: SignInAs, path: str) -> None:
    body = '{"password": "an entirely new one", "email": "new@example.org", "current_password": "\\ud800"}'
    headers = sign_in() | {"Content-Type": "application/json"}

    assert client.post(f"{API}/users/me/{path}", content=body, headers=headers).status_code == 422


def test_a_new_address_counts_once_it_is_confirmed_and_the_old_one_gets_a_notice(
    client: TestClient, user: User, sign_in: SignInAs, mailed: Mailed
) -> None:
    change = {"email": "Countess@example.org", "current_password": PASSWORD}
    assert client.post(f"{API}/users/me/email", json=change, headers=sign_in()).status_code == 202
    [confirm] = mailed()
    assert can_sign_in(client, PASSWORD, "ada@example.org")

    token = {"token": token_in(confirm)}
    click = client.post(f"{API}/auth/confirm-email", json=token)
    wrong = client.post(f"{API}/auth/confirm-email", json=token | {"current_password": "not the password"})
    reply = client.post(f"{API}/auth/confirm-email", json=token | {"current_password": PASSWORD})

    assert 'name="current_password"' in client.get("/account/confirm-email").text
    assert (click.status_code, wrong.status_code) == (422, 403)
    assert (confirm["To"], reply.status_code) == ("countess@example.org", 204)
    assert not can_sign_in(client, PASSWORD, "ada@example.org")
    assert can_sign_in(client, PASSWORD, "countess@example.org")
    [notice] = mailed()
    assert (notice["To"], notice["Subject"]) == ("ada@example.org", "Your address was changed")


def test_an_address_that_somebody_has_proven_cannot_be_taken_over(
    client: TestClient, user: User, session: Session, sign_in: SignInAs, mailed: Mailed
) -> None:
    change = {"email": "grace@example.org", "current_password": PASSWORD}
    client.post(f"{API}/users/me/email", json=change, headers=sign_in())
    [confirm] = mailed()
    new_user(session, "grace@example.org")

    confirmed = {"token": token_in(confirm), "current_password": PASSWORD}
    reply = client.post(f"{API}/auth/confirm-email", json=confirmed)
    client.post(f"{API}/users/me/email", json=change, headers=sign_in())

    assert (reply.status_code, reply.json()["type"]) == (409, "urn:problem:email-taken")
    assert mailed() == []
    assert can_sign_in(client, PASSWORD, "ada@example.org")


def test_a_deleted_account_ends_at_once_and_its_data_soon(
    client: TestClient, user: User, session: Session, sign_in: SignInAs, mailed: Mailed
) -> None:
    headers = sign_in()

    reply = client.post(f"{API}/users/me/deletion", json={"current_password": PASSWORD}, headers=headers)

    assert reply.status_code == 202
    assert client.get(ME, headers=headers).status_code == 401
    assert not can_sign_in(client, PASSWORD)
    assert [message["Subject"] for message in mailed()] == ["Your account was deleted"]
    for table in (User, SignIn):
        assert session.scalar(select(func.count()).select_from(table)) == 0


def test_a_forgotten_password_is_reset_by_a_mailed_link_that_works_once(
    client: TestClient, user: User, sign_in: SignInAs, mailed: Mailed
) -> None:
    signed_in = sign_in()
    client.post(f"{API}/auth/forgotten-password", json={"email": user.email})
    [message] = mailed()
    new = {"token": token_in(message), "password": NEW}

    weak = client.post(f"{API}/auth/reset-password", json=new | {"password": user.email})
    with ThreadPoolExecutor(8) as threads:
        replies = list(threads.map(lambda _: client.post(f"{API}/auth/reset-password", json=new), range(8)))

    assert weak.json()["type"] == "urn:problem:password-weak"
    assert sorted(reply.status_code for reply in replies) == [204] + [400] * 7
    assert (can_sign_in(client, PASSWORD), can_sign_in(client, NEW)) == (False, True)
    assert client.get(ME, headers=signed_in).status_code == 401
    assert [message["Subject"] for message in mailed()] == ["Your password was changed"]


def test_asking_for_a_reset_never_tells_whether_the_address_is_known(
    client: TestClient, user: User, mailed: Mailed
) -> None:
    replies = [
        client.post(f"{API}/auth/forgotten-password", json={"email": email})
        for email in (user.email, "nobody@example.org")
    ]

    assert len({(reply.status_code, reply.text) for reply in replies}) == 1
    assert [message["To"] for message in mailed()] == [user.email]


@pytest.mark.parametrize("path", ["verify", "confirm-email", "reset-password"])
def test_a_link_serves_its_own_purpose_only(client: TestClient, user: User, mailed: Mailed, path: str) -> None:
    client.post(f"{API}/auth/forgotten-password", json={"email": user.email})
    other = {"token": token_in(mailed()[0]), "current_password": PASSWORD}
    other = other if path != "reset-password" else {"token": "x", "password": NEW}

    reply = client.post(f"{API}/auth/{path}", json=other)

    assert (reply.status_code, reply.json()["type"]) == (400, "urn:problem:link-invalid")
