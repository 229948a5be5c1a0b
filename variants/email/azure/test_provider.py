"""What is Azure's own; the rest is in test_provider_contract.py and test_provider_failures.py."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from provider_api import SECRET, Api, check_signature, error, posted, report
from provider_server import Answer

from groundwork.mail.callback import CallbackRefused
from groundwork.mail.events import Kind, MailEvent
from groundwork.mail.failures import PermanentFailure, ProviderMisconfigured
from groundwork.mail.message import Address, Message
from groundwork.mail.provider import check, send
from groundwork.mail.webhook import receive
from groundwork.settings import get_settings

MESSAGE = Message(to=(Address("ada@example.org"),), subject="Hello", text="Hi", html="<p>Hi</p>")
BOUNCE = MailEvent("event-1", Kind.BOUNCED, "ada@example.org", "message-1", datetime(2030, 1, 2, tzinfo=UTC))


@pytest.fixture
def agreed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(get_settings(), "azure_webhook_secret", SECRET)


def test_two_jobs_have_two_operations(carrier: Api) -> None:
    for key in ("0001", "0002"):
        send(MESSAGE, key)

    first, second = carrier.idempotency_keys()
    assert first != second


def test_an_answer_without_an_id_is_known_by_its_operation(carrier: Api) -> None:
    carrier.will(Answer(202, {}))

    assert [send(MESSAGE, "0001")] == carrier.idempotency_keys()


@pytest.mark.parametrize("refusal", [error(409, "Conflict"), error(400, "BadRequest")])
def test_an_operation_that_was_begun_before_is_taken(carrier: Api, refusal: Answer) -> None:
    operation = send(MESSAGE, "0001")
    [sent] = carrier.idempotency_keys()
    carrier.will(refusal)

    with pytest.raises(PermanentFailure):
        send(MESSAGE, "0001")
    carrier.will_say(Answer(200, {"id": sent, "status": "Running"}))
    assert send(MESSAGE, "0001") == sent

    assert operation == carrier.message_id
    for question in carrier.questions:
        assert question.path == f"/emails/operations/{sent}?api-version=2025-09-01"
        check_signature("GET", question)


def test_the_endpoint_is_taken_as_azure_shows_it(carrier: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(get_settings(), "azure_endpoint", f"{carrier.url}/")

    send(MESSAGE, "0001")

    assert len(carrier.taken()) == 1


def test_the_doctor_sees_a_key_that_is_none(carrier: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(get_settings(), "azure_access_key", "endpoint=https://...;accesskey=...")

    with pytest.raises(ProviderMisconfigured, match="AZURE_ACCESS_KEY"):
        check()


def test_event_grid_is_told_that_the_address_is_ours(agreed: None) -> None:
    question = {
        "id": "1",
        "subject": "",
        "data": {"validationCode": "512d38b6", "validationUrl": "https://example.com"},
        "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
        "eventTime": "2030-01-02T03:04:05.6789012Z",
    }

    assert receive(posted(question)).reply == {"validationResponse": "512d38b6"}
    with pytest.raises(CallbackRefused):
        receive(replace(posted(question), query={"secret": "another"}))


def test_a_batch_has_several_events(agreed: None) -> None:
    bob = replace(BOUNCE, id="event-2", email="bob@example.org")

    heard = receive(posted(report(BOUNCE, "Bounced"), report(bob, "FilteredSpam"), report(bob, "Expanded"))).events

    assert [(one.id, one.kind) for one in heard] == [("event-1", Kind.BOUNCED), ("event-2", Kind.REJECTED)]


@pytest.mark.parametrize("said", [{}, [], "Delivered", {"eventType": "?"}, report(BOUNCE, "Bounced") | {"data": None}])
def test_another_shape_is_refused(agreed: None, said: object) -> None:
    with pytest.raises(CallbackRefused, match="not what the provider documents"):
        receive(posted(said))
