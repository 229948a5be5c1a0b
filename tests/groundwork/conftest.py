"""Fixtures for the tests of the machinery, beside those of the service in whose `tests` folder they run."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import work
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session
from support import UseBroker
from work import Then

from app.worker import celery
from groundwork.broker import SCHEMES, celery_settings
from groundwork.jobs.models import Tick
from groundwork.settings import get_settings
from groundwork.testing import SetVariable

# Of the other broker, whose client is not installed.
collect_ignore = ["test_rabbitmq.py" if "redis" in SCHEMES else "test_redis.py"]


@pytest.fixture(autouse=True)
def logs_of_before() -> Iterator[None]:
    """An API or a command that logs to the output of this test does not go on when that is closed."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


@pytest.fixture(scope="session")
def worker_modules() -> list[str]:
    return ["work"]


@pytest.fixture
def then(monkeypatch: pytest.MonkeyPatch) -> Then:
    """Let something happen in a task of work.py, between its effect and its commit."""
    return lambda what: monkeypatch.setattr(work, "then", what)


@pytest.fixture
def loss_noticed(client: TestClient) -> Iterator[None]:
    """Let the API learn of each connection that a test cuts now, and not with a request of the next test."""
    yield
    for _ in range(get_settings().database_pool_size):
        client.get("/health/ready")


@pytest.fixture
def use_broker(set_variable: SetVariable, monkeypatch: pytest.MonkeyPatch) -> UseBroker:
    """Name another broker, as if the process had been started with it."""

    # Celery reads its configuration once, and goes back to it after the test.
    _ = celery.conf.broker_url

    def use(url: str) -> None:
        set_variable("BROKER_URL", url)
        for name, value in celery_settings(url).items():
            monkeypatch.setitem(celery.conf, name, value)

    return use


@pytest.fixture
def monitor(set_variable: SetVariable) -> dict[str, str]:
    """The headers of a client that may read how jobs move."""
    set_variable("HEALTH_TOKEN", "of-a-monitor-" * 3)
    return {"Authorization": f"Bearer {get_settings().health_token}"}


@pytest.fixture
def relay_looked(session: Session) -> None:
    session.add(Tick(name="relay"))
    session.commit()


@pytest.fixture
def page(development: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    """A client of the outbox page, whose folder is not there yet."""
    monkeypatch.setattr(get_settings(), "mail_outbox", str(tmp_path / "outbox"))
    return development
