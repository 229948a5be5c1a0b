"""What keeps a connection to the database: neither a client that sends slowly nor a password that is hashed."""

import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any, cast
from urllib.parse import urlsplit

import httpx2
import psycopg
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from live_server import serving
from people import PASSWORD, bearer, new_user
from sqlalchemy import Engine
from sqlalchemy.orm import Session
from test_permissions import ALL, BODIES, TARGETS

from app.accounts import passwords
from app.accounts.models import SignIn
from app.main import create_app
from app.settings import API
from groundwork.data import engine
from groundwork.data.connections import forget_engine
from groundwork.data.request_session import held
from groundwork.jobs.one_transaction import job_engine
from groundwork.testing import SetVariable
from groundwork.testing.permissions import below, statuses

ADMIN = "POST /admin/login"
LOGIN = {"data": {"username": "ada@example.org", "password": PASSWORD}}


@pytest.fixture
def one_connection(set_variable: SetVariable) -> None:
    set_variable("DATABASE_POOL_SIZE", "1")


@pytest.fixture
def hashing(monkeypatch: pytest.MonkeyPatch) -> tuple[Event, Event]:
    """One that is set when a password is looked at, and one that ends that."""
    begun, over = Event(), Event()

    def wait(*_: object) -> tuple[bool, None]:
        begun.set()
        assert over.wait(20)
        return False, None

    monkeypatch.setattr(passwords.hasher, "verify_and_update", wait)
    return begun, over


@pytest.mark.usefixtures("one_connection")
@pytest.mark.parametrize("path", ["webhooks/email", "auth/token", "auth/verify"])
def test_a_body_that_comes_slowly_keeps_no_connection(path: str) -> None:
    kind = "application/x-www-form-urlencoded" if path == "auth/token" else "application/json"
    head = f"POST {API}/{path} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: 900\r\n\r\n{{"
    with serving() as (url, _), socket.create_connection((urlsplit(url).hostname, urlsplit(url).port)) as slow:
        slow.sendall(head.encode())
        # It has come when this one has its answer.
        assert httpx2.get(f"{url}/health/live").status_code == 200

        assert httpx2.get(f"{url}/health/ready", timeout=5).status_code == 200


def test_a_route_that_waits_for_its_body_with_a_connection_is_found(
    client: TestClient, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("groundwork.testing.permissions.held", lambda _: 1)
    owner = new_user(session, "owner@example.org")

    with pytest.raises(AssertionError, match="webhooks/email waits for the body with a connection"):
        statuses(client, session, [f"POST {API}/webhooks/email"], {}, owner.id, {}, dict)


@pytest.mark.usefixtures("one_connection")
@pytest.mark.parametrize("hashes", [f"{API}/auth/token", "/admin/login"])
def test_others_are_served_while_a_password_is_hashed(hashing: tuple[Event, Event], hashes: str) -> None:
    begun, over = hashing
    headers = {"Origin": "http://testserver"}
    with TestClient(create_app()) as client, ThreadPoolExecutor(4) as threads:
        waiting = [threads.submit(client.post, hashes, headers=headers, **cast("Any", LOGIN)) for _ in range(3)]
        assert begun.wait(20)
        other = threads.submit(client.get, "/health/ready")
        try:
            assert other.result(5).status_code == 200
            assert not any(each.done() for each in waiting)
        finally:
            over.set()


@pytest.mark.parametrize("method", ["hash", "verify_and_update"])
def test_no_route_keeps_a_connection_while_it_hashes(
    client: TestClient, session: Session, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    kept = []
    api, original = cast("FastAPI", client.app), getattr(passwords.hasher, method)
    owner = new_user(session, "owner@example.org")
    routes = [route for route in ALL if route.startswith("POST ") and "webhooks" not in route]

    def headers() -> dict[str, str]:
        sign_in = SignIn(user_id=owner.id, device="", address="")
        session.add(sign_in)
        session.commit()
        return bearer(sign_in) | {"Origin": "http://testserver"}

    def hashed(*words: Any) -> Any:
        kept.append(held(api.state.sessions))
        return original(*words)

    monkeypatch.setattr(passwords.hasher, method, hashed)
    statuses(client, session, [*routes, ADMIN], below(API, BODIES) | {ADMIN: LOGIN}, owner.id, TARGETS, headers)

    assert kept == [0] * (2 if method == "hash" else 5)


@pytest.mark.usefixtures("session")
@pytest.mark.parametrize("engine_of", [engine, job_engine])
def test_what_a_thread_gives_back_to_an_engine_of_the_past_is_closed(engine_of: Callable[[], Engine]) -> None:
    with engine_of().connect() as connection:
        driver = connection.connection.driver_connection
        forget_engine()

    assert isinstance(driver, psycopg.Connection)
    assert driver.closed
    with engine_of().connect() as connection:
        driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    assert not driver.closed
