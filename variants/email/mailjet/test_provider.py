"""What is Mailjet's own; the rest is in test_provider_contract.py and test_provider_failures.py."""

import json
from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

import pytest

from groundwork.mail.callback import Callback, CallbackRefused
from groundwork.mail.events import Kind
from groundwork.mail.message import Address, Message
from groundwork.mail.provider import send
from groundwork.mail.webhook import receive
from groundwork.settings import get_settings

ADA, BOB = Address("ada@example.org"), Address("bob@example.org")
BOUNCE = {"event": "bounce", "time": 1893553445, "MessageID": 456, "email": "ada@example.org", "CustomID": "0001"}


def reported(monkeypatch: pytest.MonkeyPatch, said: Any) -> Callback:
    monkeypatch.setattr(get_settings(), "mailjet_webhook_password", "pass")
    credentials = b64encode(b"mailjet:pass").decode()
    headers = {"authorization": f"Basic {credentials}"}
    return Callback("https://example.com/api/v1/webhooks/email", {}, headers, json.dumps(said).encode())


def test_a_plain_message_says_nothing_that_it_does_not_have(carrier: Any) -> None:
    send(Message(to=(ADA,), subject="Hello", text="Hi", html="<p>Hi</p>"), "0001")

    [request] = carrier.requests
    [sent] = request.json()["Messages"]
    assert sent.keys() == {"From", "To", "Subject", "TextPart", "HTMLPart", "CustomID"}


def test_the_first_reply_to_is_kept(carrier: Any) -> None:
    send(Message(to=(ADA,), reply_to=(BOB, ADA), subject="Hello", text="Hi", html="<p>Hi</p>"), "0001")

    [request] = carrier.requests
    [sent] = request.json()["Messages"]
    assert sent["ReplyTo"] == {"Email": "bob@example.org"}


def test_each_recipient_s_report_leads_to_what_send_returned(carrier: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    key = send(Message(to=(ADA, BOB), subject="Hello", text="Hi", html="<p>Hi</p>"), "0001")
    to_ada = BOUNCE | {"hard_bounce": True}
    to_bob = BOUNCE | {"hard_bounce": False, "MessageID": 457, "email": "bob@example.org"}

    ada, bob = receive(reported(monkeypatch, [to_ada, {"event": "open", "time": 1893553445}, to_bob])).events

    assert (ada.kind, ada.email, bob.kind, bob.email) == (Kind.BOUNCED, ADA.email, Kind.DEFERRED, BOB.email)
    assert ada.message_id == bob.message_id == key
    assert ada.id != bob.id


def test_an_event_may_come_without_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    [event] = receive(reported(monkeypatch, BOUNCE | {"hard_bounce": True, "comment": "550 nobody"})).events

    assert (event.at, event.reason) == (datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC), "550 nobody")


@pytest.mark.parametrize("said", [None, 7, ["bounce"], {"events": []}, [BOUNCE | {"time": "now"}], [{"event": []}]])
def test_another_shape_is_refused(monkeypatch: pytest.MonkeyPatch, said: Any) -> None:
    with pytest.raises(CallbackRefused):
        receive(reported(monkeypatch, said))
