"""Mailtrap's API, as https://docs.mailtrap.io/developers and https://github.com/mailtrap/mailtrap-openapi describe it."""

import hmac
import json
from base64 import b64decode
from dataclasses import replace
from typing import Any, ClassVar

from provider_server import Answer, HttpApi, Refusal, Request

from groundwork.mail.callback import Callback
from groundwork.mail.events import Kind, MailEvent
from groundwork.mail.failures import PermanentFailure, ProviderMisconfigured, TemporaryFailure
from groundwork.mail.message import Address, Attachment, Message

__all__ = ["SECRET", "Api", "signed"]

SECRET = "between Mailtrap and us"
TYPES: dict[Kind, dict[str, Any]] = {
    Kind.DELIVERED: {"event": "delivery", "category": "welcome", "custom_variables": {"order": "7"}},
    Kind.DEFERRED: {"event": "soft bounce", "response": "4.7.1 Please retry", "bounce_category": "greylisting"},
    Kind.BOUNCED: {
        "event": "bounce",
        "response": "550 Nobody here",
        "response_code": 550,
        "bounce_category": "badmailbox",
    },
    Kind.COMPLAINED: {"event": "spam"},
    Kind.UNSUBSCRIBED: {"event": "unsubscribe", "ip": "192.0.2.1", "user_agent": "Mozilla/5.0"},
    Kind.REJECTED: {"event": "reject", "reason": "Recipient in suppression list. Reason: hard bounce"},
}


def errors(status: int, *sentences: str) -> Answer:
    return Answer(status, {"success": False, "errors": sentences})


def signed(said: Any) -> Callback:
    body = json.dumps(said).encode()
    signature = hmac.new(SECRET.encode(), body, "sha256").hexdigest()
    return Callback("https://example.com/api/v1/webhooks/email", {}, {"mailtrap-signature": signature}, body)


class Api(HttpApi):
    settings: ClassVar = {"mailtrap_api_key": "mt_123"}
    secrets: ClassVar = {"mt_123"}
    documented: ClassVar = {"mailtrap_url": "https://send.api.mailtrap.io"}
    url_setting = "mailtrap_url"
    message_id = "0c7fd939-02cf-11ed-88c2-0a58a9feac02"
    # One for each recipient.
    accepted = Answer(200, {"success": True, "message_ids": [message_id, "0c7fd939-02cf-11ed-88c2-0a58a9feac03"]})
    # A message without anything is a question.
    knows = errors(400, "'from' is required")
    refuses_key = (errors(401, "Unauthorized"), errors(403, "Forbidden"))
    spares_key = (Answer(429, b"Too Many Requests"), errors(500, "Internal server error"))
    without_id = (Answer(200, {"success": True, "message_ids": []}),)
    kinds: ClassVar = set(TYPES)
    webhook_settings: ClassVar = {"mailtrap_webhook_secret": SECRET}
    signs: ClassVar = {"secret", "body"}
    refusals: ClassVar = {
        # Also for a domain that is not verified.
        "wrong key": Refusal(errors(401, "Unauthorized"), ProviderMisconfigured, "Unauthorized"),
        "key that may not send": Refusal(errors(403, "Forbidden"), ProviderMisconfigured, "Forbidden"),
        "bad message": Refusal(errors(400, "'to' address is invalid", "..."), PermanentFailure, "400 .*is invalid"),
        "too fast": Refusal(Answer(429, b"Too Many Requests"), TemporaryFailure, "Too Many Requests"),
        "their fault": Refusal(errors(500, "Internal server error"), TemporaryFailure, "Internal server error"),
        "a page": Refusal(Answer(502, b"<h1>Bad gateway</h1>"), TemporaryFailure, "Bad gateway"),
    }

    def asks(self, request: Request) -> bool:
        return request.body == b"{}"

    def understood(self, message: Message) -> Message:
        return replace(message, reply_to=message.reply_to[:1], tags=message.tags[:1])

    def callback(self, event: MailEvent, at: float) -> Callback:
        about = {
            "timestamp": int(event.at.timestamp()),
            "sending_stream": "transactional",
            "sending_domain_name": "example.com",
            "message_id": event.message_id,
            "email": event.email,
            "event_id": event.id,
        }
        return signed({"events": [about | TYPES[event.kind]]})

    def unknown_callback(self, at: float) -> Callback:
        return signed({"events": [{"event": "open", "timestamp": int(at), "event_id": "1", "ip": "192.0.2.1"}]})

    def read(self, request: Request) -> Message:
        assert request.path == "/api/send"
        assert request.headers["authorization"] == "Bearer mt_123"
        # Their protection of the edge refuses who has none.
        assert request.headers["user-agent"]
        said = request.json()
        return Message(
            sender=_address(said["from"]),
            to=tuple(map(_address, said["to"])),
            cc=tuple(map(_address, said.get("cc", []))),
            bcc=tuple(map(_address, said.get("bcc", []))),
            reply_to=(_address(said["reply_to"]),) if "reply_to" in said else (),
            subject=said["subject"],
            text=said["text"],
            html=said["html"],
            attachments=tuple(map(_attachment, said.get("attachments", []))),
            headers=said.get("headers", {}),
            tags=(said["category"],) if "category" in said else (),
            metadata=said.get("custom_variables", {}),
        )


def _address(said: dict[str, str]) -> Address:
    assert said.keys() <= {"email", "name"}
    assert all(said.values())
    return Address(said["email"], said.get("name", ""))


def _attachment(file: dict[str, Any]) -> Attachment:
    assert (file.get("disposition") == "inline") == ("content_id" in file)
    content = b64decode(file["content"], validate=True)
    return Attachment(file["filename"], content, file["type"], file.get("content_id", ""))
