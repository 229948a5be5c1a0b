"""Postmark's API, as https://postmarkapp.com/developer/api/email-api and .../overview#error-codes describe it."""

import json
from base64 import b64decode, b64encode
from dataclasses import replace
from email import policy
from typing import Any, ClassVar

from provider_server import Answer, HttpApi, Refusal, Request

from groundwork.mail.callback import Callback
from groundwork.mail.events import Kind, MailEvent
from groundwork.mail.failures import PermanentFailure, ProviderMisconfigured, QuotaExhausted, TemporaryFailure
from groundwork.mail.message import Address, Attachment, Message

__all__ = ["Api"]


SECRET = "between Postmark and us"
BOUNCES = {Kind.DEFERRED: "SoftBounce", Kind.BOUNCED: "HardBounce", Kind.REJECTED: "Blocked"}


def error(status: int, code: int, **headers: str) -> Answer:
    said = {"ErrorCode": code, "Message": "A sentence of theirs."}
    return Answer(status, said, {name.replace("_", "-"): value for name, value in headers.items()})


class Api(HttpApi):
    settings: ClassVar = {"postmark_server_token": "0f1e2d3c"}
    secrets: ClassVar = {"0f1e2d3c"}
    documented: ClassVar = {"postmark_url": "https://api.postmarkapp.com"}
    url_setting = "postmark_url"
    message_id = "0a129aee-e1cd-480d-b08d-4f48548ff48d"
    accepted = Answer(
        200,
        {
            "To": "ada@example.org",
            "SubmittedAt": "2030-01-02T03:04:05.1234567-05:00",
            "MessageID": message_id,
            "ErrorCode": 0,
            "Message": "OK",
        },
    )
    without_id = (Answer(200, {"ErrorCode": 0}),)
    kinds: ClassVar = set(Kind)
    webhook_settings: ClassVar = {"postmark_webhook_secret": SECRET}
    refusals: ClassVar = {
        "wrong token": Refusal(error(401, 10), ProviderMisconfigured, "401 .*: 10"),
        "unknown sender": Refusal(error(422, 400), ProviderMisconfigured, "422 .*: 400"),
        "unconfirmed sender": Refusal(error(422, 401), ProviderMisconfigured),
        "account to be approved": Refusal(error(422, 412), ProviderMisconfigured),
        "account that may not send": Refusal(error(422, 413), ProviderMisconfigured),
        "blocked before the API": Refusal(Answer(403, b"<h1>403 Forbidden</h1>"), ProviderMisconfigured, "403"),
        "bad message": Refusal(error(422, 300), PermanentFailure, "422 .*: 300"),
        "suppressed recipient": Refusal(error(422, 406), PermanentFailure, "422 .*: 406"),
        "forbidden attachment": Refusal(error(422, 411), PermanentFailure),
        "too large": Refusal(Answer(413, b"<h1>Too large</h1>"), PermanentFailure),
        "no credits": Refusal(error(422, 405), QuotaExhausted, retry_after=4 * 3600),
        "maintenance": Refusal(error(422, 100), TemporaryFailure, "422 .*: 100"),
        "too fast": Refusal(error(429, 429, Retry_After="7"), TemporaryFailure, retry_after=7),
        "their fault": Refusal(error(500, 0), TemporaryFailure),
        "a page": Refusal(Answer(503, b"<h1>Service unavailable</h1>"), TemporaryFailure, "Service unavailable"),
    }
    not_a_success: ClassVar = HttpApi.not_a_success | {
        "an error after all": Refusal(error(200, 406), PermanentFailure, ": 406"),
    }

    def understood(self, message: Message) -> Message:
        return replace(message, tags=message.tags[:1])

    def callback(self, event: MailEvent, at: float) -> Callback:
        said: dict[str, Any] = {"MessageID": event.message_id, "MessageStream": "outbound", "ServerID": 23}
        when = event.at.isoformat()
        match event.kind:
            case Kind.DELIVERED:
                said |= {"RecordType": "Delivery", "Recipient": event.email, "DeliveredAt": when, "Details": "250 OK"}
            case Kind.UNSUBSCRIBED:
                said |= {"RecordType": "SubscriptionChange", "Recipient": event.email, "ChangedAt": when}
                said |= {"Origin": "Recipient", "SuppressSending": True, "SuppressionReason": "ManualSuppression"}
            case Kind.COMPLAINED:
                said |= {"RecordType": "SpamComplaint", "Type": "SpamComplaint", "ID": 42}
                said |= {"Email": event.email, "BouncedAt": when, "Details": "Reported."}
            case kind:
                said |= {"RecordType": "Bounce", "Type": BOUNCES[kind], "ID": 42}
                said |= {"Email": event.email, "BouncedAt": when, "Details": "Nobody here."}
        return told(said)

    def unknown_callback(self, at: float) -> Callback:
        return told({"RecordType": "Open", "MessageID": "message-1", "Recipient": "ada@example.org"})

    def read(self, request: Request) -> Message:
        assert request.path == "/email"
        assert request.headers["x-postmark-server-token"] == "0f1e2d3c"
        assert request.headers["accept"] == request.headers["content-type"] == "application/json"
        said = request.json()
        [sender] = _addresses(said["From"])
        return Message(
            sender=sender,
            to=_addresses(said["To"]),
            cc=_addresses(said.get("Cc", "")),
            bcc=_addresses(said.get("Bcc", "")),
            reply_to=_addresses(said.get("ReplyTo", "")),
            subject=said["Subject"],
            text=said["TextBody"],
            html=said["HtmlBody"],
            attachments=tuple(map(_attachment, said.get("Attachments", []))),
            headers={header["Name"]: header["Value"] for header in said.get("Headers", [])},
            tags=(said["Tag"],) if "Tag" in said else (),
            metadata=said.get("Metadata", {}),
        )


def told(said: dict[str, Any], secret: str = SECRET) -> Callback:
    credentials = b64encode(f"postmark:{secret}".encode()).decode()
    headers = {"authorization": f"Basic {credentials}", "content-type": "application/json"}
    return Callback("https://example.com/api/v1/webhooks/email", {}, headers, json.dumps(said).encode())


def _addresses(text: str) -> tuple[Address, ...]:
    header = policy.default.header_factory("To", text)
    assert not header.defects
    return tuple(Address(address.addr_spec, address.display_name) for address in header.addresses)


def _attachment(file: dict[str, Any]) -> Attachment:
    content = b64decode(file["Content"], validate=True)
    content_id = file.get("ContentID", "cid:")
    assert content_id.startswith("cid:")
    return Attachment(file["Name"], content, file["ContentType"], content_id.removeprefix("cid:"))
