"""What is SES's own; the rest is in test_provider_contract.py and test_provider_failures.py."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from time import time
from traceback import format_exception
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.ses.models import ses_backends
from provider_api import Api, notification, signed

from groundwork.mail import webhook
from groundwork.mail.callback import CallbackRefused
from groundwork.mail.events import Kind, MailEvent
from groundwork.mail.failures import PermanentFailure, ProviderMisconfigured
from groundwork.mail.message import Address, Message
from groundwork.mail.provider import check, send
from groundwork.mail.webhook import receive
from groundwork.settings import get_settings

MESSAGE = Message(to=(Address("ada@example.org"),), subject="Grüße", text="Über\n", html="<p>Hi</p>\n")
BOUNCE = MailEvent("sns-1", Kind.BOUNCED, "ada@example.org", "ses-1", datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC))


@pytest.fixture
def agreed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in Api.webhook_settings.items():
        monkeypatch.setattr(get_settings(), name, value)


@mock_aws
def test_another_reading_of_the_api_takes_it_from_verified_senders_only(
    carrier: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(get_settings(), "ses_url", "")
    with pytest.raises(PermanentFailure, match="MessageRejected"):
        send(MESSAGE, "0001")

    boto3.client("sesv2", "eu-central-1").create_email_identity(EmailIdentity=MESSAGE.sender.email)
    message_id = send(MESSAGE, "0001")

    [sent] = ses_backends["123456789012"]["eu-central-1"].sent_messages
    # It counts those of the envelope and those of the header.
    assert (sent.id, set(sent.destinations)) == (message_id, {"ada@example.org"})


def test_the_doctor_misses_credentials(carrier: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    assert check() == "SES in eu-central-1"

    monkeypatch.setattr(get_settings(), "aws_region", "eu-west-1")
    for name, value in {"ACCESS_KEY_ID": "", "SECRET_ACCESS_KEY": "", "SHARED_CREDENTIALS_FILE": "none"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_CONFIG_FILE", "none")
    with pytest.raises(ProviderMisconfigured, match="credentials"):
        check()


@pytest.mark.parametrize(
    ("variables", "url"),
    [
        ({"AWS_PROFILE": "missing"}, ""),
        ({"AWS_ACCESS_KEY_ID": "AKIA123", "AWS_SECRET_ACCESS_KEY": ""}, ""),
        ({}, "no address"),
    ],
)
def test_what_boto3_cannot_begin_with_is_ours_to_mend(
    carrier: Api, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], url: str
) -> None:
    monkeypatch.setattr(get_settings(), "aws_region", "eu-west-2")
    monkeypatch.setattr(get_settings(), "ses_url", url)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(ProviderMisconfigured):
        check()
    with pytest.raises(ProviderMisconfigured):
        send(MESSAGE, "0001")


def test_a_key_that_no_header_carries_is_ours_to_mend_and_not_repeated(
    carrier: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(get_settings(), "aws_region", "eu-west-3")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA\nsecret")

    with pytest.raises(ProviderMisconfigured, match="a character that HTTP cannot send") as refused:
        send(MESSAGE, "0001")
    assert "AKIA" not in "".join(format_exception(refused.value))


@pytest.mark.parametrize(
    ("details", "kind"),
    [
        ({"bounceType": "Transient", "bounceSubType": "MailboxFull"}, Kind.DEFERRED),
        ({"bounceType": "Undetermined", "bounceSubType": "Undetermined"}, Kind.DEFERRED),
        ({"bounceType": "Permanent", "bounceSubType": "OnAccountSuppressionList"}, Kind.REJECTED),
    ],
)
def test_a_bounce_has_three_meanings(carrier: Api, agreed: None, details: dict[str, Any], kind: Kind) -> None:
    [heard] = receive(notification(BOUNCE, time(), **details)).events

    assert heard.kind is kind


def test_of_several_who_may_have_complained_nobody_is_taken_for_it(carrier: Api, agreed: None) -> None:
    both = [{"emailAddress": f"{name}@example.org"} for name in ("ada", "bob")]

    complaint = receive(notification(replace(BOUNCE, kind=Kind.COMPLAINED), time(), complainedRecipients=both)).events
    bounces = receive(notification(BOUNCE, time(), bouncedRecipients=both)).events

    assert [(one.kind, one.email) for one in complaint] == [(Kind.COMPLAINED, "")]
    assert [one.email for one in bounces] == ["ada@example.org", "bob@example.org"]


def test_a_subscription_is_confirmed_and_the_certificate_is_fetched_once(carrier: Api, agreed: None) -> None:
    url = "https://sns.eu-central-1.amazonaws.com/?Action=ConfirmSubscription&Token=1"
    asked = {"Type": "SubscriptionConfirmation", "Message": "You have ...", "Token": "1", "SubscribeURL": url}

    for said in (asked, {"Type": "Notification", "Message": "Successfully validated SNS topic for Amazon SES."}):
        assert receive(signed(said, time())).events == ()

    certificate, confirmed = carrier.fetched
    assert certificate.endswith(".pem")
    assert confirmed == url


@pytest.mark.parametrize(
    "changed",
    [
        {"TopicArn": "arn:aws:sns:eu-central-1:666666666666:mail"},
        {"SigningCertURL": "https://sns.eu-central-1.amazonaws.com.example.com/SimpleNotificationService-a.pem"},
        {"SigningCertURL": "http://sns.eu-central-1.amazonaws.com/SimpleNotificationService-a.pem"},
        {"SigningCertURL": "https://bucket.s3.amazonaws.com/SimpleNotificationService-a.pem"},
        # SNS's own API on the same host, which answers with what somebody else wrote.
        {
            "SigningCertURL": "https://sns.eu-central-1.amazonaws.com/?Action=GetEndpointAttributes&a=SimpleNotificationService-1.pem"
        },
        {"SignatureVersion": "1"},
    ],
    ids=str,
)
def test_a_good_signature_of_somebody_else_is_not_enough(carrier: Api, agreed: None, changed: dict[str, str]) -> None:
    said = {name: value for name, value in notification(BOUNCE, time()).json().items() if name != "Signature"}

    with pytest.raises(CallbackRefused):
        receive(signed(said | changed, time()))
    assert carrier.fetched == []


def test_what_is_no_message_of_sns_is_refused(carrier: Api, agreed: None) -> None:
    good = notification(BOUNCE, time())

    for body in (b"[]", b"{}", json.dumps({"TopicArn": None}).encode()):
        with pytest.raises(CallbackRefused):
            receive(replace(good, body=body))


def test_nothing_is_fetched_from_elsewhere() -> None:
    with pytest.raises(CallbackRefused, match="no address of SNS"):
        webhook.fetch("https://example.com/sns.eu-central-1.amazonaws.com/SimpleNotificationService-a.pem")
