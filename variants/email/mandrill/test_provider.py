"""What is Mandrill's own; the rest is in test_provider_contract.py and test_provider_failures.py."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from fastapi.testclient import TestClient
from provider_api import KEY, Api, copy, event, posted
from provider_server import Answer

from groundwork.mail.callback import CallbackRefused
from groundwork.mail.events import Kind, MailEvent
from groundwork.mail.message import Address, Attachment, Message
from groundwork.mail.provider import send
from groundwork.mail.webhook import receive
from groundwork.settings import get_settings

MESSAGE = Message(to=(Address("ada@example.org"),), subject="Hello", text="Hi", html="<p>Hi</p>")
BOUNCE = MailEvent("event-1", Kind.BOUNCED, "ada@example.org", "message-1", datetime(2030, 1, 2, tzinfo=UTC))


@pytest.fixture
def agreed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(get_settings(), "mandrill_webhook_key", KEY)


def test_whoever_is_rejected_does_not_keep_the_others_from_getting_it_once(carrier: Api) -> None:
    carrier.will(Answer(200, [copy("rejected", reject_reason="spam"), copy("queued", _id="second")]))

    assert send(MESSAGE, "0001") == "second"


def test_only_images_are_shown_in_the_text(carrier: Api) -> None:
    font = Attachment("a.woff2", b"...", "font/woff2", content_id="font")
    send(replace(MESSAGE, attachments=(font,)), "0001")

    [message] = carrier.taken()
    assert message.attachments == (replace(font, content_id=""),)


def test_names_outside_ascii_are_encoded_in_a_header(carrier: Api) -> None:
    send(replace(MESSAGE, reply_to=(Address("help@example.com", "Grüße, Ltd."),)), "0001")

    [request] = carrier.requests
    assert request.json()["message"]["headers"]["Reply-To"].isascii()
    assert carrier.taken()[0].reply_to == (Address("help@example.com", "Grüße, Ltd."),)


def test_a_batch_has_an_event_for_each_copy(carrier: Api, agreed: None) -> None:
    bob = replace(BOUNCE, email="bob@example.org", message_id="message-2")

    heard = receive(posted(event(BOUNCE, "soft_bounce"), event(bob, "hard_bounce"), event(bob, "click"))).events

    assert [(one.kind, one.email) for one in heard] == [(Kind.DEFERRED, BOUNCE.email), (Kind.BOUNCED, bob.email)]


def test_another_address_is_not_the_one_that_was_signed(carrier: Api, agreed: None) -> None:
    with pytest.raises(CallbackRefused, match="signature"):
        receive(replace(posted(), url="https://example.com/api/v1/webhooks/email?a=b"))


def test_an_address_is_taken_when_somebody_is_there(client: TestClient) -> None:
    assert client.head("/api/v1/webhooks/email").status_code == 200


@pytest.mark.parametrize("said", [{"event": "spam"}, [], "spam", {"event": "spam", "msg": None, "ts": 1}])
def test_another_shape_is_refused(carrier: Api, agreed: None, said: object) -> None:
    with pytest.raises(CallbackRefused, match="not what the provider documents"):
        receive(posted(said))
