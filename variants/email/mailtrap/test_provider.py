"""What is Mailtrap's own; the rest is in test_provider_contract.py and test_provider_failures.py."""

from typing import Any

import pytest
from provider_api import SECRET, signed

from groundwork.mail.callback import CallbackRefused
from groundwork.mail.events import Kind
from groundwork.mail.message import Address, Message
from groundwork.mail.provider import send
from groundwork.mail.webhook import receive
from groundwork.settings import get_settings

ADA, BOB = Address("ada@example.org"), Address("bob@example.org")
REPORT = {"event": "bounce", "timestamp": 1893553445, "event_id": "1", "message_id": "m", "email": "ada@example.org"}


@pytest.fixture
def agreed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(get_settings(), "mailtrap_webhook_secret", SECRET)


def test_a_plain_message_says_nothing_that_it_does_not_have(carrier: Any) -> None:
    send(Message(to=(ADA,), subject="Hello", text="Hi", html="<p>Hi</p>"), "0001")

    [request] = carrier.requests
    assert request.json().keys() == {"from", "to", "subject", "text", "html"}


def test_the_first_reply_to_and_the_first_tag_are_kept(carrier: Any) -> None:
    send(Message(to=(ADA,), reply_to=(BOB, ADA), tags=("a", "b"), subject="Hello", text="Hi", html="<p>Hi</p>"), "0001")

    [request] = carrier.requests
    assert (request.json()["reply_to"], request.json()["category"]) == ({"email": "bob@example.org"}, "a")


def test_several_events_come_at_once(agreed: None) -> None:
    other = REPORT | {"event_id": "2", "event": "suspension", "reason": "daily sending limit"}

    first, second = receive(signed({"events": [REPORT, {"event": "click"}, other]})).events

    assert (first.id, first.kind) == ("1", Kind.BOUNCED)
    assert (second.id, second.kind, second.reason) == ("2", Kind.DEFERRED, "daily sending limit")


@pytest.mark.parametrize("said", [None, [], {}, {"events": 7}, {"events": [REPORT | {"timestamp": "now"}]}, REPORT])
def test_another_shape_is_refused(agreed: None, said: Any) -> None:
    with pytest.raises(CallbackRefused, match="not what the provider documents"):
        receive(signed(said))
