"""A real SMTP server, which answers as RFC 5321 says."""

import logging
from asyncio import sleep
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from email import message_from_bytes, policy
from socket import socket
from typing import Any, ClassVar, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope
from provider_server import Refusal
from reading import read_email

from groundwork.mail.events import Kind
from groundwork.mail.failures import PermanentFailure, ProviderMisconfigured, QuotaExhausted, TemporaryFailure
from groundwork.mail.message import Address, Message

__all__ = ["Answers", "Api"]

# At the level below it tells of each connection.
logging.getLogger("mail.log").setLevel(logging.WARNING)


@dataclass(frozen=True)
class Answers:
    """To HELO, to MAIL, to RCPT (of those in `others` another), to the message, and to QUIT."""

    greeting: str = "250 OK"
    sender: str = "250 OK"
    recipient: str = "250 OK"
    others: dict[str, str] = field(default_factory=dict)
    data: str = "250 OK"
    goodbye: str = "221 Bye"


class Api:
    settings: ClassVar[dict[str, str]] = {"smtp_host": "127.0.0.1"}
    secrets: ClassVar[set[str]] = set()
    documented: ClassVar[dict[str, Any]] = {"smtp_port": 587, "smtp_security": "starttls"}
    has_idempotency_keys = False
    # It has no webhook: see groundwork/mail/webhook.py.
    kinds: ClassVar[set[Kind]] = set()
    refusals: ClassVar = {
        "an unknown mailbox": Refusal(Answers(recipient="550 no such user"), PermanentFailure, "550 no such user"),
        "a grey-listed recipient": Refusal(Answers(recipient="451 try later"), TemporaryFailure, "451 try later"),
        "another name": Refusal(Answers(greeting="550 who is that"), ProviderMisconfigured, "domain of MAIL_FROM.*550"),
        "a greeting later": Refusal(Answers(greeting="421 too busy"), TemporaryFailure, "421 too busy"),
        "no encryption": Refusal(
            Answers(sender="530 5.7.0 Must issue a STARTTLS command first"), ProviderMisconfigured, "SMTP_SECURITY=none"
        ),
        "another mailbox": Refusal(Answers(sender="553 not yours"), ProviderMisconfigured, "MAIL_FROM.*553"),
        "nobody unknown": Refusal(Answers(sender="530 sign in first"), ProviderMisconfigured, "530"),
        "too large": Refusal(Answers(sender="552 too large"), PermanentFailure, "552 too large"),
        "a refused message": Refusal(Answers(data="554 looks like spam"), PermanentFailure, "554 looks like spam"),
        "a full disk": Refusal(Answers(data="452 no space"), TemporaryFailure, "452 no space"),
        "today's limit": Refusal(
            Answers(data="550 5.4.5 Daily user sending limit exceeded."), QuotaExhausted, "5.4.5", retry_after=4 * 3600
        ),
        "today's limit, before the message": Refusal(
            Answers(sender="550 5.4.5 Daily user sending limit exceeded."), QuotaExhausted, retry_after=4 * 3600
        ),
        "a server that closes": Refusal(Answers(data="421 shutting down"), TemporaryFailure, "421 shutting down"),
    }
    not_a_success: ClassVar[dict[str, Refusal]] = {}
    accepted = Answers()
    # The Message-ID is ours.
    without_id = ()

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        # The names by which it was greeted.
        self.greeted_by: list[str] = []
        self.answers = Answers()
        self.silent = self.cut = False
        with socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    @classmethod
    @contextmanager
    def serving(cls, **options: Any) -> Iterator[Self]:
        """`options` are aiosmtpd's: its TLS and who may sign in."""
        api = cls()
        controller = Controller(api, hostname="127.0.0.1", port=api.port, **options)
        controller.start()
        try:
            yield api
        finally:
            controller.stop()

    def address(self) -> dict[str, Any]:
        return {"smtp_port": self.port, "smtp_security": "none"}

    def will(self, answer: Answers) -> None:
        self.answers = answer

    def falls_silent(self) -> None:
        self.silent = True

    def cuts_connections(self) -> None:
        self.cut = True

    def taken(self) -> list[Message]:
        return [self._read(envelope) for envelope in self.envelopes]

    def idempotency_keys(self) -> list[str]:
        return []

    def id_of(self, message: Message) -> str:
        return f"<0001@{message.sender.email.rpartition('@')[2]}>"

    def understood(self, message: Message) -> Message:
        return replace(message, tags=(), metadata={})

    def _read(self, envelope: Envelope) -> Message:
        assert isinstance(envelope.content, bytes)
        # It has not said that it takes anything else.
        assert envelope.content.isascii()
        assert max(map(len, envelope.content.splitlines(keepends=True))) <= 1000
        email = message_from_bytes(envelope.content, policy=policy.default)
        seen = read_email(email)
        named = {address.email for address in seen.recipients}
        return replace(seen, bcc=tuple(Address(email) for email in envelope.rcpt_tos if email not in named))

    async def handle_EHLO(self, _: SMTP, session: Any, __: Envelope, host: str, replies: list[str]) -> list[str]:
        """As a server that knows no extension for other characters than ASCII."""
        session.host_name = host
        self.greeted_by.append(host)
        if not self.answers.greeting.startswith("250"):
            return [self.answers.greeting]
        return [reply for reply in replies if not reply.endswith(("8BITMIME", "SMTPUTF8"))]

    async def handle_HELO(self, _: SMTP, session: Any, __: Envelope, host: str) -> str:
        session.host_name = host
        return self.answers.greeting

    async def handle_MAIL(self, _: SMTP, __: Any, envelope: Envelope, address: str, options: list[str]) -> str:
        if self.answers.sender.startswith("250"):
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return self.answers.sender

    async def handle_RCPT(self, _: SMTP, __: Any, envelope: Envelope, address: str, ___: Any) -> str:
        answer = self.answers.others.get(address, self.answers.recipient)
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, _: Any, envelope: Envelope) -> str:
        self.envelopes.append(envelope)
        if self.silent:
            await sleep(3)
        if self.cut:
            assert server.transport
            server.transport.close()
        return self.answers.data

    async def handle_QUIT(self, *_: Any) -> str:
        return self.answers.goodbye
