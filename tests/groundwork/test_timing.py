"""The time of an answer tells nobody which addresses have an account.

TIMING_SAMPLES=200 measures with passwords as costly as in production; without it a few cheaper ones show a gross mistake.
"""

import os
from collections.abc import Callable, Iterator
from random import Random
from time import perf_counter
from typing import Any
from uuid import uuid4

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from people import PASSWORD
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import func
from sqlalchemy.orm import Session

from app.accounts import passwords
from app.accounts.models import User
from app.settings import API
from groundwork.http import Client, client_of

SAMPLES = int(os.environ.get("TIMING_SAMPLES", "12"))
# How often a known address may be the slower one of two: half of the time, give or take four standard errors.
MARGIN = 4 * (1 / (6 * SAMPLES)) ** 0.5
ASKS: dict[str, Callable[[str], tuple[str, dict[str, Any]]]] = {
    "sign in": lambda email: (f"{API}/auth/token", {"data": {"username": email, "password": "wrong password"}}),
    "register": lambda email: (f"{API}/users", {"json": {"email": email, "password": PASSWORD}}),
    "forgotten": lambda email: (f"{API}/auth/forgotten-password", {"json": {"email": email}}),
}


@pytest.fixture(autouse=True)
def _costly(monkeypatch: pytest.MonkeyPatch) -> None:
    costs = Argon2Hasher() if SAMPLES > 100 else Argon2Hasher(time_cost=1, memory_cost=16 * 1024, parallelism=1)
    monkeypatch.setattr(passwords, "hasher", PasswordHash((costs,)))
    nobodys = passwords.hash_password("nobody has this password")
    monkeypatch.setattr(passwords, "_nobodys_hash", lambda: nobodys)


@pytest.fixture(autouse=True)
def _from_everywhere(api: FastAPI) -> Iterator[None]:
    """Each request from an address of its own: no limit ends the measurement."""
    api.dependency_overrides[client_of] = lambda: Client(str(uuid4()))
    yield
    api.dependency_overrides.clear()


@pytest.mark.parametrize("ask", ASKS)
def test_the_time_of_an_answer_tells_nothing(client: TestClient, session: Session, ask: str) -> None:
    emails = [f"{kind}{number}@example.org" for kind in ("known", "new") for number in range(SAMPLES)]
    costly = passwords.hash_password(PASSWORD)
    session.add_all(User(email=email, password_hash=costly, verified_at=func.now()) for email in emails[:SAMPLES])
    session.commit()
    # In any order, so that whatever else the machine does meets both alike.
    Random(7).shuffle(emails)

    seconds = {email: _seconds(client, *ASKS[ask](email)) for email in emails}

    known, new = ([seconds[email] for email in emails if email.startswith(kind)] for kind in ("known", "new"))
    slower = sum(a > b for a in known for b in new) / SAMPLES**2
    print(f"{ask}: medians {sorted(known)[SAMPLES // 2]:.4f} and {sorted(new)[SAMPLES // 2]:.4f} s, {slower:.2f}")
    assert abs(slower - 0.5) < MARGIN, f"known {sorted(known)}, new {sorted(new)}"


def _seconds(client: TestClient, path: str, body: dict[str, Any]) -> float:
    started = perf_counter()
    reply = client.post(path, **body)
    seconds = perf_counter() - started
    assert reply.status_code in {202, 401}
    return seconds
