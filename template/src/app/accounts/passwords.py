"""Passwords: whether one is easily guessed, its hash, and whether it matches."""

from functools import cache
from math import prod
from threading import BoundedSemaphore

from pwdlib import PasswordHash

from app.settings import get_settings
from groundwork.http import new_secret, one_spelling, verify
from groundwork.processors import processors

__all__ = ["easily_guessed", "hash_password", "hasher", "password_matches"]

hasher = PasswordHash.recommended()
# A flood of sign-ins must not take 64 MiB for each of forty threads.
_turn = BoundedSemaphore(processors())


def hash_password(password: str) -> str:
    """Argon2id; takes about 50 ms of CPU and 64 MiB, so call it in a thread."""
    with _turn:
        return hasher.hash(one_spelling(password))


def password_matches(password: str, password_hash: str | None) -> tuple[bool, str | None]:
    """Whether it does, and a better hash to keep from now on where the present one is of an older kind.

    Without a hash, as of an unknown address, nothing matches; it takes as long.
    """
    with _turn:
        matches, better = verify(hasher, password, password_hash or _nobodys_hash())
    return matches and bool(password_hash), better


@cache
def _nobodys_hash() -> str:
    return hasher.hash(new_secret())


def easily_guessed(password: str, email: str) -> str:
    """Why it would be found within a million tries, in a sentence, or nothing. Up to 50 ms of CPU: call it in a thread.

    It knows 30,000 common passwords, names, words, keyboards and dates, and that people add a year.
    """
    # Only now, here and below: its lists of words take 12 MB, in a worker and a relay for nothing.
    from zxcvbn import zxcvbn

    estimate = zxcvbn(_beginning(password), user_inputs=[email, *email.split("@"), get_settings().project_name])
    if estimate["score"] >= 2:
        return ""
    return str(estimate["feedback"]["warning"]) or "It is easily guessed."


def _beginning(password: str) -> str:
    """The part that is looked at; what follows makes a password no weaker.

    The time grows with the square of its length, and with the ways in which signs may stand for letters: up to 700.
    """
    from zxcvbn.matching import L33T_TABLE

    password = one_spelling(password)
    signs = [set(signs) for signs in L33T_TABLE.values()]
    ways = (prod(len(each & {*password[:end]}) or 1 for each in signs) for end in range(33))
    return password[: max(end for end, number in enumerate(ways) if number * end**2 <= 16 * 32**2)]
