"""What is Postmark's own; the rest is in test_provider_contract.py and test_provider_failures.py."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from provider_api import told

from groundwork.mail.callback import CallbackRefused
from groundwork.mail.events import Kind
from groundwork.mail.message import Address, Attachment, Message
from groundwork.mail.provider import check, send
from groundwork.mail.webhook import receive
from groundwork.settings import get_settings

MESSAGE = Message(to=(Address("ada@example.org"),), subject="Hello", text="Hi", html="<p>Hi</p>")
BOUNCE = {
    "RecordType": "Bounce",
    "Type": "HardBounce",
    "MessageID": "message-1",
    "Email": "ada@example.org",
    "BouncedAt": "2030-01-02T03:04:05.1234567-05:00",
    "Details": "",
    "Description": "Nobody here.",
}


@pytest.fixture
def agreed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(get_settings(), "postmark_webhook_secret", "between Postmark and us")


def test_the_token_that_sends_nothing_opens_nothing_else(carrier: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(get_settings(), "postmark_server_token", "POSTMARK_API_TEST")

    assert "sends nothing" in check()
    assert carrier.questions == []


def test_a_plain_message_says_nothing_that_it_does_not_have(carrier: Any) -> None:
    send(MESSAGE, "0001")

    [request] = carrier.requests
    assert request.json().keys() == {"From", "To", "Subject", "TextBody", "HtmlBody"}


def test_an_image_of_the_html_has_the_prefix_that_postmark_wants(carrier: Any) -> None:
    send(replace(MESSAGE, attachments=(Attachment("logo.png", b"PNG", "image/png", content_id="logo"),)), "0001")

    [request] = carrier.requests
    assert request.json()["Attachments"][0]["ContentID"] == "cid:logo"


@pytest.mark.parametrize(
    ("type_", "kind"),
    [
        ("BadEmailAddress", Kind.BOUNCED),
        ("Transient", Kind.DEFERRED),
        ("SpamNotification", Kind.REJECTED),
        ("Unsubscribe", Kind.UNSUBSCRIBED),
        ("AutoResponder", None),
    ],
)
def test_each_type_of_bounce_means_its_own(agreed: None, type_: str, kind: Kind | None) -> None:
    heard = receive(told(BOUNCE | {"Type": type_})).events

    assert [event.kind for event in heard] == ([kind] if kind else [])


def test_seven_digits_of_a_second_and_a_missing_detail_are_understood(agreed: None) -> None:
    [heard] = receive(told(BOUNCE)).events

    assert heard.at.astimezone(UTC) == datetime(2030, 1, 2, 3, 4, 5, 123456, timezone(timedelta(hours=-5)))
    assert heard.reason == "Nobody here."


@pytest.mark.parametrize(
    "change",
    [
        {"SuppressionReason": "HardBounce"},
        {"Origin": "Customer", "MessageID": None},
        {"SuppressSending": False, "SuppressionReason": None, "MessageID": None},
    ],
    ids=["after a bounce", "by ourselves", "lifted"],
)
def test_only_a_reader_unsubscribes(agreed: None, change: dict[str, Any]) -> None:
    said = {"RecordType": "SubscriptionChange", "MessageID": "message-1", "Recipient": "ada@example.org"}
    said |= {"ChangedAt": "2030-01-02T03:04:05Z", "Origin": "Recipient"}
    unsubscribed = said | {"SuppressSending": True, "SuppressionReason": "ManualSuppression"}

    assert [event.kind for event in receive(told(unsubscribed)).events] == [Kind.UNSUBSCRIBED]
    assert receive(told(unsubscribed | change)).events == ()


@pytest.mark.parametrize("body", [[BOUNCE], {}, BOUNCE | {"BouncedAt": "yesterday"}, {"RecordType": "Bounce"}])
def test_what_postmark_never_says_is_refused(agreed: None, body: Any) -> None:
    with pytest.raises(CallbackRefused):
        receive(told(body))


def test_another_password_is_refused(agreed: None) -> None:
    with pytest.raises(CallbackRefused):
        receive(told(BOUNCE, secret="a guess"))
