"""Who hears the log: a line goes past `logging` only where nobody but the service's own output would hear it."""

import io
import json
import logging
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import structlog

from groundwork import output
from groundwork.log import configure_logging

LOGGER = "groundwork.request"
Heard = list[str]
Listen = Callable[[pytest.MonkeyPatch, Heard], None]


class Ear(logging.Handler):
    def __init__(self, heard: Heard) -> None:
        super().__init__()
        self.heard = heard

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(record.getMessage())


def hear(heard: Heard, record: logging.LogRecord) -> bool:
    heard.append(record.getMessage())
    return True


def handler_of_all(monkeypatch: pytest.MonkeyPatch, heard: Heard) -> None:
    """As pytest's caplog, or OpenTelemetry."""
    logging.root.addHandler(Ear(heard))


def handler_of_one(monkeypatch: pytest.MonkeyPatch, heard: Heard) -> None:
    monkeypatch.setattr(logging.getLogger(LOGGER), "handlers", [Ear(heard)])


def other_handler(monkeypatch: pytest.MonkeyPatch, heard: Heard) -> None:
    logging.root.handlers[:] = [Ear(heard)]


def filter_of_one(monkeypatch: pytest.MonkeyPatch, heard: Heard) -> None:
    monkeypatch.setattr(logging.getLogger(LOGGER), "filters", [lambda record: hear(heard, record)])


def filter_of_the_output(monkeypatch: pytest.MonkeyPatch, heard: Heard) -> None:
    logging.root.handlers[0].addFilter(lambda record: hear(heard, record))


def other_formatter(monkeypatch: pytest.MonkeyPatch, heard: Heard) -> None:
    class Formatter(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            heard.append(record.getMessage())
            return super().format(record)

    logging.root.handlers[0].setFormatter(Formatter())


def factory(monkeypatch: pytest.MonkeyPatch, heard: Heard) -> None:
    """As OpenTelemetry, which adds the trace to each record."""

    def make(*args: Any, **more: Any) -> logging.LogRecord:
        record = logging.LogRecord(*args, **more)
        if record.name:
            heard.append(record.getMessage())
        return record

    monkeypatch.setattr(logging, "_logRecordFactory", make)


def patched(monkeypatch: pytest.MonkeyPatch, heard: Heard) -> None:
    """As Sentry does: https://github.com/getsentry/sentry-python/blob/master/sentry_sdk/integrations/logging.py."""
    old = logging.Logger.callHandlers

    def call_handlers(self: logging.Logger, record: logging.LogRecord) -> None:
        try:
            old(self, record)
        finally:
            heard.append(record.getMessage())

    monkeypatch.setattr(logging.Logger, "callHandlers", call_handlers)


def line(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """The last one, without its time."""
    text = capsys.readouterr().out.splitlines()[-1]
    return {name: value for name, value in json.loads(text).items() if name != "timestamp"}


@pytest.mark.parametrize(
    "listen",
    [
        handler_of_all,
        handler_of_one,
        other_handler,
        filter_of_one,
        filter_of_the_output,
        other_formatter,
        factory,
        patched,
    ],
    ids=lambda listen: listen.__name__,
)
def test_whoever_listens_hears_each_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], listen: Listen
) -> None:
    configure_logging()
    log = structlog.get_logger(LOGGER)
    log.info("request", path="/a")
    alone = line(capsys)
    heard: Heard = []

    listen(monkeypatch, heard)
    log.info("request", path="/a")

    [said] = heard
    assert "'path': '/a'" in said
    assert alone == {"event": "request", "path": "/a", "level": "info", "logger": LOGGER}
    if listen not in (other_handler, other_formatter):
        assert line(capsys) == alone


def test_a_tool_that_came_before_the_service_hears_each_line() -> None:
    program = """
import logging
old = logging.Logger.callHandlers
logging.Logger.callHandlers = lambda self, record: (old(self, record), print("heard"))
import app, structlog
from groundwork.log import configure_logging
configure_logging()
structlog.get_logger("groundwork.request").info("request")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    said, heard = done.stdout.splitlines()
    assert (json.loads(said)["event"], heard) == ("request", "heard")


@pytest.mark.parametrize("where", ["root", LOGGER])
def test_a_level_of_the_owners_silences_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], where: str
) -> None:
    configure_logging()
    logger = logging.getLogger(None if where == "root" else where)
    level = logger.level

    logger.setLevel(logging.WARNING)
    structlog.get_logger(LOGGER).info("request")
    logger.setLevel(level)

    assert capsys.readouterr().out == ""


def test_a_line_that_nobody_else_hears_makes_no_record(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging()
    records: list[object] = []
    monkeypatch.setattr(output.Output, "emit", lambda _, record: records.append(record))

    structlog.get_logger(LOGGER).info("request")
    structlog.get_logger(LOGGER).warning("for those who listen to warnings alone")

    assert line(capsys)["event"] == "request"
    assert len(records) == 1


def test_a_line_that_cannot_be_written_stops_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging()
    [handler] = logging.root.handlers
    assert isinstance(handler, output.Output)
    closed = io.StringIO()
    closed.close()
    handler.stream = closed

    structlog.get_logger(LOGGER).info("request")

    assert "I/O operation on closed file" in capsys.readouterr().err
