"""Resend's API, as https://resend.com/docs/api-reference/emails/send-email and .../errors describe it."""

import hmac
import json
from base64 import b64decode, b64encode
from typing import Any, ClassVar

from provider_server import Answer, HttpApi, Refusal, Request

from groundwork.mail.callback import Callback
from groundwork.mail.events import Kind, MailEvent
from groundwork.mail.failures import PermanentFailure, ProviderMisconfigured, QuotaExhausted, TemporaryFailure
from groundwork.mail.message import Address, Attachment, Message

__all__ = ["Api", "signed"]


SECRET = b"between Resend and us"
TYPES = {
    Kind.DELIVERED: ("email.delivered", {}),
    Kind.DEFERRED: ("email.delivery_delayed", {}),
    Kind.BOUNCED: ("email.bounced", {"bounce": {"type": "Permanent", "subType": "General", "message": "Nobody here."}}),
    Kind.COMPLAINED: ("email.complained", {}),
    Kind.REJECTED: ("email.failed", {"failed": {"reason": "Nobody here."}}),
}


def error(status: int, name: str, **headers: str) -> Answer:
    body = {"statusCode": status, "name": name, "message": "A sentence of theirs."}
    return Answer(status, body, {name.replace("_", "-"): value for name, value in headers.items()})


def signed(event_id: str, said: Any, at: float) -> Callback:
    body = json.dumps(said).encode()
    signature = b64encode(hmac.digest(SECRET, f"{event_id}.{at:.0f}.".encode() + body, "sha256")).decode()
    headers = {"svix-id": event_id, "svix-timestamp": f"{at:.0f}", "svix-signature": f"v1,{signature}"}
    return Callback("https://example.com/api/v1/webhooks/email", {}, headers, body)


class Api(HttpApi):
    settings: ClassVar = {"resend_api_key": "re_123"}
    secrets: ClassVar = {"re_123"}
    documented: ClassVar = {"resend_url": "https://api.resend.com"}
    url_setting = "resend_url"
    message_id = "49a3999c-0ce1-4ea6-ab68-afcd6dc2e794"
    accepted = Answer(200, {"id": message_id})
    has_idempotency_keys = True
    refuses_key = (error(403, "invalid_api_key"), error(401, "missing_api_key"))
    spares_key = (error(401, "restricted_api_key"), error(429, "rate_limit_exceeded"))
    kinds: ClassVar = {Kind.DELIVERED, Kind.DEFERRED, Kind.BOUNCED, Kind.COMPLAINED, Kind.REJECTED}
    webhook_settings: ClassVar = {"resend_webhook_secret": "whsec_" + b64encode(SECRET).decode()}
    signs: ClassVar = {"secret", "body", "time"}
    refusals: ClassVar = {
        "no key": Refusal(error(401, "missing_api_key"), ProviderMisconfigured, "missing_api_key"),
        "wrong key": Refusal(error(403, "invalid_api_key"), ProviderMisconfigured, "invalid_api_key"),
        "unverified domain": Refusal(error(403, "validation_error"), ProviderMisconfigured, "A sentence of theirs"),
        "bad message": Refusal(error(422, "validation_error"), PermanentFailure, "422 .*validation_error"),
        "another message, same key": Refusal(error(409, "invalid_idempotent_request"), PermanentFailure),
        "two attempts at once": Refusal(error(409, "concurrent_idempotent_requests"), TemporaryFailure),
        "too fast": Refusal(error(429, "rate_limit_exceeded", Retry_After="7"), TemporaryFailure, retry_after=7),
        "today's quota": Refusal(error(429, "daily_quota_exceeded"), QuotaExhausted, retry_after=4 * 3600),
        "this month's quota": Refusal(error(429, "monthly_quota_exceeded"), QuotaExhausted, retry_after=4 * 3600),
        "their fault": Refusal(error(500, "application_error"), TemporaryFailure, "application_error"),
        "a page": Refusal(Answer(502, b"<h1>Bad gateway</h1>"), TemporaryFailure, "Bad gateway"),
    }

    def idempotency_key(self, request: Request) -> str:
        return request.headers["idempotency-key"]

    def callback(self, event: MailEvent, at: float) -> Callback:
        name, details = TYPES[event.kind]
        data = {
            "email_id": event.message_id,
            "from": "shop@example.com",
            "to": [event.email],
            "subject": "Hi",
        } | details
        return signed(event.id, {"type": name, "created_at": event.at.isoformat(), "data": data}, at)

    def unknown_callback(self, at: float) -> Callback:
        return signed("event-1", {"type": "contact.created", "created_at": "2030-01-02T03:04:05Z", "data": {}}, at)

    def read(self, request: Request) -> Message:
        assert request.path == "/emails"
        assert request.headers["authorization"] == "Bearer re_123"
        said = request.json()
        labels = {tag["name"]: tag["value"] for tag in said.get("tags", [])}
        return Message(
            sender=Address.parse(said["from"]),
            to=_addresses(said["to"]),
            cc=_addresses(said.get("cc", [])),
            bcc=_addresses(said.get("bcc", [])),
            reply_to=_addresses(said.get("reply_to", [])),
            subject=said["subject"],
            text=said["text"],
            html=said["html"],
            attachments=tuple(map(_attachment, said.get("attachments", []))),
            headers=said.get("headers", {}),
            tags=tuple(name for name, value in labels.items() if value == "tag"),
            metadata={name: value for name, value in labels.items() if value != "tag"},
        )


def _addresses(texts: list[str]) -> tuple[Address, ...]:
    return tuple(map(Address.parse, texts))


def _attachment(file: dict[str, Any]) -> Attachment:
    content = b64decode(file["content"], validate=True)
    return Attachment(file["filename"], content, file["content_type"], file.get("content_id", ""))
