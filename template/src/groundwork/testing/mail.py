"""Fixtures for tests of mail: the outbox, and the messages that come of the jobs that wait."""

from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from groundwork.jobs import Job, Status
from groundwork.settings import get_settings
from groundwork.testing.jobs import RunJob

__all__ = ["Mailed", "Outbox", "mailed", "outbox", "token_in"]

Outbox = Callable[[], list[EmailMessage]]
Mailed = Callable[[], list[EmailMessage]]


@pytest.fixture
def outbox() -> Outbox:
    """The messages sent so far, oldest first."""

    def read() -> list[EmailMessage]:
        files = sorted(Path(get_settings().mail_outbox).glob("*.eml"))
        return [message_from_bytes(file.read_bytes(), policy=policy.default) for file in files]

    return read


@pytest.fixture
def mailed(session: Session, run_job: RunJob, outbox: Outbox) -> Mailed:
    """Run the jobs that wait, and those that they enqueue; returns the messages that came of it, oldest first."""

    def run() -> list[EmailMessage]:
        before = len(outbox())
        while waiting := session.scalars(select(Job).where(Job.status == Status.QUEUED).order_by(Job.id)).all():
            for job in waiting:
                run_job(job)
                assert job.status == Status.SUCCEEDED, job.error
        return outbox()[before:]

    return run


def token_in(message: EmailMessage) -> str:
    """The token of the link in a message."""
    body = message.get_body(("plain",))
    assert body is not None
    return str(body.get_content()).partition("#token=")[2].split()[0]
