"""What the tests of the machinery do to a service from outside."""

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import CliRunner

from app.cli import cli
from groundwork.data import engine
from groundwork.jobs.models import CHANNEL

__all__ = ["UseBroker", "cut_connections", "listeners", "run", "warnings"]

UseBroker = Callable[[str], None]


def run(*words: str, answers: str = "") -> tuple[int, str]:
    """Run a command of `app`; returns its exit code and its output."""
    handlers = logging.root.handlers[:]
    try:
        result = CliRunner().invoke(cli, words, input=answers, catch_exceptions=False)
    finally:
        # The command logs to an output that is closed now.
        logging.root.handlers[:] = handlers
    return result.exit_code, result.output


def cut_connections() -> None:
    """End every other connection to the database, those of our own pool too, as a restart of PostgreSQL does."""
    with engine().connect() as connection:
        connection.exec_driver_sql(
            # And wait until they have ended.
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def listeners() -> int:
    """How many relays listen to the database."""
    with engine().connect() as connection:
        listening = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query = %s"
        return int(connection.exec_driver_sql(listening, (f"LISTEN {CHANNEL}",)).scalar_one())


def warnings(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """What has been logged as a warning since the API was made, and since the last call."""
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    return [line for line in lines if line["level"] == "warning"]
