"""What is Resend's own; the rest is in test_provider_contract.py and test_provider_failures.py."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from time import time
from typing import Any
from urllib.parse import urlsplit

import pytest
from fastapi.testclient import TestClient
from provider_api import signed
from provider_server import Answer
from sqlalchemy import select
from sqlalchemy.orm import Session

from groundwork.mail.callback import CallbackRefused
from groundwork.mail.events import Kind
from groundwork.mail.failures import ProviderMisconfigured, TemporaryFailure
from groundwork.mail.message import Address, Message
from groundwork.mail.models import ReportedEvent, SuppressedAddress
from groundwork.mail.provider import send
from groundwork.mail.webhook import receive
from groundwork.settings import get_settings


def test_a_plain_message_says_nothing_that_it_does_not_have(carrier: Any) -> None:
    send(Message(to=(Address("ada@example.org"),), subject="Hello", text="Hi", html="<p>Hi</p>"), "0001")

    [request] = carrier.requests
    assert request.json().keys() == {"from", "to", "subject", "text", "html"}


def test_tags_and_metadata_are_pairs(carrier: Any) -> None:
    to = (Address("ada@example.org"),)
    send(Message(to=to, subject="Hello", text="Hi", html="<p>Hi</p>", tags=("a",), metadata={"order": "7"}), "0001")

    [request] = carrier.requests
    assert request.json()["tags"] == [{"name": "a", "value": "tag"}, {"name": "order", "value": "7"}]


def test_the_time_to_wait_may_be_a_date(carrier: Any) -> None:
    until = format_datetime(datetime.now(UTC) + timedelta(minutes=1), usegmt=True)
    carrier.will(Answer(503, {}, {"Retry-After": until}))

    with pytest.raises(TemporaryFailure) as refused:
        send(Message(to=(Address("ada@example.org"),), subject="Hello", text="Hi", html="<p>Hi</p>"), "0001")

    assert refused.value.retry_after == pytest.approx(60, abs=30)


def test_a_body_of_another_shape_is_not_believed(carrier: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(get_settings(), "resend_webhook_secret", carrier.webhook_settings["resend_webhook_secret"])

    shapes: list[Any] = [
        [],
        {"type": "email.bounced"},
        {"type": "email.bounced", "data": {"to": 7}, "created_at": "now"},
    ]
    for said in shapes:
        with pytest.raises(CallbackRefused, match="not what the provider documents"):
            receive(signed("event-1", said, time()))


@pytest.mark.parametrize(
    ("type_", "kind"),
    [("Permanent", Kind.BOUNCED), ("Transient", Kind.DEFERRED), ("Undetermined", Kind.DEFERRED), (None, Kind.DEFERRED)],
)
def test_only_a_bounce_for_good_is_one(
    carrier: Any, monkeypatch: pytest.MonkeyPatch, type_: str | None, kind: Kind
) -> None:
    monkeypatch.setattr(get_settings(), "resend_webhook_secret", carrier.webhook_settings["resend_webhook_secret"])
    data = {"email_id": "1", "to": ["ada@example.org"], "bounce": {"type": type_} if type_ else {}}
    said = {"type": "email.bounced", "created_at": "2030-01-02T03:04:05Z", "data": data}

    [heard] = receive(signed("event-1", said, time())).events

    assert heard.kind is kind


def test_of_several_recipients_nobody_is_taken_for_the_one_who_bounced(
    carrier: Any, monkeypatch: pytest.MonkeyPatch, client: TestClient, session: Session
) -> None:
    monkeypatch.setattr(get_settings(), "resend_webhook_secret", carrier.webhook_settings["resend_webhook_secret"])
    data = {"email_id": "1", "to": ["ada@example.org"], "cc": ["bob@example.org"], "bounce": {"type": "Permanent"}}
    said = {"type": "email.bounced", "created_at": "2030-01-02T03:04:05Z", "data": data}
    report = signed("event-1", said, time())

    assert client.post(urlsplit(report.url).path, content=report.body, headers=report.headers).status_code == 200

    [kept] = session.scalars(select(ReportedEvent)).all()
    assert (kept.kind, kept.email, kept.message_id) == ("bounced", "", "1")
    assert session.scalars(select(SuppressedAddress)).all() == []


@pytest.mark.parametrize("key", ["re_secret\n", "re_secret\N{NO-BREAK SPACE}"])
def test_a_key_that_cannot_be_sent_is_not_repeated(carrier: Any, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setattr(get_settings(), "resend_api_key", key)

    with pytest.raises(ProviderMisconfigured, match="character that HTTP cannot send") as refused:
        send(Message(to=(Address("ada@example.org"),), subject="Hello", text="Hi", html="<p>Hi</p>"), "0001")

    assert "re_secret" not in str(refused.value)
    assert refused.value.__suppress_context__
