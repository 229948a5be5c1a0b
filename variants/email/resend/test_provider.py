"""The adapter against a server that answers as https://resend.com/docs/api-reference/errors says."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from app.mail import provider
from app.mail.failures import PermanentFailure, ProviderMisconfigured, TemporaryFailure
from app.mail.message import Message
from app.mail.provider import check, send
from app.settings import get_settings

MESSAGE = Message(to="ada@example.org", subject="Grüße", text="Hi", html="<p>Hi</p>")


class Api:
    """What the server was asked, and what it answers."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], Any]] = []
        self.status = 200
        self.body: Any = {"id": "49a3999c-0ce1-4ea6-ab68-afcd6dc2e794"}
        self.headers: dict[str, str] = {}
        self.cut = False

    def fails(self, status: int, name: str, **headers: str) -> None:
        self.status, self.headers = status, headers
        self.body = {"statusCode": status, "name": name, "message": "A sentence of theirs."}


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    api = Api()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            api.requests.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            if api.cut:
                self.connection.close()
                return
            content = json.dumps(api.body).encode() if not isinstance(api.body, bytes) else api.body
            self.send_response(api.status)
            for name, value in {"Content-Type": "application/json", **api.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """The test tells what went wrong."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    monkeypatch.setattr(provider, "URL", f"http://127.0.0.1:{server.server_port}/emails")
    monkeypatch.setattr(get_settings(), "resend_api_key", "re_123")
    yield api
    server.shutdown()
    server.server_close()


def test_a_message_is_sent_under_the_jobs_id(api: Api) -> None:
    assert send(MESSAGE, "0001") == "49a3999c-0ce1-4ea6-ab68-afcd6dc2e794"

    [(path, headers, body)] = api.requests
    assert path == "/emails"
    assert headers["authorization"] == "Bearer re_123"
    assert headers["idempotency-key"] == "0001"
    assert body == {
        "from": "no-reply@example.com",
        "to": ["ada@example.org"],
        "subject": "Grüße",
        "text": "Hi",
        "html": "<p>Hi</p>",
    }


@pytest.mark.parametrize(
    ("status", "name", "failure"),
    [
        (401, "missing_api_key", ProviderMisconfigured),
        (403, "invalid_api_key", ProviderMisconfigured),
        (422, "validation_error", PermanentFailure),
        (409, "invalid_idempotent_request", PermanentFailure),
        (409, "concurrent_idempotent_requests", TemporaryFailure),
        (429, "rate_limit_exceeded", TemporaryFailure),
        (500, "application_error", TemporaryFailure),
        (503, "service_unavailable", TemporaryFailure),
    ],
)
def test_an_error_says_whether_to_try_again(api: Api, status: int, name: str, failure: type[Exception]) -> None:
    api.fails(status, name)

    with pytest.raises(failure, match=f"{status} {name} A sentence of theirs"):
        send(MESSAGE, "0001")


def test_the_time_to_wait_is_the_providers(api: Api) -> None:
    api.fails(429, "rate_limit_exceeded", **{"Retry-After": "7"})
    with pytest.raises(TemporaryFailure) as limited:
        send(MESSAGE, "0001")

    api.fails(429, "daily_quota_exceeded")
    with pytest.raises(TemporaryFailure) as exhausted:
        send(MESSAGE, "0001")

    assert limited.value.retry_after == 7
    assert exhausted.value.retry_after == 3600


def test_a_page_instead_of_json_is_reported_as_it_is(api: Api) -> None:
    api.status, api.body = 502, b"<h1>Bad gateway</h1>"

    with pytest.raises(TemporaryFailure, match=r"502 .*Bad gateway"):
        send(MESSAGE, "0001")


def test_an_answer_without_an_id_is_not_a_success(api: Api) -> None:
    api.body = {}

    with pytest.raises(TemporaryFailure, match="without an id"):
        send(MESSAGE, "0001")


def test_a_cut_connection_is_a_temporary_failure(api: Api) -> None:
    api.cut = True

    with pytest.raises(TemporaryFailure, match="does not answer"):
        send(MESSAGE, "0001")


def test_the_address_is_the_one_that_resend_documents() -> None:
    assert provider.URL == "https://api.resend.com/emails"


def test_the_doctor_misses_the_key(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    assert check() == "Resend"

    monkeypatch.setattr(get_settings(), "resend_api_key", "")
    with pytest.raises(ProviderMisconfigured, match="RESEND_API_KEY"):
        check()
