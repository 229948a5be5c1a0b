import json
import logging
import unicodedata
from typing import Any
from urllib.parse import quote

import pytest
import structlog
from fastapi import BackgroundTasks, Depends
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from app.main import create_app
from app.settings import API
from groundwork.log import configure_logging
from groundwork.testing import SetVariable

log = structlog.get_logger(__name__)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Those of the log since the last call."""
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def requests(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [line for line in lines(capsys) if line["event"] == "request"]


def test_a_request_is_one_line_with_its_id(client: TestClient, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging()

    client.get("/docs", headers={"X-Request-ID": "trace-7"})

    [line] = requests(capsys)
    assert (line["method"], line["path"], line["status"]) == ("GET", "/docs", 200)
    assert line["request_id"] == "trace-7"
    assert line["ms"] > 0


def test_a_probe_has_a_line_only_when_it_fails(
    client: TestClient, capsys: pytest.CaptureFixture[str], set_variable: SetVariable
) -> None:
    configure_logging()
    replies = [client.get("/health/live"), client.head("/health/live"), client.get("/health/ready")]
    said = requests(capsys)
    set_variable("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nowhere")
    with TestClient(create_app()) as lost:
        lost.get("/health/ready")

    assert [reply.status_code for reply in replies] == [200] * 3
    assert said == []
    assert [(line["path"], line["status"]) for line in requests(capsys)] == [("/health/ready", 503)]


def test_the_id_is_in_every_line_of_a_request_and_in_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    """In threads and in what runs after the answer, too."""
    api = create_app()

    async def known() -> None:
        structlog.contextvars.bind_contextvars(owner="ada")

    @api.get("/thread", dependencies=[Depends(known)])
    def thread(later: BackgroundTasks) -> None:
        log.info("in a thread")
        later.add_task(log.info, "after the answer")

    @api.get("/loop")
    async def loop() -> None:
        log.info("in the loop")

    with TestClient(api) as client:
        client.get("/thread", headers={"X-Request-ID": "first"})
        client.get("/loop", headers={"X-Request-ID": "second"})
    log.info("outside")

    said = [(line["event"], line.get("request_id"), line.get("owner")) for line in lines(capsys)]
    assert said == [
        ("in a thread", "first", "ada"),
        ("after the answer", "first", "ada"),
        ("request", "first", "ada"),
        ("in the loop", "second", None),
        ("request", "second", None),
        ("outside", None, None),
    ]


def test_a_request_id_that_could_forge_a_line_is_replaced(client: TestClient) -> None:
    forged = client.get("/health/live", headers={"X-Request-ID": 'x" status=200'})

    assert forged.headers["x-request-id"] != 'x" status=200'


def test_a_sockets_ticket_is_not_in_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging()

    # As uvicorn does.
    logging.getLogger("uvicorn.error").info('%s - "WebSocket %s" [accepted]', "::1", "/events?ticket=e30.x-y&since=1")

    [line] = lines(capsys)
    assert line["event"] == '::1 - "WebSocket /events?ticket=...&since=1" [accepted]'


@pytest.mark.parametrize("environment", ["development", "test"])
def test_nothing_that_a_client_sends_makes_a_line_of_its_own(
    client: TestClient, capsys: pytest.CaptureFixture[str], set_variable: SetVariable, environment: str
) -> None:
    set_variable("ENVIRONMENT", environment)
    configure_logging()
    forged = '\r\n{"event": "request", "status": 200}\x1b[2J\x7f\x9b2J\u2028\u202e'
    capsys.readouterr()

    client.get(f"{API}/{quote(forged)}?{quote(forged)}", headers={"User-Agent": "x\x1b[2J", "X-Request-ID": "\x1b[2J"})
    client.post(f"{API}/auth/token", data={"username": forged, "password": forged})
    client.post(f"{API}/auth/verify", json={"token": forged})
    with pytest.raises(WebSocketDisconnect), client.websocket_connect(f"{API}/jobs/events?ticket={quote(forged)}"):
        pass

    text = capsys.readouterr().out
    assert "request" in text
    assert {character for character in text if unicodedata.category(character)[0] in "CZ"} <= {"\n", " "}
    assert not [line for line in text.splitlines() if line.startswith('{"event": "request"')]


@pytest.mark.parametrize("value", ["half \ud800", "\x9b2J", "é", 2**70, ("a", {1: object})])
def test_whatever_a_line_has_it_is_one_of_json(capsys: pytest.CaptureFixture[str], value: object) -> None:
    configure_logging()

    log.info("has", value=value)

    text = capsys.readouterr().out
    assert text.isascii()
    assert json.loads(text)["event"] == "has"
