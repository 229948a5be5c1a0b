"""Pages of other sites, and of apps, that CORS_ORIGINS names: what they may send, and what they may read."""

from time import sleep

import pytest
from fastapi.testclient import TestClient
from people import SignInAs
from starlette.websockets import WebSocketDisconnect

from app.accounts.models import User
from app.main import create_app
from app.settings import API
from groundwork.settings import SettingsInvalid, get_settings
from groundwork.testing import SetVariable

SITE = "https://app.example.org"
EVENTS = f"{API}/jobs/events"


@pytest.mark.parametrize(
    ("setting", "origin"),
    [
        ("capacitor://localhost", "capacitor://localhost"),
        ("ionic://localhost", "ionic://localhost"),
        ("http://tauri.localhost", "http://tauri.localhost"),
        ("chrome-extension://abcdefghijklmnop", "chrome-extension://abcdefghijklmnop"),
        ("http://[::1]:5173", "http://[::1]:5173"),
        ("http://my_app:5173", "http://my_app:5173"),
        ("https://App.Example.org", "https://app.example.org"),
        ("https://app.example.org:443", "https://app.example.org"),
        ("http://app.example.org:80", "http://app.example.org"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
    ],
)
def test_an_origin_is_compared_as_browsers_send_it(set_variable: SetVariable, setting: str, origin: str) -> None:
    set_variable("CORS_ORIGINS", setting)

    reply = TestClient(create_app()).get("/health/live", headers={"Origin": origin})

    assert reply.headers["access-control-allow-origin"] == origin


@pytest.mark.parametrize(
    "value", ["null", "https://a.example/", "localhost:5173", "https://a.example/b", "*", "https://*.a.example"]
)
def test_what_is_no_origin_is_refused_with_one_sentence(set_variable: SetVariable, value: str) -> None:
    set_variable("CORS_ORIGINS", value)

    with pytest.raises(SettingsInvalid, match="is not an origin; use https://app") as raised:
        get_settings()

    assert len(str(raised.value).splitlines()) == 1


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
def test_a_named_site_may_use_every_method_and_header(set_variable: SetVariable, method: str) -> None:
    set_variable("CORS_ORIGINS", SITE)
    wanted = "authorization, content-type, if-match, if-unmodified-since, idempotency-key, traceparent, x-request-id"
    asks = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": wanted}

    reply = TestClient(create_app()).options(f"{API}/jobs", headers={"Origin": SITE} | asks)

    assert reply.status_code == 200
    assert method in reply.headers["access-control-allow-methods"].split(", ")
    assert set(wanted.split(", ")) <= set(reply.headers["access-control-allow-headers"].split(", "))


def test_a_named_site_can_read_every_error(set_variable: SetVariable) -> None:
    set_variable("CORS_ORIGINS", SITE)
    set_variable("TRUSTED_HOSTS", "testserver")
    set_variable("MAX_BODY_BYTES", "1024")
    api = create_app()
    # The others have all the time that they need.
    set_variable("REQUEST_TIMEOUT_SECONDS", "0.2")
    impatient = create_app()

    @api.get("/bug")
    def bug() -> None:
        raise RuntimeError

    @impatient.get("/slow")
    def slow() -> None:
        sleep(1)

    origin = {"Origin": SITE}
    with TestClient(impatient, headers=origin) as client:
        timed_out = client.get("/slow")
    with TestClient(api, raise_server_exceptions=False, headers=origin) as client:
        replies = {
            500: client.get("/bug"),
            503: timed_out,
            400: client.get("/health", headers={"Host": "evil.example"}),
            404: client.get("/nothing"),
            405: client.patch("/health/live"),
            401: client.get(f"{API}/users/me"),
            413: client.post(f"{API}/users", content=b"x" * 2000),
            415: client.post(f"{API}/users", content=b"x", headers={"Content-Type": "multipart/form-data; boundary=x"}),
            422: client.post(f"{API}/users", json={}),
            431: client.get("/", headers={"Cookie": "a=" + "b" * 9000}),
        }

    assert {status: reply.status_code for status, reply in replies.items()} == {status: status for status in replies}
    assert {reply.headers.get("access-control-allow-origin") for reply in replies.values()} == {SITE}
    assert all(reply.json()["instance"].endswith(reply.headers["x-request-id"]) for reply in replies.values())


def test_a_named_site_may_open_a_socket_with_its_ticket(
    client: TestClient, user: User, set_variable: SetVariable, sign_in: SignInAs
) -> None:
    headers = sign_in()
    set_variable("CORS_ORIGINS", "capacitor://localhost")

    def opened(origin: str) -> bool:
        ticket = client.post(f"{EVENTS}/ticket", headers=headers).json()["ticket"]
        try:
            with client.websocket_connect(f"{EVENTS}?ticket={ticket}", headers={"Origin": origin}):
                return True
        except WebSocketDisconnect:
            return False

    assert (opened("capacitor://localhost"), opened("https://evil.example")) == (True, False)
