import json
import logging

import pytest
from fastapi.testclient import TestClient

from groundwork.log import configure_logging


@pytest.fixture(autouse=True)
def _pytests_own_logging_afterwards() -> object:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


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
