"""What is Brevo's own; the rest is in test_provider_contract.py and test_provider_failures.py."""

from dataclasses import replace
from typing import Any

import pytest
from provider_api import error, told

from groundwork.mail.callback import CallbackRefused
from groundwork.mail.events import Kind
from groundwork.mail.message import Address, Message
from groundwork.mail.provider import send
from groundwork.mail.webhook import receive
from groundwork.settings import get_settings

KEY = "0192f0c1-0000-7000-8000-000000000001"
MESSAGE = Message(to=(Address("ada@example.org"),), subject="Hello", text="Hi", html="<p>Hi</p>")
BOUNCE = {
    "event": "hard_bounce",
    "email": "ada@example.org",
    "id": 26224,
    "ts_event": 1893553445,
    "message-id": "<message-1@smtp-relay.mailin.fr>",
    "reason": "Nobody here.",
}


@pytest.fixture
def agreed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(get_settings(), "brevo_webhook_secret", "between Brevo and us")


def test_a_plain_message_says_nothing_that_it_does_not_have(carrier: Any) -> None:
    send(MESSAGE, KEY)

    [request] = carrier.requests
    assert request.json().keys() == {"sender", "to", "subject", "textContent", "htmlContent", "headers"}
    assert request.json()["headers"] == {"idempotencyKey": KEY}


def test_the_id_has_no_brackets_in_answers_and_reports(carrier: Any, agreed: None) -> None:
    assert "<" in carrier.accepted.body["messageId"]

    assert send(MESSAGE, KEY) == carrier.accepted.body["messageId"][1:-1]
    [heard] = receive(told(BOUNCE)).events
    assert heard.message_id == "message-1@smtp-relay.mailin.fr"


def test_an_attempt_that_was_taken_before_is_taken(carrier: Any) -> None:
    carrier.will(error(400, "duplicate_parameter"))

    assert send(MESSAGE, KEY) == KEY


def test_the_first_address_gets_the_replies(carrier: Any) -> None:
    send(replace(MESSAGE, reply_to=(Address("help@example.com", "Help"), Address("boss@example.com"))), KEY)

    [request] = carrier.requests
    assert request.json()["replyTo"] == {"email": "help@example.com", "name": "Help"}


def test_a_batched_webhook_tells_of_many_events(agreed: None) -> None:
    names = ["hard_bounce", "deferred", "complaint", "invalid_email", "error", "click"]

    heard = receive(told([BOUNCE | {"event": name} for name in names])).events

    assert [event.kind for event in heard] == [
        Kind.BOUNCED,
        Kind.DEFERRED,
        Kind.COMPLAINED,
        Kind.REJECTED,
        Kind.REJECTED,
    ]
    assert len({event.id for event in heard}) == len(heard)


@pytest.mark.parametrize("body", [7, {}, ["x"], BOUNCE | {"ts_event": "yesterday"}, BOUNCE | {"message-id": None}])
def test_what_brevo_never_says_is_refused(agreed: None, body: Any) -> None:
    with pytest.raises(CallbackRefused):
        receive(told(body))


def test_another_password_is_refused(agreed: None) -> None:
    with pytest.raises(CallbackRefused):
        receive(told(BOUNCE, secret="a guess"))
