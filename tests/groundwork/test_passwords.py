"""A password is the same on every keyboard and system."""

from time import process_time
from unicodedata import normalize

import pytest
from fastapi.testclient import TestClient
from people import can_sign_in
from sqlalchemy.orm import Session

from app.accounts import passwords
from app.accounts.models import User
from app.settings import API

MAC, WINDOWS = (normalize(form, "Schöne grüße aus Köln 7") for form in ("NFD", "NFC"))
WIDE = "".join(chr(ord(letter) + 0xFEE0) for letter in "password1")


@pytest.mark.parametrize("chosen", [MAC, WINDOWS])
def test_a_password_that_another_system_spells_differently_is_the_same(
    client: TestClient, user: User, session: Session, chosen: str
) -> None:
    user.password_hash = passwords.hash_password(chosen)
    session.commit()

    assert (can_sign_in(client, MAC), can_sign_in(client, WINDOWS), can_sign_in(client, "Schone gruse")) == (1, 1, 0)


def test_a_hash_of_an_earlier_release_goes_on_working_and_is_made_anew(
    client: TestClient, user: User, session: Session
) -> None:
    user.password_hash = passwords.hasher.hash(MAC)
    session.commit()

    assert not can_sign_in(client, WINDOWS)
    assert can_sign_in(client, MAC)
    assert can_sign_in(client, WINDOWS)


def test_a_weak_password_in_other_letters_is_weak() -> None:
    """It would be the weak one once it is hashed."""
    assert passwords.easily_guessed(WIDE, "") == passwords.easily_guessed("password1", "") != ""


@pytest.mark.parametrize("chosen", [normalize("NFD", "éàüöñ"), "a\u0301" * 5, "ﬁnd a ﬂaw"])
def test_a_password_has_ten_characters_as_it_is_hashed(client: TestClient, chosen: str) -> None:
    reply = client.post(f"{API}/users", json={"email": "new@example.org", "password": chosen})

    assert reply.status_code == (202 if len(normalize("NFKC", chosen)) >= 10 else 422)


def test_no_password_keeps_a_process_busy_with_its_spelling(client: TestClient, user: User) -> None:
    begun = process_time()

    assert not can_sign_in(client, "a" + "\u0301\u0316" * 100_000)
    assert process_time() - begun < 10
