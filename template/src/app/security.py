"""Passwords and signed tokens: pure functions."""

import os
from base64 import urlsafe_b64encode
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from hmac import digest
from secrets import token_urlsafe
from threading import BoundedSemaphore
from typing import Any
from uuid import UUID

import jwt
from pwdlib import PasswordHash

from app.settings import get_settings

__all__ = [
    "TokenInvalid",
    "hash_password",
    "hash_secret",
    "hasher",
    "mailed_secret",
    "new_secret",
    "password_matches",
    "read_token",
    "sign_token",
]

hasher = PasswordHash.recommended()
# A flood of sign-ins must not take 64 MiB for each of forty threads.
_turn = BoundedSemaphore(os.cpu_count() or 1)


class TokenInvalid(Exception):
    """The token is forged, expired, or was made for another purpose."""


def hash_password(password: str) -> str:
    """Argon2id; takes about 50 ms of CPU and 64 MiB, so call it in a thread."""
    with _turn:
        return hasher.hash(password)


def password_matches(password: str, password_hash: str | None) -> tuple[bool, str | None]:
    """Whether it does, and a better hash to keep from now on where the present one is of an older kind.

    Takes as long for None, an unknown address, as for a known one.
    """
    with _turn:
        matches, better = hasher.verify_and_update(password, password_hash or _nobodys_hash())
    return matches and password_hash is not None, better


@cache
def _nobodys_hash() -> str:
    return hasher.hash("nobody has this password")


def new_secret() -> str:
    """256 random bits, to be given away once."""
    return token_urlsafe(32)


def hash_secret(secret: str) -> bytes:
    """What the database keeps of a secret: 256 random bits need neither salt nor a slow hash."""
    return sha256(secret.encode()).digest()


def mailed_secret(job_id: UUID) -> str:
    """Of the link that this job mails: each attempt sends the same one, and no row has it."""
    key = get_settings().secret_key.encode()
    return urlsafe_b64encode(digest(key, b"link of job " + job_id.bytes, "sha256")).decode().rstrip("=")


def sign_token(purpose: str, subject: UUID, lifetime: timedelta, *, issued_at: datetime | None = None) -> str:
    """The same arguments give the same token: a repeated e-mail carries the same link."""
    issued_at = issued_at or datetime.now(UTC)
    claims = {"aud": purpose, "sub": str(subject), "iat": issued_at, "exp": issued_at + lifetime}
    return jwt.encode(claims, get_settings().secret_key, "HS256")


def read_token(purpose: str, token: str) -> UUID:
    """The subject; raises TokenInvalid."""
    keys = [get_settings().secret_key, get_settings().secret_key_previous]
    options: Any = {"require": ["aud", "sub", "exp"]}
    try:
        for key in filter(None, keys):
            with suppress(jwt.InvalidSignatureError):
                return UUID(jwt.decode(token, key, ["HS256"], audience=purpose, options=options)["sub"])
    except (jwt.InvalidTokenError, ValueError) as error:
        raise TokenInvalid from error
    raise TokenInvalid
