"""Clients that open a stream or a socket and take nothing of it, on real connections."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import httpx2
import pytest
from conftest import SignInAs
from live_server import read, serving
from processes import until
from sqlalchemy import update
from work import add_user

from app import http
from app.db import new_session
from app.jobs.enqueue import enqueue
from app.jobs.models import Job
from app.users.models import User

EVENTS = "/api/v1/jobs/events"
SOCKET = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"


@contextmanager
def hung(url: str, path: str, headers: str) -> Iterator[None]:
    """Somebody who asks, and reads no answer."""
    host, port = urlsplit(url).hostname, urlsplit(url).port
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect((host, port))
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n".encode())
        yield


@pytest.mark.parametrize("way", ["stream", "socket"])
def test_a_client_that_takes_nothing_is_given_up_and_keeps_nobody_waiting(
    user: User, sign_in: SignInAs, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr(http, "PATIENCE", 0.2)
    with new_session() as session:
        job = enqueue(session, add_user, owner=user.id, email="grace@example.org")
        session.commit()
    authorization = sign_in()
    with serving() as (url, api), httpx2.Client(base_url=url, headers=authorization, timeout=10) as watcher:
        hub = api.state.hub
        if way == "socket":
            path = f"{EVENTS}?ticket={watcher.post(f'{EVENTS}/ticket').json()['ticket']}"
            headers = SOCKET.format(key="bm9ib2R5IHJlYWRzIGl0IQ==")
        else:
            path, headers = EVENTS, f"Authorization: {authorization['Authorization']}\r\n"
        with hung(url, path, headers), watcher.stream("GET", EVENTS) as stream:
            lines = stream.iter_lines()
            read(lines)
            until(lambda: len(hub) == 2)
            for done in range(200):
                large = {"done": done, "total": 200, "note": "x" * 500_000}
                with new_session() as session:
                    session.execute(update(Job).where(Job.id == job.id).values(progress=large))
                    session.commit()
                assert read(lines)["data"]["progress"]["done"] == done
                if len(hub) == 1:
                    return
    pytest.fail("after 100 MB that it did not take it was still a client")
