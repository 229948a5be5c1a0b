from datetime import timedelta
from time import process_time
from uuid import UUID

from conftest import SignIn
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session

from app.security import password_matches, sign_token
from app.users.models import User


def test_signing_in_gives_a_token_that_tells_who_asks(client: TestClient, user: User, sign_in: SignIn) -> None:
    reply = client.get("/users/me", headers=sign_in("ADA@example.org"))

    assert reply.status_code == 200
    assert UUID(reply.json()["id"]) == user.id


def test_a_wrong_password_and_an_unknown_address_get_the_same_answer(client: TestClient, user: User) -> None:
    replies = [
        client.post("/auth/token", data={"username": name, "password": "wrong password"})
        for name in (user.email, "eve@example.org", "a\x00b", "")
    ]

    assert [reply.status_code for reply in replies][:3] == [401, 401, 401]
    assert len({reply.json()["detail"] for reply in replies[:3]}) == 1


def test_an_unknown_address_costs_as_much_hashing_as_a_known_one(user: User) -> None:
    def seconds(password_hash: str | None) -> float:
        started = process_time()
        assert not password_matches("wrong password", password_hash)
        return process_time() - started

    seconds(None)
    known, unknown = min(seconds(user.password_hash) for _ in range(3)), min(seconds(None) for _ in range(3))

    # Without a comparison it would be a thousandth.
    assert unknown > known / 4


def test_without_a_valid_token_nobody_is_signed_in(client: TestClient, user: User) -> None:
    expired = sign_token("access", user.id, timedelta(seconds=-1))
    nobody = sign_token("access", UUID(int=0), timedelta(hours=1))

    replies = [client.get("/users/me")]
    replies += [client.get("/users/me", headers={"Authorization": f"Bearer {token}"}) for token in (expired, nobody)]

    assert [reply.status_code for reply in replies] == [401, 401, 401]
    assert all(reply.headers["www-authenticate"] == "Bearer" for reply in replies)


def test_a_request_leaves_the_time_at_which_its_user_was_seen(
    client: TestClient, user: User, sign_in: SignIn, session: Session
) -> None:
    client.get("/users/me", headers=sign_in())
    session.refresh(user)
    first = user.last_seen_at

    client.get("/users/me", headers=sign_in())
    session.refresh(user)

    assert first is not None
    assert user.last_seen_at == first
