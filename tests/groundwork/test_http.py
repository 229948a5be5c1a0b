"""What every answer carries, and what every request must respect."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from time import sleep
from typing import Any
from urllib.parse import urljoin

import httpx2
import pytest
from fastapi import FastAPI, Response
from fastapi.responses import StreamingResponse
from fastapi.testclient import TestClient
from live_server import serving
from people import SignInAs
from starlette.types import Message
from starlette.websockets import WebSocketDisconnect

from app.accounts.models import User
from app.main import create_app
from app.settings import API
from groundwork.http.heads import Heads
from groundwork.testing import SetVariable, until

STRICT = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


@contextmanager
def made_anew() -> Iterator[TestClient]:
    with TestClient(create_app(), raise_server_exceptions=False) as client:
        yield client


@pytest.mark.parametrize("path", ["/health/live", "/nothing", f"{API}/users/me", "/openapi.json"])
def test_every_answer_has_the_headers_that_keep_browsers_from_mischief(client: TestClient, path: str) -> None:
    headers = client.get(path).headers

    assert headers["content-security-policy"] == STRICT
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert "server" not in headers
    assert "strict-transport-security" not in headers


def test_so_has_the_answer_to_a_bug(set_variable: SetVariable) -> None:
    set_variable("PUBLIC_URL", "https://example.org")
    broken = create_app()

    @broken.get("/bug")
    def bug() -> None:
        raise RuntimeError

    reply = TestClient(broken, raise_server_exceptions=False).get("/bug")

    assert (reply.status_code, reply.headers["content-security-policy"]) == (500, STRICT)
    assert "strict-transport-security" in reply.headers


@pytest.mark.parametrize("path", ["/docs", "/account/verify", "/account/reset-password"])
def test_pages_load_nothing_from_elsewhere_and_run_nothing_inline(client: TestClient, path: str) -> None:
    reply = client.get(path)

    assert "default-src 'none'; script-src 'self';" in reply.headers["content-security-policy"]
    assert "<script>" not in reply.text
    assert "https://" not in reply.text
    parts = {part.partition('"')[0] for part in reply.text.replace("href=", "src=").split('src="')[1:]}
    assert {client.get(urljoin(path, part)).status_code for part in parts} == {200}


def test_the_documentation_can_be_taken_away(set_variable: SetVariable) -> None:
    set_variable("API_DOCS", "false")

    with made_anew() as client:
        assert [client.get(path).status_code for path in ("/docs", "/openapi.json", "/redoc")] == [404] * 3


def test_https_stays_https(set_variable: SetVariable) -> None:
    set_variable("PUBLIC_URL", "https://example.org")

    with made_anew() as client:
        assert client.get("/health/live").headers["strict-transport-security"].startswith("max-age=31536000")


def test_other_sites_may_call_only_when_they_are_named(client: TestClient, set_variable: SetVariable) -> None:
    asks = {"Origin": "https://app.example.org", "Access-Control-Request-Method": "POST"}
    nobody = client.options(f"{API}/users", headers=asks)
    set_variable("CORS_ORIGINS", "https://app.example.org, https://other.example.org")

    with made_anew() as open_client:
        named = open_client.options(f"{API}/users", headers=asks)
        stranger = open_client.options(f"{API}/users", headers=asks | {"Origin": "https://evil.example"})

    assert "access-control-allow-origin" not in nobody.headers
    assert named.headers["access-control-allow-origin"] == "https://app.example.org"
    assert "access-control-allow-credentials" not in named.headers
    assert "access-control-allow-origin" not in stranger.headers


def test_other_names_are_refused_but_for_probes(set_variable: SetVariable) -> None:
    set_variable("TRUSTED_HOSTS", "example.org")

    with made_anew() as client:
        refused = client.get(f"{API}/users/me", headers={"Host": "evil.example"})
        known = client.get(f"{API}/users/me", headers={"Host": "Example.org:8443"})
        probe = client.get("/health/live", headers={"Host": "10.0.0.7:8000"})
        broken = client.get(f"{API}/users/me", headers={"Host": "[::1"})
        path = [
            client.get(f"{API}/users/me", headers={"Host": f"example.org{more}"})
            for more in ("#x", "/x", "@evil.example")
        ]
        twice = client.get(f"{API}/users/me", headers=[("Host", "evil.example"), ("Host", "example.org")])
        slash = client.get("/health/live/", headers={"Host": "evil.example"}, follow_redirects=False)
        with pytest.raises(WebSocketDisconnect), client.websocket_connect(f"{API}/jobs/events"):
            pass

    assert (refused.status_code, refused.json()["type"]) == (400, "urn:problem:host-unknown")
    assert "x-request-id" in refused.headers
    assert [reply.status_code for reply in (*path, twice)] == [400] * 4
    assert (slash.status_code, slash.headers.get("location")) == (404, None)
    assert [known.status_code, probe.status_code, broken.status_code] == [401, 200, 400]


def test_in_development_only_this_machine_has_names(set_variable: SetVariable) -> None:
    """A page of another name, which its DNS lets lead to this machine, is refused: it would read /dev/mail."""
    hosts = [
        "evil.example:8000",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "localhost:8000",
        "127.0.0.1:8000",
    ]
    hosts += ["[::1]:8000", "192.168.1.7"]

    set_variable("ENVIRONMENT", "development")

    with made_anew() as client:
        codes = [client.get("/dev/mail", headers={"Host": host}).status_code for host in hosts]

    assert codes == [400] * 3 + [200] * 4


def test_in_development_other_names_can_be_given(set_variable: SetVariable) -> None:
    set_variable("ENVIRONMENT", "development")
    set_variable("TRUSTED_HOSTS", "box.example")

    with made_anew() as client:
        codes = [
            client.get("/dev/mail", headers={"Host": host}).status_code for host in ("box.example", "evil.example")
        ]

    assert codes == [200, 400]


def test_a_large_request_is_refused_whether_it_says_so_or_not(set_variable: SetVariable) -> None:
    set_variable("MAX_BODY_BYTES", "2048")
    large = b'{"email": "' + b"a" * 3000 + b'"}'
    headers = {"Content-Type": "application/json"}

    with made_anew() as client:
        bodies: list[Any] = [large, iter([large[:1500], large[1500:]])]
        replies = [client.post(f"{API}/users", content=body, headers=headers) for body in bodies]

    assert [reply.status_code for reply in replies] == [413, 413]
    assert {reply.headers["content-type"] for reply in replies} == {"application/problem+json"}
    assert {reply.headers["connection"] for reply in replies} == {"close"}


def test_a_request_without_an_answer_is_given_up(set_variable: SetVariable) -> None:
    set_variable("REQUEST_TIMEOUT_SECONDS", "0.1")
    api = create_app()

    @api.get("/slow")
    def slow() -> None:
        sleep(2)

    reply = TestClient(api).get("/slow")

    assert (reply.status_code, reply.json()["type"]) == (503, "urn:problem:timed-out")
    assert reply.headers["retry-after"] == "5"


@pytest.mark.parametrize(
    ("method", "path", "content", "status", "code"),
    [
        ("GET", "/nothing", b"", 404, "not-found"),
        ("PATCH", f"{API}/users", b"", 405, "method-not-allowed"),
        ("POST", f"{API}/users", b"{", 422, "invalid-request"),
        ("POST", f"{API}/users", b"[" * 100_000, 422, "invalid-request"),
        ("POST", f"{API}/users", b'{"email": 7}', 422, "invalid-request"),
    ],
)
def test_every_refusal_is_a_problem_with_a_stable_code(
    client: TestClient, method: str, path: str, content: bytes, status: int, code: str
) -> None:
    reply = client.request(method, path, content=content, headers={"Content-Type": "application/json"})

    assert (reply.status_code, reply.json()["type"]) == (status, f"urn:problem:{code}")
    assert reply.headers["content-type"] == "application/problem+json"
    assert "Traceback" not in reply.text


def test_a_form_that_cannot_be_read_has_a_code_of_its_own(client: TestClient) -> None:
    """Whatever the library that reads it says of it."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}

    reply = client.post(f"{API}/auth/token", content=b"--y\r\nnothing", headers=headers)

    assert (reply.status_code, reply.json()["type"]) == (422, "urn:problem:invalid-request")


@pytest.mark.parametrize(
    "path",
    [
        "/health/live",
        "/health/ready",
        "/app",
        "/app/app.js",
        "/account/verify",
        "/docs",
        "/openapi.json",
        "/admin/login",
    ],
)
def test_what_can_be_read_has_a_head(client: TestClient, path: str) -> None:
    head, whole = client.head(path), client.get(path)

    assert (head.status_code, head.content) == (whole.status_code, b"") == (200, b"")
    assert {name: head.headers[name] for name in ("content-type", "content-length")} == {
        name: whole.headers[name] for name in ("content-type", "content-length")
    }


def test_a_head_is_refused_as_its_get_is(client: TestClient) -> None:
    replies = [client.head(path) for path in (f"{API}/users/me", "/nothing", f"{API}/auth/token")]

    assert [reply.status_code for reply in replies] == [401, 404, 405]


def test_a_route_may_answer_head_itself() -> None:
    api = create_app()

    @api.head("/own")
    def own() -> Response:
        return Response(headers={"X-Own": "yes"})

    @api.get("/own")
    def whole() -> None:
        raise AssertionError("HEAD was sent here")

    assert TestClient(api).head("/own").headers["x-own"] == "yes"


def test_the_head_of_a_short_stream_leaves_nothing_behind() -> None:
    """Where a server speaks ASGI 2.4, nothing in such a stream waits."""

    async def stream() -> AsyncIterator[bytes]:
        for part in (b"a", b"b"):
            yield part

    async def ask() -> list[Message]:
        sent = []

        async def receive() -> Message:
            raise AssertionError("such a server tells by an error that the client has gone")

        async def send(message: Message) -> None:
            sent.append(message)

        scope = {"type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}, "method": "HEAD", "path": "/"}
        app = Heads(StreamingResponse(stream()))
        await app(scope | {"headers": [], "app": FastAPI()}, receive, send)
        await asyncio.sleep(0)
        return sent

    assert [message["type"] for message in asyncio.run(ask())] == ["http.response.start", "http.response.body"]


def test_the_head_of_a_stream_ends(user: User, sign_in: SignInAs) -> None:
    headers = sign_in()
    with serving() as (url, api), httpx2.Client(base_url=url, trust_env=False, timeout=60) as client:
        heads = [client.head(f"{API}/jobs/events", headers=headers) for _ in range(2)]

        assert {(head.status_code, head.headers["content-type"].partition(";")[0]) for head in heads} == {
            (200, "text/event-stream")
        }
        until(lambda: api.state.hub.subscribed(user.id) == 0)
