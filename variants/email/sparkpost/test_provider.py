"""What is SparkPost's own; the rest is in test_provider_contract.py and test_provider_failures.py."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from provider_api import PASSWORD, reported

from groundwork.mail.callback import CallbackRefused
from groundwork.mail.events import Kind
from groundwork.mail.message import Address, Message
from groundwork.mail.provider import send
from groundwork.mail.webhook import receive
from groundwork.settings import get_settings

ADA, BOB = Address("ada@example.org", "Ada"), Address("bob@example.org", "Bob")
PLAIN = Message(to=(ADA,), subject="Hello", text="Hi", html="<p>Hi</p>")
AT = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
REPORT = {"type": "bounce", "event_id": "1", "rcpt_to": "ada@example.org", "timestamp": "1893553445"}


@pytest.fixture
def agreed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(get_settings(), "sparkpost_webhook_password", PASSWORD)


def test_a_plain_message_says_nothing_that_it_does_not_have(carrier: Any) -> None:
    send(PLAIN, "0001")

    [request] = carrier.requests
    said = request.json()
    assert said.keys() == {"options", "recipients", "content"}
    assert said["content"].keys() == {"from", "subject", "text", "html"}
    assert said["content"]["from"].keys() == {"email"}


def test_everybody_reads_the_same_recipients(carrier: Any) -> None:
    send(replace(PLAIN, cc=(BOB,), bcc=(Address("dan@example.org", "Dan"),)), "0001")

    [request] = carrier.requests
    assert [one["address"] for one in request.json()["recipients"]] == [
        {"email": email, "header_to": "Ada <ada@example.org>"}
        for email in ("ada@example.org", "bob@example.org", "dan@example.org")
    ]
    assert request.json()["content"]["headers"] == {"CC": "Bob <bob@example.org>"}


def test_braces_in_a_header_are_no_template(carrier: Any) -> None:
    braces = "{" * 2 + "name" + "}" * 2
    written = replace(
        PLAIN, subject=f"Dear {braces}", headers={"X-Mine": braces}, reply_to=(Address(BOB.email, braces),)
    )

    send(written, "0001")

    assert carrier.taken() == [written]


@pytest.mark.parametrize(
    ("bounce_class", "kind"), [("10", Kind.BOUNCED), ("25", Kind.REJECTED), ("22", Kind.DEFERRED), ("1", Kind.DEFERRED)]
)
def test_a_bounce_is_as_hard_as_its_class(agreed: None, bounce_class: str, kind: Kind) -> None:
    said = [{"msys": {"message_event": REPORT | {"bounce_class": bounce_class}}}]

    [event] = receive(reported(said)).events

    assert (event.kind, event.email, event.at) == (kind, "ada@example.org", AT)


def test_a_message_that_could_not_be_made_has_another_kind_of_time(agreed: None) -> None:
    failure = REPORT | {"type": "generation_failure", "timestamp": "2030-01-02T03:04:05.000+00:00"}

    [event] = receive(reported([{"msys": {"gen_event": failure}}])).events

    assert (event.kind, event.at) == (Kind.REJECTED, AT)


def test_several_events_come_at_once_and_an_empty_one_is_a_test(agreed: None) -> None:
    batch = [{"msys": {"message_event": REPORT | {"event_id": name}}} for name in "ab"]

    assert [event.id for event in receive(reported(batch)).events] == ["a", "b"]
    assert receive(reported([{"msys": {}}])).events == ()


@pytest.mark.parametrize(
    "said", [None, 7, ["a"], {"msys": {}}, [{"msys": {"a": 7}}], [{"msys": {"a": {"type": "bounce"}}}]]
)
def test_another_shape_is_refused(agreed: None, said: Any) -> None:
    with pytest.raises(CallbackRefused, match="not what the provider documents"):
        receive(reported(said))
