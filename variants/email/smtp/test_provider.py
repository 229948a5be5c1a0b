"""The adapter against a real SMTP server."""

from collections.abc import Iterator
from socket import socket
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope

from app.mail.failures import PermanentFailure, ProviderMisconfigured, TemporaryFailure
from app.mail.message import Message
from app.mail.provider import check, send
from app.settings import get_settings

MESSAGE = Message(to="ada@example.org", subject="Grüße", text="Hi", html="<p>Hi</p>")


class Server:
    """Takes mail, or answers what a test tells it to."""

    def __init__(self) -> None:
        self.taken: list[Envelope] = []
        self.recipient_answer = "250 OK"
        self.data_answer = "250 OK"
        self.goodbye = "221 Bye"

    async def handle_RCPT(self, _: Any, __: Any, envelope: Envelope, address: str, ___: Any) -> str:
        envelope.rcpt_tos.append(address)
        return self.recipient_answer

    async def handle_DATA(self, _: Any, __: Any, envelope: Envelope) -> str:
        self.taken.append(envelope)
        return self.data_answer

    async def handle_QUIT(self, *_: Any) -> str:
        return self.goodbye


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    server = Server()
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(server, hostname="127.0.0.1", port=port)
    controller.start()
    monkeypatch.setattr(get_settings(), "smtp_port", port)
    monkeypatch.setattr(get_settings(), "smtp_security", "none")
    yield server
    controller.stop()


def test_a_message_arrives_with_the_jobs_id_in_its_message_id(server: Server) -> None:
    message_id = send(MESSAGE, "0001")

    [envelope] = server.taken
    assert message_id == "<0001@example.com>"
    assert envelope.rcpt_tos == ["ada@example.org"]
    assert isinstance(envelope.content, bytes)
    assert b"Message-ID: <0001@example.com>" in envelope.content


@pytest.mark.parametrize("where", ["recipient_answer", "data_answer"])
@pytest.mark.parametrize(("answer", "failure"), [("451 busy", TemporaryFailure), ("550 no", PermanentFailure)])
def test_a_refusal_is_temporary_or_permanent(server: Server, where: str, answer: str, failure: type[Exception]) -> None:
    setattr(server, where, answer)

    with pytest.raises(failure, match=answer):
        send(MESSAGE, "0001")


def test_a_message_that_was_taken_is_not_sent_again_for_a_rude_goodbye(server: Server) -> None:
    server.goodbye = "421 too busy"

    send(MESSAGE, "0001")

    assert len(server.taken) == 1


def test_a_server_that_does_not_answer_is_a_temporary_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(get_settings(), "smtp_port", 1)

    with pytest.raises(TemporaryFailure, match="does not answer"):
        send(MESSAGE, "0001")


def test_a_server_without_encryption_is_refused_unless_asked_for(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(get_settings(), "smtp_security", "starttls")

    with pytest.raises(ProviderMisconfigured, match="STARTTLS"):
        send(MESSAGE, "0001")
    assert server.taken == []


def test_the_doctor_signs_in_to_the_server(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "SMTP by 127.0.0.1" in check()

    monkeypatch.setattr(get_settings(), "smtp_port", 1)
    with pytest.raises(ProviderMisconfigured, match="SMTP_HOST"):
        check()
