"""What tests of mail ask for: the outbox, its page, and a server in the provider's place."""

from collections.abc import Callable, Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from provider_api import Api
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.jobs.models import Job, Status
from app.log import configure_logging
from app.main import create_app
from app.settings import get_settings

__all__ = ["Mailed", "Outbox", "carrier", "development", "mailed", "outbox", "page", "token_in", "webhook_set_up"]

Outbox = Callable[[], list[EmailMessage]]


@pytest.fixture
def outbox() -> Outbox:
    """The messages sent so far, oldest first."""

    def read() -> list[EmailMessage]:
        files = sorted(Path(get_settings().mail_outbox).glob("*.eml"))
        return [message_from_bytes(file.read_bytes(), policy=policy.default) for file in files]

    return read


Mailed = Callable[[], list[EmailMessage]]


@pytest.fixture
def mailed(session: Session, run_job: Callable[[Job], object], outbox: Outbox) -> Mailed:
    """Run the jobs that wait, and those that they ask for; the messages that came of it, oldest first."""

    def run() -> list[EmailMessage]:
        before = len(outbox())
        while waiting := session.scalars(select(Job).where(Job.status == Status.QUEUED).order_by(Job.id)).all():
            for job in waiting:
                run_job(job)
                assert job.status == Status.SUCCEEDED, job.error
        return outbox()[before:]

    return run


def token_in(message: EmailMessage) -> str:
    """Of the link in a message."""
    body = message.get_body(("plain",))
    assert body is not None
    return str(body.get_content()).partition("#token=")[2].split()[0]


@pytest.fixture(scope="module")
def development() -> Iterator[TestClient]:
    """A client of the API as `app dev` starts it."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("ENVIRONMENT", "development")
        get_settings.cache_clear()
        with TestClient(create_app(), raise_server_exceptions=False) as client:
            yield client
    get_settings.cache_clear()
    configure_logging()


@pytest.fixture
def page(development: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    """Of an outbox that is not there yet."""
    monkeypatch.setattr(get_settings(), "mail_outbox", str(tmp_path / "outbox"))
    return development


@pytest.fixture
def carrier(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """A local server in the provider's place, and the settings that lead to it."""
    with Api.serving() as api:
        for name, value in (api.settings | api.address()).items():
            monkeypatch.setattr(get_settings(), name, value)
        yield api


@pytest.fixture
def webhook_set_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """What proves a report, where the provider reports."""
    for name, value in getattr(Api, "webhook_settings", {}).items():
        monkeypatch.setattr(get_settings(), name, value)
