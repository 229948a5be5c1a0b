"""What is SMTP's own; the rest is in test_provider_contract.py and test_provider_failures.py."""

import pytest
from provider_api import Answers, Api

from app.mail.failures import ProviderMisconfigured
from app.mail.message import Address, Message
from app.mail.provider import check, send
from app.settings import get_settings

MESSAGE = Message(to=(Address("ada@example.org"),), subject="Grüße", text="Hi", html="<p>Hi</p>")


def test_the_jobs_id_is_in_the_message_id_of_our_own_domain(carrier: Api) -> None:
    message_id = send(MESSAGE, "0001")

    [envelope] = carrier.envelopes
    assert message_id == "<0001@example.com>"
    assert isinstance(envelope.content, bytes)
    assert b"Message-ID: <0001@example.com>" in envelope.content


def test_who_gets_a_copy_in_secret_is_not_named(carrier: Api) -> None:
    send(Message(to=MESSAGE.to, bcc=(Address("eve@example.org"),), subject="Hi", text="Hi", html="Hi"), "0001")

    [envelope] = carrier.envelopes
    assert isinstance(envelope.content, bytes)
    assert envelope.rcpt_tos == ["ada@example.org", "eve@example.org"]
    assert b"eve@example.org" not in envelope.content


def test_a_message_that_was_taken_is_not_sent_again_for_a_rude_goodbye(carrier: Api) -> None:
    carrier.will(Answers(goodbye="421 too busy"))

    send(MESSAGE, "0001")

    assert len(carrier.envelopes) == 1


def test_a_server_without_encryption_is_refused_unless_asked_for(carrier: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(get_settings(), "smtp_security", "starttls")

    with pytest.raises(ProviderMisconfigured, match="STARTTLS"):
        send(MESSAGE, "0001")
    assert carrier.envelopes == []


def test_the_doctor_signs_in_to_the_server(carrier: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "SMTP by 127.0.0.1" in check()

    monkeypatch.setattr(get_settings(), "smtp_port", 1)
    with pytest.raises(ProviderMisconfigured, match="SMTP_HOST"):
        check()
