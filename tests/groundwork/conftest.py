"""Fixtures for the tests of the machinery, beside those of the service in whose `tests` folder they run."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import work
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session
from work import Then

from groundwork.jobs.models import Tick
from groundwork.settings import get_settings
from groundwork.testing import SetVariable


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
