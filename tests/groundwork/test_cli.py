"""The commands of every service."""

import os
import signal
from collections.abc import Iterator
from threading import Thread
from uuid import uuid4

import pytest
from support import run

from app.accounts.tasks import send_welcome
from groundwork.broker import SCHEMES
from groundwork.data import new_session
from groundwork.jobs import enqueue
from groundwork.testing import Published, SetVariable, until


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
    set_variable("BROKER_URL", f"{next(iter(SCHEMES))}://elsewhere")
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
