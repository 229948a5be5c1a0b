"""Signed tokens, and secrets that are given away once."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from hmac import compare_digest, digest
from json import loads
from secrets import token_urlsafe
from time import time
from uuid import UUID

import jwt
from starlette.requests import HTTPConnection

from groundwork.settings import get_settings

__all__ = ["TokenInvalid", "bears", "derived_secrets", "hash_secret", "new_secret", "read_token", "sign_token"]
__all__ += ["successors"]

# Seconds that the clock of the process that signed a token may be ahead of this one's.
MOST_AHEAD = 60
# With which each token of `sign_token` begins.
HEADER = jwt.encode({}, "a key of 32 bytes or more is long", "HS256").partition(".")[0]


class TokenInvalid(Exception):
    """The token is forged, expired, or was signed for another purpose."""


def new_secret() -> str:
    """A secret of 256 random bits as URL-safe text. Give it away once, and store its hash."""
    return token_urlsafe(32)


def hash_secret(secret: str) -> bytes:
    """The SHA-256 hash of a secret, to be stored. A secret of 256 random bits needs neither salt nor a slow hash."""
    return sha256(secret.encode()).digest()


def derived_secrets(of: UUID) -> dict[bytes, str]:
    """The secrets that belong to the id of a job, by their hashes: of SECRET_KEY first, then of SECRET_KEY_PREVIOUS.

    For a secret that a job gives away. Store the first hash when you enqueue the job, which makes the secret again:
    neither a row nor an argument has it.
    """
    secrets = _digests(b"link of job " + of.bytes)
    return {hash_secret(secret): secret for secret in secrets}


def successors(secret: str) -> dict[bytes, str]:
    """The secrets that follow a secret of `new_secret`, by their hashes: of SECRET_KEY first, then of SECRET_KEY_PREVIOUS.

    They are the same each time, so that one can be given again though no row has it. All that follow each other begin
    with the first one and a dot.
    """
    first = secret.partition(".")[0]
    following = [f"{first}.{each}" for each in _digests(b"successor of " + secret.encode())]
    return {hash_secret(each): each for each in following}


def _digests(of: bytes) -> list[str]:
    """By each key that is valid."""
    keys = [get_settings().secret_key, get_settings().secret_key_previous]
    return [urlsafe_b64encode(digest(key.encode(), of, "sha256")).decode().rstrip("=") for key in keys if key]


def bears(request: HTTPConnection, secret: str | None) -> bool:
    """Whether the request has `Authorization: Bearer <secret>`; never without a secret."""
    given = request.headers.get("Authorization", "")
    return secret is not None and compare_digest(given.encode(), f"Bearer {secret}".encode())


def sign_token(purpose: str, subject: UUID, lifetime: timedelta, *, issued_at: datetime | None = None) -> str:
    """A JWT (HS256, SECRET_KEY) for one purpose, such as "access". The same arguments give the same token."""
    issued_at = issued_at or datetime.now(UTC)
    claims = {"aud": purpose, "sub": str(subject), "iat": issued_at, "exp": issued_at + lifetime}
    return jwt.encode(claims, get_settings().secret_key, "HS256")


def read_token(purpose: str, token: str) -> UUID:
    """The subject of a token that was signed for this purpose; raises TokenInvalid. Accepts SECRET_KEY_PREVIOUS too.

    Nearly every request has one, and PyJWT needs four times as long to read it.
    """
    signed, _, signature = token.rpartition(".")
    header, _, body = signed.partition(".")
    try:
        # A token cannot choose its algorithm, and nothing is decoded that was not signed here.
        if header != HEADER or not any(compare_digest(signature, ours) for ours in _digests(signed.encode())):
            raise TokenInvalid
        claims, now = loads(urlsafe_b64decode(f"{body}==")), time()
        if claims["aud"] != purpose or int(claims["exp"]) <= now or int(claims.get("nbf", 0)) > now:
            raise TokenInvalid
        if float(claims.get("iat", 0)) > now + MOST_AHEAD:
            raise TokenInvalid
        return UUID(str(claims["sub"]))
    except (KeyError, OverflowError, TypeError, ValueError) as error:
        raise TokenInvalid from error
