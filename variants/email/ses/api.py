"""SES's API, as https://docs.aws.amazon.com/ses/latest/APIReference-V2/ and the SNS developer guide describe it."""

import json
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from os import environ
from typing import Any, ClassVar, Self
from unittest.mock import patch

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from provider_server import Answer, HttpApi, Refusal, Request
from reading import read_email

from groundwork.mail import webhook
from groundwork.mail.callback import Callback, CallbackRefused
from groundwork.mail.events import Kind, MailEvent
from groundwork.mail.failures import PermanentFailure, ProviderMisconfigured, QuotaExhausted, TemporaryFailure
from groundwork.mail.message import Address, Message

__all__ = ["Api", "notification", "signed"]

TOPIC = "arn:aws:sns:eu-central-1:123456789012:mail"
CERTIFICATE = "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-1.pem"
KEY = generate_private_key(65537, 2048)
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "AKIA123",
    "AWS_SECRET_ACCESS_KEY": "between AWS and us",
    "AWS_EC2_METADATA_DISABLED": "true",
}
REQUEST = {"x-amzn-RequestId": "7c191be4-5a4b-4f6a-9f0e-000000000001"}
TYPES = {
    Kind.DELIVERED: ("Delivery", "delivery", "recipients", {"smtpResponse": "250 OK"}),
    Kind.DEFERRED: ("DeliveryDelay", "deliveryDelay", "delayedRecipients", {"delayType": "MailboxFull"}),
    Kind.BOUNCED: ("Bounce", "bounce", "bouncedRecipients", {"bounceType": "Permanent", "bounceSubType": "General"}),
    Kind.COMPLAINED: ("Complaint", "complaint", "complainedRecipients", {"complaintFeedbackType": "abuse"}),
    Kind.REJECTED: ("Reject", "reject", "", {"reason": "Bad content"}),
}


def error(status: int, name: str, text: str = "A sentence of theirs.") -> Answer:
    return Answer(status, {"message": text}, {"x-amzn-ErrorType": name})


def certificate() -> bytes:
    name, now = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sns.amazonaws.com")]), datetime.now(UTC)
    maker = x509.CertificateBuilder(name, name, KEY.public_key(), 1, now, now + timedelta(1))
    return maker.sign(KEY, SHA256()).public_bytes(Encoding.PEM)


def signed(said: dict[str, Any], at: float) -> Callback:
    """As an HTTP request of SNS; `said` may have names that are set here otherwise."""
    said = {
        "MessageId": "sns-1",
        "TopicArn": TOPIC,
        "Timestamp": datetime.fromtimestamp(at, UTC).isoformat(),
        "SignatureVersion": "2",
        "SigningCertURL": CERTIFICATE,
    } | said
    names = {"Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"} & said.keys()
    text = "".join(f"{name}\n{said[name]}\n" for name in sorted(names))
    said["Signature"] = b64encode(KEY.sign(text.encode(), PKCS1v15(), SHA256())).decode()
    headers = {"x-amz-sns-message-type": said["Type"], "content-type": "text/plain; charset=UTF-8"}
    return Callback("https://example.com/api/v1/webhooks/email", {}, headers, json.dumps(said).encode())


def notification(event: MailEvent, at: float, **details: Any) -> Callback:
    name, place, recipients, usual = TYPES[event.kind]
    when = event.at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    said = {"timestamp": when} | usual | details
    if event.kind is Kind.DELIVERED:
        said[recipients] = [event.email]
    elif event.kind is Kind.REJECTED:
        del said["timestamp"]
    else:
        said.setdefault(recipients, [{"emailAddress": event.email}])
    mail = {"timestamp": when, "messageId": event.message_id, "destination": [event.email]}
    message = json.dumps({"eventType": name, place: said, "mail": mail})
    return signed({"Type": "Notification", "MessageId": event.id, "Message": message}, at)


class Api(HttpApi):
    settings: ClassVar = {"aws_region": "eu-central-1"}
    secrets: ClassVar = {CREDENTIALS["AWS_SECRET_ACCESS_KEY"]}
    # AWS's own for the region.
    documented: ClassVar = {"ses_url": ""}
    url_setting = "ses_url"
    message_id = "010201926f6b7f3d-5f3f6b43-0000-4a5e-9f1c-a1b2c3d4e5f6-000000"
    accepted = Answer(200, {"MessageId": message_id}, REQUEST)
    knows = Answer(200, {}, REQUEST)
    refuses_key = (error(403, "UnrecognizedClientException"), error(400, "ExpiredTokenException"))
    spares_key = (error(403, "AccessDeniedException"),)
    without_id = (Answer(200, {}, REQUEST),)
    kinds: ClassVar = set(TYPES)
    webhook_settings: ClassVar = {"ses_topic_arn": TOPIC}
    signs: ClassVar = {"secret", "body"}
    refusals: ClassVar = {
        "wrong key": Refusal(error(403, "UnrecognizedClientException"), ProviderMisconfigured, "UnrecognizedClient"),
        "no right": Refusal(error(403, "AccessDeniedException"), ProviderMisconfigured, "A sentence of theirs"),
        "stale role": Refusal(error(400, "ExpiredTokenException"), ProviderMisconfigured),
        "suspended": Refusal(error(400, "AccountSuspendedException"), ProviderMisconfigured),
        "paused": Refusal(error(400, "SendingPausedException"), ProviderMisconfigured, "SendingPaused"),
        "unverified domain": Refusal(error(400, "MailFromDomainNotVerifiedException"), ProviderMisconfigured),
        "lost configuration set": Refusal(error(404, "NotFoundException"), ProviderMisconfigured),
        "in the sandbox": Refusal(
            error(400, "MessageRejected", "Email address is not verified. The following ..."), ProviderMisconfigured
        ),
        "bad content": Refusal(error(400, "MessageRejected"), PermanentFailure, "400 MessageRejected"),
        "bad message": Refusal(error(400, "BadRequestException"), PermanentFailure),
        "too fast": Refusal(error(429, "TooManyRequestsException", "Maximum sending rate exceeded."), TemporaryFailure),
        "throttled": Refusal(error(400, "ThrottlingException"), TemporaryFailure),
        "today's quota": Refusal(
            error(400, "LimitExceededException", "Daily message quota exceeded."), QuotaExhausted, retry_after=4 * 3600
        ),
        "today's quota, as the guide says": Refusal(
            error(400, "ThrottlingException", "Daily message quota exceeded."), QuotaExhausted, retry_after=4 * 3600
        ),
        "their fault": Refusal(error(500, "InternalFailure"), TemporaryFailure, "InternalFailure"),
        "a page": Refusal(Answer(502, b"<h1>Bad gateway</h1>"), TemporaryFailure, "Bad gateway"),
    }
    not_a_success: ClassVar = {
        "another server": Refusal(Answer(200, b"<h1>Hello</h1>"), ProviderMisconfigured, "another server")
    }

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []

    @classmethod
    @contextmanager
    def serving(cls) -> Iterator[Self]:
        with super().serving() as api, patch.dict(environ, CREDENTIALS), patch.object(webhook, "fetch", api.fetch):
            webhook._key.cache_clear()
            yield api

    def fetch(self, url: str) -> bytes:
        """In the place of SNS's web server."""
        if not webhook.SNS.fullmatch(url):
            raise CallbackRefused(f"{url!r} is no address of SNS.")
        self.fetched.append(url)
        return certificate()

    def understood(self, message: Message) -> Message:
        return message

    def callback(self, event: MailEvent, at: float) -> Callback:
        return notification(event, at)

    def unknown_callback(self, at: float) -> Callback:
        return signed(
            {"Type": "Notification", "Message": json.dumps({"eventType": "Open", "open": {}, "mail": {}})}, at
        )

    def unsigned(self, callback: Callback) -> Callback:
        return replace(callback, body=json.dumps(callback.json() | {"Signature": ""}).encode())

    def read(self, request: Request) -> Message:
        assert request.path == "/v2/email/outbound-emails"
        signature = request.headers["authorization"]
        assert signature.startswith("AWS4-HMAC-SHA256 Credential=AKIA123/")
        assert "/eu-central-1/ses/aws4_request" in signature
        said = request.json()
        raw = b64decode(said["Content"]["Raw"]["Data"], validate=True)
        assert raw.isascii()
        assert max(map(len, raw.splitlines(keepends=True))) <= 1000
        seen = read_email(message_from_bytes(raw, policy=policy.default))
        to = said["Destination"]
        assert [address.email for address in seen.to] == to["ToAddresses"]
        assert [address.email for address in seen.cc] == to.get("CcAddresses", [])
        labels = {tag["Name"]: tag["Value"] for tag in said.get("EmailTags", [])}
        return replace(
            seen,
            bcc=tuple(map(Address, to.get("BccAddresses", []))),
            tags=tuple(name for name, value in labels.items() if value == "tag"),
            metadata={name: value for name, value in labels.items() if value != "tag"},
        )
