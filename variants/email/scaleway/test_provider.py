"""What is Scaleway's own; the rest is in test_provider_contract.py and test_provider_failures.py."""

from dataclasses import replace

import pytest
from provider_api import SECRET, Api, notification, posted

from groundwork.mail import webhook
from groundwork.mail.callback import CallbackRefused
from groundwork.mail.events import Kind
from groundwork.mail.message import Address, Message
from groundwork.mail.provider import send
from groundwork.mail.webhook import receive
from groundwork.settings import get_settings

MESSAGE = Message(to=(Address("ada@example.org"),), subject="Hello", text="Hi", html="<p>Hi</p>")
QUESTION = {
    "Type": "SubscriptionConfirmation",
    "Token": "1",
    "SubscribeURL": "https://sns.mnq.fr-par.scaleway.com/?Action=ConfirmSubscription&TopicArn=arn:1&Token=1",
}


@pytest.fixture(autouse=True)
def _agreed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(get_settings(), "scaleway_webhook_secret", SECRET)


def test_names_outside_ascii_are_encoded_in_a_header(carrier: Api) -> None:
    people = Address("help@example.com", "Grüße, Ltd.")
    send(replace(MESSAGE, reply_to=(people,)), "0001")

    [request] = carrier.requests
    [header] = request.json()["additional_headers"]
    assert header["key"] == "Reply-To"
    assert header["value"].isascii()
    assert carrier.taken()[0].reply_to == (people,)


def test_a_plain_message_says_nothing_that_it_does_not_have(carrier: Api) -> None:
    send(MESSAGE, "0001")

    [request] = carrier.requests
    assert request.json().keys() == {"project_id", "from", "to", "subject", "text", "html"}


def test_a_subscription_is_confirmed_where_scaleway_is(monkeypatch: pytest.MonkeyPatch) -> None:
    confirmed: list[str] = []
    monkeypatch.setattr(webhook, "confirm", confirmed.append)

    assert receive(posted(QUESTION)).events == ()
    with pytest.raises(CallbackRefused):
        receive(replace(posted(QUESTION), query={"secret": "another"}))

    assert confirmed == [QUESTION["SubscribeURL"]]


@pytest.mark.parametrize(
    "url",
    [
        "https://sns.mnq.fr-par.scaleway.com.example.com/?Action=ConfirmSubscription&Token=1",
        "http://sns.mnq.fr-par.scaleway.com/?Action=ConfirmSubscription&Token=1",
        "https://sns.mnq.fr-par.scaleway.com/?Action=ListTopics&Token=1",
        "https://example.com/?a=https://sns.mnq.fr-par.scaleway.com/?Action=ConfirmSubscription&Token=1",
    ],
)
def test_nobody_else_is_asked(url: str) -> None:
    with pytest.raises(CallbackRefused, match="no address of Topics and Events"):
        receive(posted(QUESTION | {"SubscribeURL": url}))


def test_what_is_blocked_before_it_is_sent_has_no_id() -> None:
    [heard] = receive(notification(type="email_blocklisted", blocklist_reason="mailbox full")).events

    assert (heard.kind, heard.message_id, heard.reason) == (Kind.REJECTED, "", "mailbox full")


@pytest.mark.parametrize("said", [{}, [], "x", {"Type": "Notification"}, {"Type": "Notification", "Message": "[]"}])
def test_another_shape_is_refused(said: object) -> None:
    with pytest.raises(CallbackRefused, match="not what the provider documents"):
        receive(posted(said))
