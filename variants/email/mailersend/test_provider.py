"""What is MailerSend's own; the rest is in test_provider_contract.py and test_provider_failures.py."""

from typing import Any

import pytest
from provider_api import SECRET, signed, suppressed

from groundwork.mail.callback import CallbackRefused
from groundwork.mail.message import Address, Message
from groundwork.mail.provider import send
from groundwork.mail.webhook import receive
from groundwork.settings import get_settings

ADA, BOB = Address("ada@example.org", "Lovelace, Ada; Countess"), Address("bob@example.org")


def test_a_plain_message_says_nothing_that_it_does_not_have(carrier: Any) -> None:
    send(Message(to=(BOB,), subject="Hello", text="Hi", html="<p>Hi</p>"), "0001")

    [request] = carrier.requests
    assert request.json().keys() == {"from", "to", "subject", "text", "html"}


def test_a_recipient_s_name_loses_what_mailersend_refuses(carrier: Any) -> None:
    send(Message(to=(ADA,), reply_to=(ADA, BOB), subject="Hello", text="Hi", html="<p>Hi</p>"), "0001")

    [request] = carrier.requests
    assert request.json()["to"] == [{"email": "ada@example.org", "name": "Lovelace Ada Countess"}]
    assert request.json()["reply_to"] == {"email": "ada@example.org", "name": "Lovelace, Ada; Countess"}


def test_the_unsubscribe_address_is_the_last_one_without_brackets(carrier: Any) -> None:
    headers = {"list-unsubscribe": "<mailto:out@example.com>, <https://example.com/u>", "X-Mine": "1"}
    send(Message(to=(BOB,), subject="Hello", text="Hi", html="<p>Hi</p>", headers=headers), "0001")

    [request] = carrier.requests
    assert request.json()["list_unsubscribe"] == "https://example.com/u"
    assert request.json()["headers"] == [{"name": "X-Mine", "value": "1"}]


def test_a_message_that_goes_to_some_is_sent(carrier: Any) -> None:
    carrier.will(suppressed("SOME_SUPPRESSED", **{"X-Message-Id": "63fd"}))

    assert send(Message(to=(ADA, BOB), subject="Hello", text="Hi", html="<p>Hi</p>"), "0001") == "63fd"


DELIVERED = {"type": "activity.delivered", "data": {"id": "1", "email": None}}


@pytest.mark.parametrize("said", [None, 7, [], {"type": []}, {"data": {}}, DELIVERED])
def test_another_shape_is_refused(monkeypatch: pytest.MonkeyPatch, said: Any) -> None:
    monkeypatch.setattr(get_settings(), "mailersend_webhook_secret", SECRET)

    with pytest.raises(CallbackRefused, match="not what the provider documents"):
        receive(signed(said))


PUBLISHED = "test_Am3L1GuOIc4blLUuHqAPxxwkZaJyEk8G"


def test_an_address_can_be_entered_before_there_is_a_secret() -> None:
    assert get_settings().mailersend_webhook_secret == ""

    assert receive(signed({"type": "webhook.test", "message": "Test webhook"}, PUBLISHED)).events == ()


@pytest.mark.parametrize("said", [DELIVERED, {"type": "activity.hard_bounced"}, {"type": "activity.opened"}])
def test_the_published_secret_proves_nothing_else(monkeypatch: pytest.MonkeyPatch, said: Any) -> None:
    monkeypatch.setattr(get_settings(), "mailersend_webhook_secret", SECRET)

    with pytest.raises(CallbackRefused, match="signature"):
        receive(signed(said, PUBLISHED))


def test_somebody_else_cannot_ask_even_that() -> None:
    with pytest.raises(CallbackRefused, match="signature"):
        receive(signed({"type": "webhook.test"}, "another"))
