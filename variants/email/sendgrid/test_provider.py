"""What is SendGrid's own; the rest is in test_provider_contract.py and test_provider_failures.py."""

from dataclasses import replace
from typing import Any

import pytest
from provider_api import PUBLIC, signed

from groundwork.mail.callback import CallbackRefused
from groundwork.mail.events import Kind
from groundwork.mail.message import Address, Attachment, Message
from groundwork.mail.provider import send
from groundwork.mail.webhook import receive
from groundwork.settings import get_settings

MESSAGE = Message(to=(Address("ada@example.org"),), subject="Hello", text="Hi", html="<p>Hi</p>")
BOUNCE = {
    "event": "bounce",
    "type": "bounce",
    "email": "ada@example.org",
    "timestamp": 1513299569,
    "sg_event_id": "event-1",
    "sg_message_id": "message-1.recvd-6dd5d9b4b6",
    "reason": "500 unknown recipient",
}


@pytest.fixture
def agreed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(get_settings(), "sendgrid_webhook_verification_key", PUBLIC)


def test_a_plain_message_says_nothing_that_it_does_not_have(carrier: Any) -> None:
    send(MESSAGE, "0001")

    [request] = carrier.requests
    assert request.json().keys() == {"personalizations", "from", "subject", "content"}
    assert request.json()["personalizations"] == [{"to": [{"email": "ada@example.org"}]}]


def test_only_an_image_of_the_html_is_shown_in_its_place(carrier: Any) -> None:
    files = (Attachment("logo.png", b"PNG", "image/png", content_id="logo"), Attachment("bill.pdf", b"PDF"))
    send(replace(MESSAGE, attachments=files), "0001")

    [request] = carrier.requests
    logo, bill = request.json()["attachments"]
    assert (logo["disposition"], logo["content_id"]) == ("inline", "logo")
    assert bill.keys() == {"filename", "content", "type"}


def test_a_request_tells_of_many_events(agreed: None) -> None:
    blocked = BOUNCE | {"type": "blocked", "sg_event_id": "event-2"}
    left = BOUNCE | {"event": "group_unsubscribe", "sg_event_id": "event-3"}
    read = BOUNCE | {"event": "open", "sg_event_id": "event-4"}

    heard = receive(signed([BOUNCE, blocked, left, read], 0)).events

    kinds = [("event-1", Kind.BOUNCED), ("event-2", Kind.DEFERRED), ("event-3", Kind.UNSUBSCRIBED)]
    assert [(event.id, event.kind) for event in heard] == kinds


def test_a_late_bounce_knows_no_message(agreed: None) -> None:
    late = {name: value for name, value in BOUNCE.items() if name != "sg_message_id"}

    [heard] = receive(signed([late], 0)).events

    assert (heard.kind, heard.email, heard.message_id) == (Kind.BOUNCED, "ada@example.org", "")


@pytest.mark.parametrize("body", [BOUNCE, 7, [{}], [BOUNCE | {"timestamp": "yesterday"}], [BOUNCE | {"email": None}]])
def test_what_sendgrid_never_says_is_refused(agreed: None, body: Any) -> None:
    with pytest.raises(CallbackRefused):
        receive(signed(body, 0))


@pytest.mark.parametrize("key", ["not Base64!", "aGVsbG8="])
def test_a_key_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setattr(get_settings(), "sendgrid_webhook_verification_key", key)

    with pytest.raises(CallbackRefused, match="SENDGRID_WEBHOOK_VERIFICATION_KEY"):
        receive(signed([BOUNCE], 0))
