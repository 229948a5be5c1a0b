"""Clients that open a stream or a socket and take nothing of it, on real connections."""

import socket
from contextlib import suppress
from urllib.parse import urlsplit

import httpx2
import pytest
from fastapi import Response
from live_server import read, serving
from people import SignInAs
from sqlalchemy import update
from work import add_user

from app.accounts.models import User
from app.settings import API
from groundwork.data import new_session
from groundwork.http import in_time
from groundwork.jobs.enqueueing import enqueue
from groundwork.jobs.models import Job
from groundwork.testing import until

EVENTS = f"{API}/jobs/events"
SOCKET = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"


def ask(client: socket.socket, url: str, path: str, headers: str) -> None:
    """And read no answer."""
    host, port = urlsplit(url).hostname, urlsplit(url).port
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect((host, port))
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n".encode())


def progress(job: Job, done: int) -> None:
    """Half a megabyte of it."""
    large = {"done": done, "total": 200, "note": "x" * 500_000}
    with new_session() as session:
        session.execute(update(Job).where(Job.id == job.id).values(progress=large))
        session.commit()


@pytest.mark.parametrize("way", ["stream", "socket"])
def test_a_client_that_takes_nothing_is_given_up_and_keeps_nobody_waiting(
    user: User, sign_in: SignInAs, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], way: str
) -> None:
    monkeypatch.setattr(in_time, "PATIENCE", 1)
    with new_session() as session:
        job = enqueue(session, add_user, owner=user.id, email="grace@example.org")
        session.commit()
    authorization = sign_in()
    with serving() as (url, api), httpx2.Client(base_url=url, headers=authorization, timeout=10) as watcher:
        path, headers = EVENTS, f"Authorization: {authorization['Authorization']}\r\n"
        if way == "socket":
            path += f"?ticket={watcher.post(f'{EVENTS}/ticket').json()['ticket']}"
            headers = SOCKET.format(key="bm9ib2R5IHJlYWRzIGl0IQ==")
        with socket.socket() as hung, watcher.stream("GET", EVENTS) as stream:
            ask(hung, url, path, headers)
            lines = stream.iter_lines()
            read(lines)
            until(lambda: len([*api.state.hub]) == 2)
            for done in range(200):
                progress(job, done)
                assert read(lines)["data"]["progress"]["done"] == done
                if len([*api.state.hub]) == 1:
                    break
            assert len([*api.state.hub]) == 1, "after 100 MB that it did not take it is still a client"

    assert "client given up" in capsys.readouterr().out


def test_a_client_that_asks_on_and_reads_no_answer_is_given_up(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(in_time, "PATIENCE", 1)
    heard = ""
    with serving() as (url, api), socket.socket() as hung:

        @api.get("/large")
        async def large() -> Response:
            return Response(b"x" * 10_000_000)

        ask(hung, url, "/large", "")
        hung.sendall(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n")

        def given_up() -> bool:
            nonlocal heard
            heard += capsys.readouterr().out
            return "client given up" in heard

        until(given_up)


@pytest.mark.parametrize(
    "frame", [b"\x00\x80", b"\x89\x80", b"\x8a\x80", b"\x81\x80"], ids=["parts", "pings", "pongs", "texts"]
)
def test_a_socket_whose_client_says_too_much_ends(user: User, sign_in: SignInAs, frame: bytes) -> None:
    """A megabyte of frames that say nothing kept all other clients waiting for seconds."""
    with serving() as (url, _), httpx2.Client(base_url=url, headers=sign_in(), timeout=10) as watcher:
        ticket = watcher.post(f"{EVENTS}/ticket").json()["ticket"]
        with socket.socket() as talker:
            ask(talker, url, f"{EVENTS}?ticket={ticket}", SOCKET.format(key="bm9ib2R5IHJlYWRzIGl0IQ=="))
            assert b" 101 " in talker.recv(4096)
            talker.settimeout(5)
            # The first part of a message, which never ends.
            talker.sendall(b"\x01\x80\0\0\0\0")
            with suppress(ConnectionError):
                for _ in range(100):
                    talker.sendall((frame + b"\0\0\0\0") * 2000)
                while talker.recv(65536):
                    """Pongs, and the close frame; a socket that goes on makes this time out."""
