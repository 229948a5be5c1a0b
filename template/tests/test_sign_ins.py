"""Staying signed in, and the end of it."""

from datetime import timedelta
from hashlib import sha256
from typing import Any

from fastapi.testclient import TestClient
from people import ME, PASSWORD, SignInAs, new_user
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.accounts.events import Kind
from app.accounts.models import SignIn, Token, User
from app.settings import API
from groundwork.audit import AuditEvent


def tokens(client: TestClient) -> dict[str, Any]:
    form = {"username": "ada@example.org", "password": PASSWORD}
    return dict(client.post(f"{API}/auth/token", data=form).json())


def refresh(client: TestClient, refresh_token: str) -> Any:
    return client.post(f"{API}/auth/refresh", json={"refresh_token": refresh_token})


def works(client: TestClient, access_token: str) -> bool:
    return client.get(ME, headers={"Authorization": f"Bearer {access_token}"}).is_success


def test_a_refresh_token_gives_new_tokens(client: TestClient, user: User) -> None:
    first = tokens(client)

    second = refresh(client, first["refresh_token"]).json()
    third = refresh(client, second["refresh_token"]).json()

    assert first["expires_in"] == 15 * 60
    assert len({each["refresh_token"] for each in (first, second, third)}) == 3
    assert works(client, third["access_token"])


def test_a_refresh_token_that_comes_again_ends_all_of_its_family_and_no_other(
    client: TestClient, user: User, session: Session
) -> None:
    first, other = tokens(client), tokens(client)
    thief = refresh(client, first["refresh_token"]).json()
    thief = refresh(client, thief["refresh_token"]).json()

    reply = refresh(client, first["refresh_token"])

    assert (reply.status_code, reply.json()["type"]) == (401, "urn:problem:refresh-token-refused")
    assert refresh(client, thief["refresh_token"]).status_code == 401
    assert not works(client, thief["access_token"])
    assert not works(client, first["access_token"])
    assert works(client, other["access_token"])
    assert session.scalar(select(func.count()).where(AuditEvent.kind == Kind.REFRESH_TOKEN_REUSED)) == 1


def test_old_and_invented_refresh_tokens_are_refused_and_end_nothing(
    client: TestClient, user: User, session: Session
) -> None:
    given = tokens(client)
    session.execute(update(SignIn).values(refreshed_at=func.now() - timedelta(days=30)))
    session.commit()

    assert refresh(client, given["refresh_token"]).status_code == 401
    assert refresh(client, "invented").status_code == 401
    assert refresh(client, given["access_token"][:200]).status_code == 401
    assert works(client, given["access_token"])


def test_refresh_tokens_are_two_hashes_however_many_there_were(
    client: TestClient, user: User, session: Session
) -> None:
    token = tokens(client)["refresh_token"]
    for _ in range(3):
        token = refresh(client, token).json()["refresh_token"]

    [kept] = session.scalars(select(SignIn)).all()
    assert kept.newest_token == sha256(token.encode()).digest()
    assert session.scalar(select(func.count()).select_from(Token)) == 0


def test_signing_out_ends_this_sign_in_at_once(client: TestClient, user: User) -> None:
    here, elsewhere = tokens(client), tokens(client)

    reply = client.post(f"{API}/auth/sign-out", headers={"Authorization": f"Bearer {here['access_token']}"})

    assert reply.status_code == 204
    assert not works(client, here["access_token"])
    assert refresh(client, here["refresh_token"]).status_code == 401
    assert works(client, elsewhere["access_token"])


def test_signing_out_everywhere_ends_all(client: TestClient, user: User, sign_in: SignInAs) -> None:
    here, elsewhere = sign_in(), tokens(client)

    assert client.post(f"{API}/auth/sign-out-everywhere", headers=here).status_code == 204

    assert not works(client, elsewhere["access_token"])
    assert refresh(client, elsewhere["refresh_token"]).status_code == 401
    assert client.get(ME, headers=here).status_code == 401


def test_people_see_where_they_are_signed_in_and_end_what_they_do_not_know(
    client: TestClient, user: User, sign_in: SignInAs, session: Session
) -> None:
    new_user(session, "eve@example.org")
    unknown, here, eves = sign_in(), sign_in(), sign_in("eve@example.org")
    seen = client.get(f"{API}/auth/sign-ins", headers=here).json()
    url = f"{API}/auth/sign-ins/{seen[1]['id']}"

    foreign, own = (client.delete(url, headers=headers).status_code for headers in (eves, here))

    assert [each["current"] for each in seen] == [True, False]
    assert seen[0]["device"] == "testclient"
    assert (foreign, own) == (404, 204)
    assert client.get(ME, headers=unknown).status_code == 401
    assert len(client.get(f"{API}/auth/sign-ins", headers=here).json()) == 1
    assert client.get(f"{API}/auth/sign-ins?before={seen[0]['id']}", headers=here).json() == []
