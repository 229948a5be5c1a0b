from datetime import timedelta
from uuid import UUID

from fastapi.testclient import TestClient
from people import ME, PASSWORD, SignInAs
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts.models import SignIn, User
from app.settings import API
from groundwork.http import sign_token
from groundwork.testing import Mailed

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
)


def test_signing_in_gives_a_token_that_tells_who_asks(client: TestClient, user: User) -> None:
    signed_in = client.post(f"{API}/auth/token", data={"username": "ADA@example.org", "password": PASSWORD}).json()

    reply = client.get(ME, headers={"Authorization": f"Bearer {signed_in['access_token']}"})

    assert reply.status_code == 200
    assert UUID(reply.json()["id"]) == user.id


def test_a_password_hashed_in_an_older_way_is_hashed_anew_when_its_owner_signs_in(
    client: TestClient, user: User, session: Session
) -> None:
    form = {"username": user.email, "password": PASSWORD}
    user.password_hash = PasswordHash((Argon2Hasher(time_cost=2, memory_cost=64, parallelism=1),)).hash(PASSWORD)
    session.commit()

    old, first = user.password_hash, client.post(f"{API}/auth/token", data=form)
    session.refresh(user)

    assert user.password_hash != old
    assert "m=1024,t=1" in user.password_hash
    assert (first.status_code, client.post(f"{API}/auth/token", data=form).status_code) == (200, 200)


def test_a_wrong_password_and_an_unknown_address_get_the_same_answer(client: TestClient, user: User) -> None:
    replies = [
        client.post(f"{API}/auth/token", data={"username": name, "password": "wrong password"})
        for name in (user.email, "eve@example.org", "a\x00b", "")
    ]

    assert [reply.status_code for reply in replies][:3] == [401, 401, 401]
    assert len({reply.json()["detail"] for reply in replies[:3]}) == 1


def test_without_a_valid_token_nobody_is_signed_in(
    client: TestClient, user: User, sign_in: SignInAs, session: Session
) -> None:
    sign_in()
    row = session.scalars(select(SignIn)).one()
    expired = sign_token("access", row.id, timedelta(seconds=-1))
    nobody = sign_token("access", UUID(int=0), timedelta(hours=1))
    other_purpose = sign_token("other", row.id, timedelta(hours=1))
    forged = sign_token("access", row.id, timedelta(hours=1))[:-4] + "AAAA"

    replies = [client.get(ME)]
    for token in (expired, nobody, other_purpose, forged, "x"):
        replies.append(client.get(ME, headers={"Authorization": f"Bearer {token}"}))

    assert [reply.status_code for reply in replies] == [401] * 6
    assert all(reply.headers["www-authenticate"] == "Bearer" for reply in replies)


def test_a_request_leaves_the_time_at_which_its_user_was_seen(
    client: TestClient, user: User, sign_in: SignInAs, session: Session
) -> None:
    client.get(ME, headers=sign_in())
    session.refresh(user)
    first = user.last_seen_at

    client.get(ME, headers=sign_in())
    session.refresh(user)

    assert first is not None
    assert user.last_seen_at == first


def test_a_sign_in_from_a_new_device_is_told_by_mail(client: TestClient, user: User, mailed: Mailed) -> None:
    form = {"username": user.email, "password": PASSWORD}
    for agent in (FIREFOX, FIREFOX.replace("145", "146"), CHROME, CHROME):
        client.post(f"{API}/auth/token", data=form, headers={"User-Agent": agent})

    [notice] = mailed()
    body = notice.get_body(("plain",))
    assert body is not None
    assert (notice["To"], notice["Subject"].partition(" to ")[0]) == (user.email, "New sign-in")
    assert "Chrome on Windows" in body.get_content()
