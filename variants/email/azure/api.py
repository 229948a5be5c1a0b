"""Azure's API, as https://learn.microsoft.com/rest/api/communication/email/email/send describes it."""

import hmac
import json
from base64 import b64decode, b64encode
from dataclasses import replace
from email.utils import parsedate_to_datetime
from hashlib import sha256
from typing import Any, ClassVar
from uuid import UUID

from provider_server import Answer, HttpApi, Refusal, Request

from groundwork.mail.callback import Callback
from groundwork.mail.events import Kind, MailEvent
from groundwork.mail.failures import PermanentFailure, ProviderMisconfigured, TemporaryFailure
from groundwork.mail.message import Address, Attachment, Message

__all__ = ["Api", "check_signature", "error", "posted", "report"]

KEY = b"between Azure and us"
SECRET = "of our address"
TYPES = {Kind.DELIVERED: "Delivered", Kind.BOUNCED: "Bounced", Kind.REJECTED: "Suppressed"}


def error(status: int, code: str, **headers: str) -> Answer:
    body = {"error": {"code": code, "message": "A sentence of theirs."}}
    return Answer(status, body, {name.replace("_", "-"): value for name, value in headers.items()})


def report(event: MailEvent, status: str) -> dict[str, Any]:
    return {
        "id": event.id,
        "topic": "/subscriptions/1/resourceGroups/1/providers/microsoft.communication/communicationservices/1",
        "subject": f"sender/shop@example.com/message/{event.message_id}",
        "data": {
            "sender": "shop@example.com",
            "recipient": event.email,
            "messageId": event.message_id,
            "status": status,
            "deliveryStatusDetails": {"statusMessage": "A sentence of theirs."},
            "deliveryAttemptTimeStamp": event.at.isoformat(),
        },
        "eventType": "Microsoft.Communication.EmailDeliveryReportReceived",
        "dataVersion": "1.0",
        "metadataVersion": "1",
        "eventTime": event.at.isoformat().replace("+00:00", ".0000000Z"),
    }


def posted(*said: Any) -> Callback:
    headers = {"aeg-event-type": "Notification", "content-type": "application/json; charset=utf-8"}
    url = f"https://example.com/api/v1/webhooks/email?secret={SECRET.replace(' ', '+')}"
    return Callback(url, {"secret": SECRET}, headers, json.dumps(said).encode())


def check_signature(method: str, request: Request) -> None:
    headers = request.headers
    digest = b64encode(sha256(request.body).digest()).decode()
    assert headers["x-ms-content-sha256"] == digest
    assert parsedate_to_datetime(headers["x-ms-date"])
    signed = f"{method}\n{request.path}\n{headers['x-ms-date']};{headers['host']};{digest}"
    signature = b64encode(hmac.digest(KEY, signed.encode(), "sha256")).decode()
    names = "x-ms-date;host;x-ms-content-sha256"
    assert headers["authorization"] == f"HMAC-SHA256 SignedHeaders={names}&Signature={signature}"


class Api(HttpApi):
    settings: ClassVar = {
        "azure_endpoint": "https://shop.communication.azure.com",
        "azure_access_key": b64encode(KEY).decode(),
    }
    secrets: ClassVar = {b64encode(KEY).decode()}
    documented: ClassVar = {}
    url_setting = "azure_endpoint"
    message_id = "8540c0de-899f-5cce-acb5-3ec493af3800"
    accepted = Answer(202, {"id": message_id, "status": "Running"}, {"retry-after": "60"})
    has_idempotency_keys = True
    # It is the one of the operation, which we choose: see its own test.
    without_id = ()
    # No such operation.
    knows = error(404, "NotFound")
    kinds: ClassVar = set(TYPES)
    webhook_settings: ClassVar = {"azure_webhook_secret": SECRET}
    refusals: ClassVar = {
        "wrong key": Refusal(error(401, "Denied"), ProviderMisconfigured, "Denied"),
        "no right": Refusal(error(403, "Forbidden"), ProviderMisconfigured),
        "unknown domain": Refusal(error(404, "DomainNotLinked"), ProviderMisconfigured, "DomainNotLinked"),
        "unknown sender": Refusal(error(400, "InvalidSenderUserName"), ProviderMisconfigured),
        "blocked": Refusal(error(400, "SubscriptionBlocked"), ProviderMisconfigured),
        "bad message": Refusal(error(400, "BadRequest"), PermanentFailure, "400 .*BadRequest"),
        "too large": Refusal(error(413, "RequestEntityTooLarge"), PermanentFailure),
        "too fast": Refusal(error(429, "TooManyRequests", Retry_After="57"), TemporaryFailure, retry_after=57),
        "their fault": Refusal(error(500, "InternalServerError"), TemporaryFailure, "InternalServerError"),
        "a page": Refusal(Answer(502, b"<h1>Bad gateway</h1>"), TemporaryFailure, "Bad gateway"),
    }

    def idempotency_key(self, request: Request) -> str:
        return str(UUID(request.headers["operation-id"]))

    def understood(self, message: Message) -> Message:
        return replace(message, sender=Address(message.sender.email), tags=(), metadata={})

    def callback(self, event: MailEvent, at: float) -> Callback:
        return posted(report(event, TYPES[event.kind]))

    def unknown_callback(self, at: float) -> Callback:
        opened = "Microsoft.Communication.EmailEngagementTrackingReportReceived"
        return posted({"id": "1", "eventType": opened, "data": {}, "eventTime": "2030-01-02T03:04:05Z"})

    def read(self, request: Request) -> Message:
        assert request.path == "/emails:send?api-version=2025-09-01"
        check_signature("POST", request)
        assert request.headers["content-type"] == "application/json"
        said = request.json()
        return Message(
            sender=Address(said["senderAddress"]),
            to=_addresses(said["recipients"]["to"]),
            cc=_addresses(said["recipients"].get("cc", [])),
            bcc=_addresses(said["recipients"].get("bcc", [])),
            reply_to=_addresses(said.get("replyTo", [])),
            subject=said["content"]["subject"],
            text=said["content"]["plainText"],
            html=said["content"]["html"],
            attachments=tuple(map(_attachment, said.get("attachments", []))),
            headers=said.get("headers", {}),
        )


def _addresses(said: list[dict[str, str]]) -> tuple[Address, ...]:
    return tuple(Address(one["address"], one.get("displayName", "")) for one in said)


def _attachment(file: dict[str, str]) -> Attachment:
    content = b64decode(file["contentInBase64"], validate=True)
    return Attachment(file["name"], content, file["contentType"], file.get("contentId", ""))
