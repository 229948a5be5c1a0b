"""People for the tests: users as rows, and the headers of a device on which one is signed in."""

from collections.abc import Callable
from datetime import timedelta
from functools import cache
from typing import Any

from fastapi.testclient import TestClient
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import func
from sqlalchemy.orm import Session

from app.accounts import passwords
from app.accounts.models import SignIn, User
from app.settings import API
from groundwork.http import sign_token

__all__ = ["ME", "PASSWORD", "SignInAs", "bearer", "can_sign_in", "new_user"]

PASSWORD = "correct horse battery"
ME = f"{API}/users/me"
SignInAs = Callable[..., dict[str, str]]
# Argon2id as in production, at a hundredth of its cost: every test signs somebody in.
passwords.hasher = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=1024, parallelism=1),))


def new_user(session: Session, email: str, **different: Any) -> User:
    """A verified user, as if they had registered and used the link: tests of registration alone register."""
    values = {"password_hash": _password_hash(), "verified_at": func.now()}
    user = User(email=email, **values | different)
    session.add(user)
    session.commit()
    return user


@cache
def _password_hash() -> str:
    return passwords.hash_password(PASSWORD)


def bearer(sign_in: SignIn, seconds: int = 600) -> dict[str, str]:
    """The header with an access token that is valid for this long."""
    return {"Authorization": f"Bearer {sign_token('access', sign_in.id, timedelta(seconds=seconds))}"}


def can_sign_in(client: TestClient, password: str, email: str = "ada@example.org") -> bool:
    return client.post(f"{API}/auth/token", data={"username": email, "password": password}).is_success
