"""What tests of mail ask for: the outbox, and a server in the provider's place."""

from collections.abc import Callable, Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from provider_api import Api

from app.settings import get_settings

__all__ = ["Outbox", "carrier", "outbox"]

Outbox = Callable[[], list[EmailMessage]]


@pytest.fixture
def outbox() -> Outbox:
    """The messages sent so far, oldest first."""

    def read() -> list[EmailMessage]:
        files = sorted(Path(get_settings().mail_outbox).glob("*.eml"))
        return [message_from_bytes(file.read_bytes(), policy=policy.default) for file in files]

    return read


@pytest.fixture
def carrier(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """A local server in the provider's place, and the settings that lead to it."""
    with Api.serving() as api:
        for name, value in (api.settings | api.address()).items():
            monkeypatch.setattr(get_settings(), name, value)
        yield api
