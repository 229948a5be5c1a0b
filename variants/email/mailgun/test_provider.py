"""What is Mailgun's own; the rest is in test_provider_contract.py and test_provider_failures.py."""

from dataclasses import replace
from time import time
from typing import Any

import pytest
from provider_api import parts, signed

from app.mail.callback import CallbackRefused
from app.mail.message import Address, Attachment, Message
from app.mail.provider import send
from app.mail.webhook import receive
from app.settings import get_settings

MESSAGE = Message(to=(Address("ada@example.org"),), subject="Hello", text="Hi", html="<p>Hi</p>")
BOUNCE = {
    "event": "failed",
    "severity": "permanent",
    "reason": "bounce",
    "id": "event-1",
    "timestamp": 1893553445.5,
    "recipient": "ada@example.org",
    "message": {"headers": {"message-id": "message-1"}},
}


@pytest.fixture
def agreed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(get_settings(), "mailgun_webhook_signing_key", "between Mailgun and us")


def test_a_plain_message_says_nothing_that_it_does_not_have(carrier: Any) -> None:
    send(MESSAGE, "0001")

    [request] = carrier.requests
    assert [name for name, *_ in parts(request)] == ["from", "to", "subject", "text", "html"]


def test_the_id_has_no_brackets_as_in_the_reports(carrier: Any) -> None:
    assert "<" in carrier.accepted.body["id"]

    assert send(MESSAGE, "0001") == carrier.accepted.body["id"][1:-1]


def test_an_image_of_the_html_has_the_name_by_which_the_html_finds_it(carrier: Any) -> None:
    files = (Attachment("Grüße.png", b"PNG", "image/png", content_id="logo"), Attachment("Grüße.png", b"PNG"))
    send(replace(MESSAGE, attachments=files), "0001")

    [request] = carrier.requests
    names = [(name, file_name) for name, file_name, *_ in parts(request) if file_name]
    assert names == [("inline", "logo"), ("attachment", "Grüße.png")]


def test_an_event_of_another_day_is_another_event(agreed: None) -> None:
    [first], [second] = (
        receive(signed(BOUNCE | {"timestamp": timestamp}, time())).events for timestamp in (1893553445.5, 1893639845.5)
    )

    assert first.id != second.id


@pytest.mark.parametrize(
    "said",
    [None, [BOUNCE], {}, BOUNCE | {"message": {}}, BOUNCE | {"timestamp": "yesterday"}, BOUNCE | {"timestamp": 1e99}],
)
def test_what_mailgun_never_says_is_refused(agreed: None, said: Any) -> None:
    with pytest.raises(CallbackRefused):
        receive(signed(said, time()))


@pytest.mark.parametrize("body", [b"[]", b'{"signature": "x"}', b'{"signature": {"timestamp": 1, "token": "x"}}'])
def test_a_signature_of_another_shape_is_refused(agreed: None, body: bytes) -> None:
    with pytest.raises(CallbackRefused):
        receive(replace(signed(BOUNCE, time()), body=body))
