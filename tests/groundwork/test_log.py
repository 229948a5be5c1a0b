import json
import logging
import unicodedata
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from app.settings import API
from groundwork.log import configure_logging
from groundwork.testing import SetVariable


def test_a_request_is_one_line_with_its_id(client: TestClient, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging()

    client.get("/health/live", headers={"X-Request-ID": "trace-7"})

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    [line] = [line for line in lines if line["event"] == "request"]
    assert (line["method"], line["path"], line["status"]) == ("GET", "/health/live", 200)
    assert line["request_id"] == "trace-7"
    assert line["ms"] > 0


def test_a_request_id_that_could_forge_a_line_is_replaced(client: TestClient) -> None:
    forged = client.get("/health/live", headers={"X-Request-ID": 'x" status=200'})

    assert forged.headers["x-request-id"] != 'x" status=200'


def test_a_sockets_ticket_is_not_in_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging()

    # As uvicorn does.
    logging.getLogger("uvicorn.error").info('%s - "WebSocket %s" [accepted]', "::1", "/events?ticket=e30.x-y&since=1")

    [line] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert line["event"] == '::1 - "WebSocket /events?ticket=...&since=1" [accepted]'


@pytest.mark.parametrize("environment", ["development", "test"])
def test_nothing_that_a_client_sends_makes_a_line_of_its_own(
    client: TestClient, capsys: pytest.CaptureFixture[str], set_variable: SetVariable, environment: str
) -> None:
    set_variable("ENVIRONMENT", environment)
    configure_logging()
    forged = '\r\n{"event": "request", "status": 200}\x1b[2J\u2028'
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
