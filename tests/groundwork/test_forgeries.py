"""Nobody forges a token or a type, and of many who use a token at once one gets what it is for.

FUZZ_EXAMPLES=12 tries more of it.
"""

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from random import Random
from string import ascii_letters, digits
from typing import Any
from uuid import UUID, uuid4

import jwt
import pytest
from fastapi.testclient import TestClient
from people import ME, PASSWORD, SignInAs
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.accounts.models import SignIn, User
from app.settings import API, get_settings
from groundwork.audit import AuditEvent
from groundwork.http import sign_token
from groundwork.testing import Mailed, token_in
from groundwork.testing.questions import EXAMPLES

MINUTE = timedelta(minutes=1)
repeated = pytest.mark.parametrize("number", range(1 + EXAMPLES // 12))


def forged(subject: UUID) -> Iterator[str]:
    """Some fifty tokens that nobody was given, for a sign-in that there is."""
    now = datetime.now(UTC)
    claims: dict[str, Any] = {"aud": "access", "sub": str(subject), "iat": now, "exp": now + MINUTE}
    key, other = get_settings().secret_key, "another-key-" * 4
    real = sign_token("access", subject, MINUTE)
    head, body, signature = real.split(".")

    # Signed by nobody, by somebody else, or in another way.
    for algorithm in ("none", "None", "NONE", "nOnE", "HS256"):
        for end in ("", signature[:-3], "AAAA", signature[::-1]):
            first = urlsafe_b64encode(json.dumps({"alg": algorithm, "typ": "JWT"}).encode()).decode().rstrip("=")
            if (first, end) != (head, signature):
                yield f"{first}.{body}.{end}"
    yield from (jwt.encode(claims, wrong, "HS256") for wrong in (other, key[:-1], key.upper(), f"{key} "))
    yield from (jwt.encode(claims, key, algorithm) for algorithm in ("HS384", "HS512"))
    # Signed, and for something else.
    yield from (sign_token(purpose, subject, MINUTE) for purpose in ("ticket", "admin-page", "Access", "", "refresh"))
    wrong_claims: list[dict[str, Any]] = [
        {"exp": now - MINUTE},
        {"exp": "never"},
        {"exp": float("nan")},
        {"exp": float("inf")},
        {"iat": now + 60 * MINUTE},
        {"nbf": now + 60 * MINUTE},
        {"aud": ["ticket", "admin-page"]},
        {"sub": "1"},
        {"sub": str(uuid4())},
        {"sub": f"{subject}' OR true --"},
        {"sub": "*"},
        {"sub": ""},
    ]
    yield from (jwt.encode(claims | wrong, key, "HS256") for wrong in wrong_claims)
    yield from (
        jwt.encode({name: claims[name] for name in claims if name != left}, key) for left in ("aud", "sub", "exp")
    )
    # No token at all.
    yield from (real[:-1], f"{real}.", f".{real}", f"{head}.{body}", "..", str(subject), "a" * 4096, "null", "Bearer")


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
def test_fifty_forged_tokens_sign_nobody_in(
    client: TestClient, user: User, sign_in: SignInAs, session: Session
) -> None:
    sign_in()
    tokens = list(forged(session.scalars(select(SignIn.id)).one()))
    assert len(tokens) > 50

    for token in tokens:
        assert client.get(ME, headers={"Authorization": f"Bearer {token}"}).status_code == 401, token
        assert client.post(f"{API}/auth/refresh", json={"refresh_token": token[:200]}).status_code == 401, token
        new = {"token": token[:200], "password": "an entirely new one"}
        assert client.post(f"{API}/auth/reset-password", json=new).status_code in {400, 429}, token
        assert (
            client.get(
                "/admin/users/list", headers={"Cookie": f"admin-page={token}"}, follow_redirects=False
            ).status_code
            != 200
        )


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/auth/refresh", {"refresh_token": "x"}),
        ("/auth/reset-password", {"token": "x", "password": PASSWORD}),
        ("/auth/forgotten-password", {"email": "ada@example.org"}),
        ("/users", {"email": "ada@example.org", "password": PASSWORD}),
    ],
    ids=["refresh", "reset", "forgotten", "register"],
)
def test_what_has_another_type_is_invalid(client: TestClient, path: str, fields: dict[str, str]) -> None:
    others = [None, True, 0, 1.5, -(2**63), [], ["x"], [None], {}, {"$ne": ""}, {"x": "x"}, "x" * 300]

    for name in fields:
        for other in others:
            reply = client.post(f"{API}{path}", json=fields | {name: other})
            assert reply.status_code == 422, (name, other)
            assert reply.json()["type"] == "urn:problem:invalid-request"


def at_once(ask: Callable[[], int]) -> list[int]:
    with ThreadPoolExecutor(50) as threads:
        return sorted(threads.map(lambda _: ask(), range(50)))


@repeated
def test_of_fifty_who_use_one_link_at_once_one_resets_the_password(
    client: TestClient, user: User, session: Session, mailed: Mailed, number: int
) -> None:
    client.post(f"{API}/auth/forgotten-password", json={"email": user.email})
    [message] = mailed()
    new = {"token": token_in(message), "password": "an entirely new one"}

    codes = at_once(lambda: client.post(f"{API}/auth/reset-password", json=new).status_code)

    assert codes == [204] + [400] * 49
    assert [message["Subject"] for message in mailed()] == ["Your password was changed"]


@repeated
def test_fifty_who_refresh_at_once_have_one_successor_and_fifty_who_are_late_end_the_sign_in_once(
    client: TestClient, user: User, session: Session, number: int
) -> None:
    form = {"username": user.email, "password": PASSWORD}
    first = client.post(f"{API}/auth/token", data=form).json()["refresh_token"]
    given: set[str] = set()

    def refresh(token: str) -> int:
        reply = client.post(f"{API}/auth/refresh", json={"refresh_token": token})
        given.update({reply.json()["refresh_token"]} if reply.is_success else set())
        return reply.status_code

    together = at_once(lambda: refresh(first))
    [second] = given
    # Used: from now on the first one is a theft.
    assert refresh(second) == 200
    late = at_once(lambda: refresh(first))

    assert (together, late) == ([200] * 50, [401] * 50)
    reused = select(func.count()).where(AuditEvent.kind == "refresh-token-reused")
    assert session.scalar(reused) == 1


def test_who_lost_the_answer_gets_the_same_token_again_for_half_a_minute(
    client: TestClient, user: User, session: Session
) -> None:
    form = {"username": user.email, "password": PASSWORD}
    first = {"refresh_token": client.post(f"{API}/auth/token", data=form).json()["refresh_token"]}

    replies = [client.post(f"{API}/auth/refresh", json=first) for _ in range(3)]

    [second] = {reply.json()["refresh_token"] for reply in replies}
    for reply in replies:
        assert client.get(ME, headers={"Authorization": f"Bearer {reply.json()['access_token']}"}).is_success
    session.execute(update(SignIn).values(refreshed_at=func.now() - timedelta(seconds=31)))
    session.commit()
    late = client.post(f"{API}/auth/refresh", json=first)
    assert late.status_code == 401
    assert client.post(f"{API}/auth/refresh", json={"refresh_token": second}).status_code == 401


def test_another_kind_of_device_gets_no_token_again(client: TestClient, user: User) -> None:
    form = {"username": user.email, "password": PASSWORD}
    first = {"refresh_token": client.post(f"{API}/auth/token", data=form).json()["refresh_token"]}
    second = client.post(f"{API}/auth/refresh", json=first).json()["refresh_token"]

    thief = client.post(f"{API}/auth/refresh", json=first, headers={"User-Agent": "curl/8.14"})

    assert thief.status_code == 401
    assert client.post(f"{API}/auth/refresh", json={"refresh_token": second}).status_code == 401


def test_a_new_key_does_not_sign_out_who_lost_the_answer(
    client: TestClient, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = {"username": user.email, "password": PASSWORD}
    token = {"refresh_token": client.post(f"{API}/auth/token", data=form).json()["refresh_token"]}
    lost = client.post(f"{API}/auth/refresh", json=token).json()["refresh_token"]
    monkeypatch.setattr(get_settings(), "secret_key_previous", get_settings().secret_key)
    monkeypatch.setattr(get_settings(), "secret_key", "another-key-" * 4)

    assert client.post(f"{API}/auth/refresh", json=token).json()["refresh_token"] == lost


def test_guesses_near_a_refresh_token_end_no_sign_in_of_others(client: TestClient, user: User) -> None:
    form = {"username": user.email, "password": PASSWORD}
    token = client.post(f"{API}/auth/token", data=form).json()["refresh_token"]
    random = Random(19)

    for _ in range(50 * EXAMPLES):
        place = random.randrange(len(token))
        guess = token[:place] + random.choice((ascii_letters + digits).replace(token[place], "")) + token[place + 1 :]
        assert client.post(f"{API}/auth/refresh", json={"refresh_token": guess}).status_code == 401

    assert client.post(f"{API}/auth/refresh", json={"refresh_token": token}).status_code == 200
