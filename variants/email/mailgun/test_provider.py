"""What is Mailgun's own; the rest is in test_provider_contract.py and test_provider_failures.py."""

import json
from contextlib import nullcontext
from dataclasses import replace
from time import time
from typing import Any
from urllib.parse import urlsplit

import pytest
from fastapi.testclient import TestClient
from provider_api import parts, signed
from sqlalchemy import select
from sqlalchemy.orm import Session

from groundwork.mail.callback import CallbackRefused
from groundwork.mail.events import Kind
from groundwork.mail.message import Address, Attachment, Message
from groundwork.mail.models import SuppressedAddress
from groundwork.mail.provider import send
from groundwork.mail.webhook import receive
from groundwork.settings import SettingsInvalid, get_settings
from groundwork.testing import SetVariable

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


@pytest.mark.parametrize("domain", ["https://mg.example.com", "mg.example.com/messages", "shop@mg.example.com"])
def test_a_domain_that_is_none_is_said_at_the_start(set_variable: SetVariable, domain: str) -> None:
    set_variable("MAILGUN_DOMAIN", domain)

    with pytest.raises(SettingsInvalid, match="MAILGUN_DOMAIN: is not a name"):
        get_settings()


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


def test_a_signature_serves_for_one_event(agreed: None) -> None:
    real = signed(BOUNCE, time())
    forged = replace(real, body=real.body.replace(b"ada@", b"eve@").replace(b"event-1", b"event-2"))

    # What is reported with an id that we have changes nothing.
    assert receive(forged).events[0].id == receive(real).events[0].id


@pytest.mark.parametrize(
    "first",
    [{"event": "opened"}, {"event": "failed"}, BOUNCE | {"timestamp": 1000000000}],
    ids=["of no use", "unreadable", "old"],
)
def test_a_signature_of_a_report_that_was_not_kept_proves_no_other(
    agreed: None, client: TestClient, session: Session, first: dict[str, Any]
) -> None:
    real = signed(first, time())
    forged = replace(real, body=json.dumps(real.json() | {"event-data": BOUNCE | {"timestamp": time()}}).encode())

    answers = [client.post(urlsplit(said.url).path, content=said.body).status_code for said in (real, forged, forged)]

    assert answers[0] in {200, 406}
    assert answers[1:] == [200, 200]
    assert session.scalars(select(SuppressedAddress)).all() == []


def test_nothing_moves_from_the_token_to_the_time(agreed: None) -> None:
    # As in Mailgun's own example: a token that begins with e0.
    said = {"event": "opened"}
    at = time()
    body = signed(said, at, token="e0b5477167110d68991efc6b9f89f0a11066af27834600e123").json()
    signature = body["signature"]
    moved = signature | {"timestamp": signature["timestamp"] + "e0", "token": signature["token"].removeprefix("e0")}
    forged = replace(signed(said, at), body=json.dumps({"signature": moved, "event-data": BOUNCE}).encode())

    with pytest.raises(CallbackRefused, match="no time"):
        receive(forged)


@pytest.mark.parametrize(("hours", "heard"), [(8, 1), (10, 0)])
def test_it_tries_again_for_eight_hours(agreed: None, hours: int, heard: int) -> None:
    with nullcontext() if heard else pytest.raises(CallbackRefused, match="signed"):
        assert len(receive(signed(BOUNCE, time() - hours * 3600)).events) == heard


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ({"reason": "bounce", "delivery-status": {"code": 550}}, Kind.BOUNCED),
        ({"reason": "bounce", "delivery-status": {"code": 552}}, Kind.REJECTED),
        ({"reason": "old", "delivery-status": {"code": 602}}, Kind.REJECTED),
        ({"reason": "generic", "delivery-status": {"code": 554}}, Kind.REJECTED),
        ({"reason": "suppress-complaint", "delivery-status": {"code": 607}}, Kind.REJECTED),
        ({"severity": "temporary", "reason": "generic"}, Kind.DEFERRED),
    ],
)
def test_only_a_bounce_of_the_address_is_one(agreed: None, said: dict[str, Any], kind: Kind) -> None:
    [heard] = receive(signed(BOUNCE | said, time())).events

    assert heard.kind is kind


@pytest.mark.parametrize(
    "said",
    [None, [BOUNCE], {}, BOUNCE | {"message": {}}, BOUNCE | {"timestamp": "yesterday"}, BOUNCE | {"timestamp": 1e99}],
)
def test_what_mailgun_never_says_is_refused(agreed: None, said: Any) -> None:
    with pytest.raises(CallbackRefused):
        receive(signed(said, time()))


def test_a_report_that_nobody_understands_is_not_repeated(agreed: None, client: TestClient) -> None:
    known, unknown = signed(BOUNCE, time()), signed({}, time())

    answers = [client.post(urlsplit(said.url).path, content=said.body) for said in (known, unknown)]

    # Mailgun goes on after every other answer than these two.
    assert [answer.status_code for answer in answers] == [200, 406]


@pytest.mark.parametrize("body", [b"[]", b'{"signature": "x"}', b'{"signature": {"timestamp": 1, "token": "x"}}'])
def test_a_signature_of_another_shape_is_refused(agreed: None, body: bytes) -> None:
    with pytest.raises(CallbackRefused):
        receive(replace(signed(BOUNCE, time()), body=body))
