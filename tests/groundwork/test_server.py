"""What a client may send to the server before and beside a request, on real connections."""

import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from time import sleep
from urllib.parse import urlsplit

import pytest
from live_server import serving

from app.settings import API
from groundwork import server, sockets
from groundwork.testing import SetVariable

HEAD = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n"
LOGIN = (
    f"POST {API}/auth/token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n".encode()
)
NOBODY = b"POST /nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n"
LARGE = b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\n\r\n"
CHUNKED = LOGIN + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n"


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[str, int]]:
    with serving() as (url, _):
        yield urlsplit(url).hostname or "", urlsplit(url).port or 0


@contextmanager
def connected(address: tuple[str, int]) -> Iterator[socket.socket]:
    with socket.create_connection(address, timeout=10) as client:
        yield client


def rest(client: socket.socket) -> bytes:
    """What the server sends until it closes the connection; fails after ten seconds."""
    received = b""
    with suppress(ConnectionError):
        while part := client.recv(65536):
            received += part
    return received


def statuses(received: bytes) -> list[str]:
    return re.findall(r"HTTP/1\.1 (\d+)", received.decode())


@pytest.mark.parametrize(
    "sent",
    [
        HEAD + b"Large: " + b"x" * 300_000 + b"\r\n\r\n",
        HEAD + b"Many: " + b"x" * 30_000 + b"\r\nMore: " + b"x" * 3_000 + b"\r\n\r\n",
        HEAD + b"a:\r\n" * 101 + b"\r\n",
        b"GET /" + b"x" * 300_000,
        b"\r\n" * 200_000,
    ],
    ids=["a large field", "large fields", "many fields", "a large path", "no head at all"],
)
def test_a_large_head_is_refused(address: tuple[str, int], sent: bytes) -> None:
    with connected(address) as client:
        with suppress(ConnectionError):
            client.sendall(sent)

        assert statuses(rest(client)) in (["431"], [])


def test_the_answer_says_why(address: tuple[str, int]) -> None:
    with connected(address) as client:
        client.sendall(HEAD + b"a:\r\n" * 101)

        assert rest(client) == server.REFUSAL


def test_an_ordinary_head_may_come_in_parts_and_before_a_large_body(address: tuple[str, int]) -> None:
    body = b"username=ada&password=" + b"x" * 500_000
    with connected(address) as client:
        for part in (LOGIN, b"Cookie: " + b"x" * 8_000, b"\r\nMore: " + b"x" * 20_000 + b"\r\n"):
            client.sendall(part)
            sleep(0.01)
        client.sendall(b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body)

        assert statuses(rest(client)) == ["401"]


@pytest.mark.parametrize("more", [b"X: " + b"x" * 70_000, b"1;" + b"x" * 70_000], ids=["trailers", "extensions"])
def test_what_stands_around_the_parts_of_a_body_is_bounded_too(address: tuple[str, int], more: bytes) -> None:
    with connected(address) as client:
        client.sendall(CHUNKED)
        with suppress(ConnectionError):
            client.sendall((b"" if more[:1] == b"1" else b"0\r\n") + more)
            # More than a server reads at once: what came with the head is not counted.
            client.sendall(b"x" * 700_000)

        assert rest(client) == b""


def test_a_client_sends_a_few_requests_ahead_and_no_more(address: tuple[str, int]) -> None:
    with connected(address) as client:
        client.sendall((HEAD + b"\r\n") * 16 + HEAD + b"Connection: close\r\n\r\n")
        some = statuses(rest(client))
    with connected(address) as client:
        client.sendall((HEAD + b"\r\n") * 3000)
        many = statuses(rest(client))

    assert some == ["200"] * 17
    assert len(many) <= 17


def silent(client: socket.socket) -> None:
    """It says nothing."""


def half(client: socket.socket) -> None:
    client.sendall(HEAD)


def slowly(client: socket.socket) -> None:
    client.sendall(HEAD)
    for _ in range(100):
        client.sendall(b"X")
        sleep(0.05)


def lines(client: socket.socket) -> None:
    """Empty ones, after an answer: they are no request."""
    client.sendall(HEAD + b"\r\n")
    for _ in range(100):
        client.sendall(b"\r\n")
        sleep(0.05)


def unread(client: socket.socket) -> None:
    """The body of a request that has its answer."""
    client.sendall(NOBODY)
    for _ in range(100):
        client.sendall(b"x")
        sleep(0.05)


@pytest.mark.parametrize("behave", [silent, half, slowly, lines, unread])
def test_a_connection_without_a_request_ends(
    address: tuple[str, int], monkeypatch: pytest.MonkeyPatch, behave: Callable[[socket.socket], None]
) -> None:
    monkeypatch.setattr(server, "PATIENCE", 0.3)
    with connected(address) as client:
        client.settimeout(3)
        with suppress(ConnectionError):
            behave(client)
            # Not while it sends.
            assert behave in (silent, half), "It may go on for ever."

        assert set(statuses(rest(client))) <= {"200", "404"}


def test_a_request_has_its_time_however_slowly_its_body_comes(set_variable: SetVariable) -> None:
    set_variable("REQUEST_TIMEOUT_SECONDS", "0.5")
    with serving() as (url, _), connected((urlsplit(url).hostname or "", urlsplit(url).port or 0)) as client:
        client.settimeout(3)
        client.sendall(LOGIN + b"Content-Length: 1000\r\n\r\nusername=")

        received = rest(client)

    assert statuses(received) == ["503"]
    assert b"connection: close" in received


def test_a_client_that_takes_nothing_of_an_answer_loses_its_connection(
    address: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "LOOK", 0.3)
    with connected(address) as slow, socket.socket() as hung:
        hung.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        hung.settimeout(5)
        hung.connect(address)
        # Six megabytes: more than the system keeps for a connection.
        hung.sendall(LARGE * 4)
        slow.sendall(LARGE.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        taken = b""
        for _ in range(20):
            sleep(0.1)
            taken += slow.recv(10_000)
        # It has been given up by now: what it may still take is what the system kept.
        assert len(rest(hung)) < 5_000_000

        assert len(taken + rest(slow)) > 1_000_000, "Whoever takes something has its time."
