"""The counts of limits: nobody tries for long, and no stranger shuts an owner out."""

from collections.abc import Callable, Iterator

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from people import PASSWORD, SignInAs, new_user
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.accounts.models import User
from app.settings import API
from groundwork.http import Client, client_of
from groundwork.http.models import RateLimit
from groundwork.jobs import Job, enqueue, housekeeping
from groundwork.testing import Mailed, RunJob, token_in

SignIn = Callable[..., int]


@pytest.fixture
def come_from(api: FastAPI) -> Iterator[Callable[[str], None]]:
    """Requests come from this address from now on."""

    def come(address: str) -> None:
        api.dependency_overrides[client_of] = lambda: Client(address, "Firefox on Linux")

    yield come
    api.dependency_overrides.clear()


@pytest.fixture
def sign_in_from(client: TestClient, user: User, come_from: Callable[[str], None]) -> SignIn:
    def attempt(address: str, right: str = "") -> int:
        come_from(address)
        form = {"username": user.email, "password": right or "wrong password"}
        return client.post(f"{API}/auth/token", data=form).status_code

    return attempt


def test_a_stranger_shuts_out_nobody_but_themselves(sign_in_from: SignIn) -> None:
    # All of it is one network.
    codes = [sign_in_from(f"2001:db8:1:2::{number:x}") for number in range(80)]

    assert codes == [401] * 10 + [429] * 70
    assert sign_in_from("2001:db8:1:3::1", PASSWORD) == 200


def test_many_networks_guess_a_password_fifty_times_and_shut_out_no_network_that_its_owner_has_used(
    sign_in_from: SignIn, session: Session
) -> None:
    home = sign_in_from("192.0.2.1", PASSWORD)

    codes = [sign_in_from(f"198.51.100.{number}") for number in range(51)]

    assert home == 200
    # Of the fifty one was the owner's.
    assert codes == [401] * 49 + [429] * 2
    assert sign_in_from("198.51.100.99", PASSWORD) == 429
    assert sign_in_from("192.0.2.1", PASSWORD) == 200


def test_strangers_take_no_reset_link_away(
    client: TestClient, user: User, mailed: Mailed, come_from: Callable[[str], None]
) -> None:
    replies = []
    for address in [*(f"198.51.100.{number}" for number in range(1, 4) for _ in range(6)), "192.0.2.1"]:
        come_from(address)
        replies.append(client.post(f"{API}/auth/forgotten-password", json={"email": user.email}))

    # What is refused is answered as always, and the mailbox has a link that works.
    assert {(reply.status_code, reply.text) for reply in replies} == {(202, replies[0].text)}
    links = [token_in(message) for message in mailed()]
    assert len(links) == 10
    new = {"token": links[-1], "password": "an entirely new one"}
    assert client.post(f"{API}/auth/reset-password", json=new).status_code == 204


def test_five_requests_of_a_stranger_leave_the_owner_their_own(
    client: TestClient, user: User, session: Session, come_from: Callable[[str], None]
) -> None:
    for address in [*["198.51.100.1"] * 6, "192.0.2.1"]:
        come_from(address)
        client.post(f"{API}/auth/forgotten-password", json={"email": user.email})

    assert session.scalar(select(func.count()).select_from(Job)) == 6


def test_mail_to_a_new_address_counts_for_its_mailbox_whoever_asks(
    client: TestClient, sign_in: SignInAs, session: Session, mailed: Mailed, come_from: Callable[[str], None]
) -> None:
    replies = []
    for number in range(4):
        email = f"user{number}@example.org"
        new_user(session, email)
        headers = sign_in(email)
        come_from(f"198.51.100.{number}")
        change = {"email": "victim@example.org", "current_password": PASSWORD}
        replies += [client.post(f"{API}/users/me/email", json=change, headers=headers) for _ in range(5)]

    assert {(reply.status_code, reply.text) for reply in replies} == {(202, replies[0].text)}
    assert len(mailed()) == 10


def test_a_browser_of_the_same_name_in_another_network_is_a_new_device(
    sign_in_from: SignIn, session: Session, mailed: Mailed
) -> None:
    for address in ("192.0.2.1", "192.0.2.1", "198.51.100.1", "198.51.100.1", "192.0.2.1"):
        sign_in_from(address, PASSWORD)

    [notice] = mailed()
    body = notice.get_body(("plain",))
    assert body is not None
    assert "198.51.100.1" in body.get_content()


def test_the_counts_name_nobody_and_go_when_their_time_is_over(
    client: TestClient, session: Session, run_job: RunJob
) -> None:
    client.post(f"{API}/auth/forgotten-password", json={"email": "ada@example.org"})
    keys = session.scalars(select(RateLimit.key)).all()
    session.execute(update(RateLimit).values(ends_at=func.now()))
    session.commit()

    job = enqueue(session, housekeeping)
    session.commit()
    run_job(job)

    assert len(keys) == 3
    assert not any("ada" in key or "testclient" in key for key in keys)
    assert session.scalar(select(func.count()).select_from(RateLimit)) == 0
