"""What the provider reports is understood, and nobody else's report is believed.

FUZZ_EXAMPLES=12 forges twelve times as many.
"""

import json
from dataclasses import replace
from datetime import UTC, datetime
from random import Random
from string import ascii_letters, digits
from time import time
from typing import Any
from urllib.parse import urlsplit

import pytest
from fastapi.testclient import TestClient
from provider_api import Api
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.main import create_app
from groundwork.mail.callback import Callback, CallbackRefused
from groundwork.mail.events import Kind, MailEvent
from groundwork.mail.models import ReportedEvent, SuppressedAddress
from groundwork.mail.webhook import receive
from groundwork.settings import get_settings
from groundwork.testing.questions import EXAMPLES, ask, operations

DAY = 24 * 3600
AT = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _agreed(carrier: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in carrier.webhook_settings.items():
        monkeypatch.setattr(get_settings(), name, value)


def event(kind: Kind) -> MailEvent:
    return MailEvent("event-1", kind, "ada@example.org", "message-1", AT)


def report(client: TestClient, callback: Callback) -> int:
    """The status with which we answer."""
    path = urlsplit(callback.url).path
    reply = client.post(path, params=callback.query, content=callback.body, headers=callback.headers)
    return reply.status_code


@pytest.mark.parametrize("kind", sorted(Api.kinds))
def test_an_event_is_understood(carrier: Api, kind: Kind) -> None:
    [heard] = receive(carrier.callback(event(kind), time())).events

    assert heard == replace(event(kind), id=heard.id, reason=heard.reason)
    # It is the same event when it is reported again.
    assert receive(carrier.callback(event(kind), time())).events == (heard,)


def test_two_events_have_two_ids(carrier: Api) -> None:
    other = replace(event(Kind.BOUNCED), id="event-2", email="bob@example.org", message_id="message-2")
    heard = [receive(carrier.callback(one, time())).events[0] for one in (event(Kind.BOUNCED), other)]

    assert heard[0].id != heard[1].id


@pytest.mark.parametrize("what", sorted(Api.signs))
def test_what_was_changed_is_not_believed(carrier: Api, client: TestClient, what: str) -> None:
    callback = carrier.callback(event(Kind.BOUNCED), time())
    changed = {
        "body": replace(callback, body=callback.body.replace(b"ada", b"eve")),
        "time": carrier.callback(event(Kind.BOUNCED), time() - DAY),
        "secret": carrier.unsigned(callback),
    }

    with pytest.raises(CallbackRefused):
        receive(changed[what])
    assert report(client, changed[what]) in {401, 406}


def _guessed(said: Any, random: Random) -> Any:
    """What a stranger would send in its place: half of it may be right."""
    if isinstance(said, dict):
        return {name: _guessed(value, random) for name, value in said.items()}
    right = str(said)[: random.randrange(len(str(said)) // 2 + 1)]
    return right + "".join(random.choices(ascii_letters + digits, k=len(str(said)) - len(right)))


def _in_the_body(said: Any, random: Random) -> Any:
    if not isinstance(said, dict):
        return said
    return {name: _guessed(value, random) if name.lower() == "signature" else value for name, value in said.items()}


def test_forgeries_report_nothing(carrier: Api, client: TestClient, session: Session) -> None:
    for number in range(50 * EXAMPLES):
        random = Random(number)
        real = carrier.callback(event(Kind.COMPLAINED if Kind.COMPLAINED in Api.kinds else Kind.BOUNCED), time())
        body = real.body
        if b'ignature"' in body:
            body = json.dumps(_in_the_body(real.json(), random)).encode()
        forged = replace(real, headers=_guessed(real.headers, random), query=_guessed(real.query, random), body=body)
        assert report(client, forged) in {401, 406}, forged

    assert [session.scalars(select(table)).all() for table in (ReportedEvent, SuppressedAddress)] == [[], []]


def test_nobody_is_believed_as_long_as_nothing_is_agreed(
    carrier: Api, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    callback = carrier.callback(event(Kind.BOUNCED), time())
    for name in carrier.webhook_settings:
        monkeypatch.setattr(get_settings(), name, "")

    with pytest.raises(CallbackRefused):
        receive(callback)
    # So that the provider tries again when something is.
    assert report(client, callback) == 503


def test_a_kind_that_is_new_to_us_is_let_pass(carrier: Api) -> None:
    assert receive(carrier.unknown_callback(time())).events == ()


def test_a_reported_bounce_ends_mail_to_the_address_until_it_is_lifted(
    carrier: Api, client: TestClient, session: Session
) -> None:
    callback = carrier.callback(event(Kind.BOUNCED), time())

    assert [report(client, callback) for _ in range(2)] == [200, 200]
    [kept] = session.scalars(select(ReportedEvent)).all()
    assert (kept.kind, kept.email, kept.message_id, kept.at) == ("bounced", "ada@example.org", "message-1", AT)
    [suppressed] = session.scalars(select(SuppressedAddress)).all()
    assert (suppressed.email, suppressed.kind) == ("ada@example.org", "bounced")

    session.delete(suppressed)
    session.commit()
    # The same report once more is no new reason.
    assert report(client, callback) == 200
    assert session.scalars(select(SuppressedAddress)).all() == []


@pytest.mark.parametrize(
    "operation", operations(create_app(), without="^(?!.*/webhooks/)"), ids=lambda operation: operation.label
)
def test_whatever_is_sent_the_answer_is_one_of_the_document(client: TestClient, operation: Any) -> None:
    ask(client, operation, signed_in=lambda: {})
