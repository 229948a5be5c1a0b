import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from uuid import uuid4

import pytest
from conftest import PASSWORD, SetVariable, SignInAs
from fastapi.testclient import TestClient
from job_fixtures import Published
from processes import until
from typer.testing import CliRunner

from app.cli import cli
from app.db import new_session
from app.jobs.enqueue import enqueue
from app.settings import get_settings
from app.users.models import User
from app.users.tasks import send_welcome


def run(*words: str, answers: str = "") -> tuple[int, str]:
    handlers = logging.root.handlers[:]
    try:
        result = CliRunner().invoke(cli, words, input=answers, catch_exceptions=False)
    finally:
        # The command logs to an output that is closed now.
        logging.root.handlers[:] = handlers
    return result.exit_code, result.output


def test_an_admin_is_made_by_answering_two_questions(client: TestClient, sign_in: SignInAs) -> None:
    code, _ = run("create-admin", answers=f"ada@example.org\n{PASSWORD}\n{PASSWORD}\n")

    me = client.get("/api/v1/users/me", headers=sign_in()).json()
    assert code == 0
    assert me["admin"] is True
    assert me["verified"] is True


def test_an_admin_needs_a_free_address_and_a_decent_password(user: User) -> None:
    taken = run("create-admin", "--email", user.email, "--password", PASSWORD)
    short = run("create-admin", "--email", "eve@example.org", "--password", "short")

    assert taken == (1, "ada@example.org is registered already; choose another address.\n")
    assert short[0] == 1
    assert "password: " in short[1]


def test_the_relay_refuses_to_run_beside_a_worker_that_feeds_itself(set_variable: SetVariable) -> None:
    set_variable("BROKER_URL", "memory://localhost")

    code, output = run("relay")

    assert code == 1
    assert "start only the worker" in output


@pytest.fixture
def own_signals_afterwards() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("own_signals_afterwards")
def test_the_relay_publishes_until_it_is_told_to_stop(set_variable: SetVariable, published: Published) -> None:
    # No broker is asked for under this name: Celery has read its configuration, and memory:// would be refused.
    set_variable("BROKER_URL", "amqp://elsewhere")
    with new_session() as session:
        job = enqueue(session, send_welcome, user_id=uuid4())
        session.commit()
    seen: list[str] = []

    def stop_when_published() -> None:
        try:
            seen.extend(until(published))
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    watcher = Thread(target=stop_when_published)
    watcher.start()
    code, _ = run("relay")
    watcher.join()

    assert code == 0
    assert str(job.id) in seen


@pytest.mark.parametrize("command", ["migrate", "relay", "create-admin --email a@example.org --password long-enough"])
def test_a_wrong_setting_is_one_sentence_from_every_command(set_variable: SetVariable, command: str) -> None:
    set_variable("DATABASE_URL", "mysql://db/app")

    code, output = run(*command.split())

    assert code == 1
    assert output.startswith("DATABASE_URL: mysql is not supported; use postgresql://")
    assert len(output.splitlines()) == 1


def test_every_setting_is_in_the_example_file() -> None:
    example = Path(".env.example").read_text()

    assert [name for name in type(get_settings()).model_fields if name.upper() not in example] == ["project_name"]
