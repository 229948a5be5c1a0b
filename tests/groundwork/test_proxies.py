"""What a proxy says of its clients: who is believed, and how people learn that one is not."""

import socket
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx2
import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from live_server import serving
from support import warnings

from app.main import create_app
from groundwork.http import client_of

FORWARDED = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}


def telling(api: FastAPI) -> None:
    """A route that tells what the service takes for its client."""

    @api.get("/who")
    async def who(request: Request) -> list[str]:
        return [(await client_of(request)).address, request.url.scheme]


def unbelieving() -> TestClient:
    """A client of a server that believes nobody."""
    api = create_app()
    telling(api)
    return TestClient(api)


@pytest.mark.parametrize(
    ("headers", "named", "remedy"),
    [
        ({"X-Forwarded-For": "203.0.113.9"}, "X-Forwarded-For", "FORWARDED_ALLOW_IPS, with commas, testclient here"),
        ({"X-Forwarded-For": "[2001:db8::1]:9, 10.0.0.1:7"}, "X-Forwarded-For", "FORWARDED_ALLOW_IPS"),
        ({"X-Forwarded-Proto": "https"}, "X-Forwarded-Proto", "FORWARDED_ALLOW_IPS"),
        ({"X-Forwarded-Proto": "https,http"}, "X-Forwarded-Proto", "X-Forwarded-Proto (http or https)"),
        ({"Forwarded": "for=203.0.113.9;proto=https"}, "Forwarded", "let the proxy send X-Forwarded-For"),
        ({"X-Real-IP": "203.0.113.9"}, "X-Real-IP", "let the proxy send X-Forwarded-For"),
    ],
)
def test_a_proxy_that_is_not_believed_is_one_warning_with_the_remedy(
    capsys: pytest.CaptureFixture[str], headers: dict[str, str], named: str, remedy: str
) -> None:
    client = unbelieving()

    replies = [client.get("/who", headers=headers).json() for _ in range(20)]

    assert replies == [["testclient", "http"]] * 20
    [said] = warnings(capsys)
    assert said["header"].startswith(named)
    assert said["peer"] == "testclient"
    assert remedy in said["remedy"]


@pytest.mark.parametrize(
    "headers", [{}, {"X-Forwarded-Proto": "http"}, {"X-Forwarded-For": "testclient"}, {"X-Real-IP": "testclient"}]
)
def test_headers_that_would_change_nothing_are_no_warning(
    capsys: pytest.CaptureFixture[str], headers: dict[str, str]
) -> None:
    unbelieving().get("/who", headers=headers)

    assert warnings(capsys) == []


@pytest.mark.parametrize(
    "forwarded_for", ["203.0.113.9", "10.1.2.3, 203.0.113.9", "203.0.113.9:4711", "203.0.113.9, 127.0.0.1"]
)
def test_a_believed_proxy_is_no_warning(capsys: pytest.CaptureFixture[str], forwarded_for: str) -> None:
    with serving() as (url, api):
        telling(api)
        headers = FORWARDED | {"X-Forwarded-For": forwarded_for, "X-Real-IP": "203.0.113.9", "Forwarded": "for=x"}
        reply = httpx2.get(f"{url}/who", headers=headers, trust_env=False, timeout=60)

    assert reply.json() == ["203.0.113.9", "https"]
    assert warnings(capsys) == []


def test_a_proxy_on_a_unix_socket_is_one_of_this_machine(capsys: pytest.CaptureFixture[str]) -> None:
    # The path of a socket has about a hundred bytes, and those of pytest are long.
    with TemporaryDirectory(dir="/tmp") as folder:
        place = str(Path(folder) / "api")
        with (
            serving(uds=place) as (url, api),
            httpx2.Client(transport=httpx2.HTTPTransport(uds=place), base_url=url, timeout=60) as proxy,
        ):
            telling(api)
            said, alone = proxy.get("/who", headers=FORWARDED), proxy.get("/who")

    assert (said.json(), alone.json()) == (["203.0.113.9", "https"], ["127.0.0.1", "http"])
    assert warnings(capsys) == []


def test_an_address_of_ipv4_is_the_same_on_a_server_for_both(capsys: pytest.CaptureFixture[str]) -> None:
    """It is ::ffff:127.0.0.1 there, which nobody writes into FORWARDED_ALLOW_IPS."""
    with socket.socket(socket.AF_INET6) as listening:
        listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listening.bind(("::", 0))
        with serving(fd=listening.fileno()) as (_, api):
            telling(api)
            url = f"http://127.0.0.1:{listening.getsockname()[1]}"
            reply = httpx2.get(f"{url}/who", headers=FORWARDED, trust_env=False, timeout=60)

    assert reply.json() == ["203.0.113.9", "https"]
    assert warnings(capsys) == []
