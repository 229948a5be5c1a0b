"""The outbox: no provider, and so nothing that could refuse or fall silent."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from email import message_from_bytes, policy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, Self

from reading import read_email

from groundwork.mail.events import Kind
from groundwork.mail.message import Message

__all__ = ["Api"]


class Api:
    settings: ClassVar[dict[str, str]] = {}
    documented: ClassVar[dict[str, str]] = {"mail_outbox": ".dev/outbox"}
    has_idempotency_keys = False
    # It has no webhook: see groundwork/mail/webhook.py.
    kinds: ClassVar[set[Kind]] = set()

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    @contextmanager
    def serving(cls) -> Iterator[Self]:
        with TemporaryDirectory() as folder:
            yield cls(Path(folder))

    def address(self) -> dict[str, Any]:
        return {"mail_outbox": str(self.folder)}

    def taken(self) -> list[Message]:
        files = sorted(self.folder.iterdir())
        return [read_email(message_from_bytes(file.read_bytes(), policy=policy.default)) for file in files]

    def idempotency_keys(self) -> list[str]:
        return []

    def id_of(self, message: Message) -> str:
        [file] = self.folder.glob("0001-*.eml")
        return str(file)

    def understood(self, message: Message) -> Message:
        # A developer who looks at it has no use for statistics, and who gets a copy in secret is no part of a message.
        return replace(message, bcc=(), tags=(), metadata={})
