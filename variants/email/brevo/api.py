"""Brevo's API, as https://developers.brevo.com/reference/send-transac-email and .../docs/how-it-works describe it."""

import json
from base64 import b64decode, b64encode
from dataclasses import replace
from mimetypes import guess_type
from typing import Any, ClassVar

from provider_server import Answer, HttpApi, Refusal, Request

from groundwork.mail.callback import Callback
from groundwork.mail.events import Kind, MailEvent
from groundwork.mail.failures import PermanentFailure, ProviderMisconfigured, QuotaExhausted, TemporaryFailure
from groundwork.mail.message import Address, Attachment, Message

__all__ = ["Api"]


SECRET = "between Brevo and us"
NAMES = {
    Kind.DELIVERED: "delivered",
    Kind.DEFERRED: "soft_bounce",
    Kind.BOUNCED: "hard_bounce",
    Kind.COMPLAINED: "spam",
    Kind.UNSUBSCRIBED: "unsubscribed",
    Kind.REJECTED: "blocked",
}


def error(status: int, code: str, **headers: str) -> Answer:
    said = {"code": code, "message": "A sentence of theirs."}
    return Answer(status, said, {name.replace("_", "-"): value for name, value in headers.items()})


def told(said: Any, secret: str = SECRET) -> Callback:
    credentials = b64encode(f"brevo:{secret}".encode()).decode()
    headers = {"authorization": f"Basic {credentials}", "content-type": "application/json"}
    return Callback("https://example.com/api/v1/webhooks/email", {}, headers, json.dumps(said).encode())


class Api(HttpApi):
    settings: ClassVar = {"brevo_api_key": "xkeysib-123"}
    secrets: ClassVar = {"xkeysib-123"}
    documented: ClassVar = {"brevo_url": "https://api.brevo.com"}
    url_setting = "brevo_url"
    message_id = "203001020304.12345678901@smtp-relay.mailin.fr"
    accepted = Answer(201, {"messageId": f"<{message_id}>"})
    has_idempotency_keys = True
    kinds: ClassVar = set(Kind)
    webhook_settings: ClassVar = {"brevo_webhook_secret": SECRET}
    refusals: ClassVar = {
        "wrong key": Refusal(error(401, "unauthorized"), ProviderMisconfigured, "unauthorized"),
        "not allowed": Refusal(error(403, "permission_denied"), ProviderMisconfigured, "permission_denied"),
        "account to be approved": Refusal(error(402, "account_under_validation"), ProviderMisconfigured),
        "bad message": Refusal(error(400, "invalid_parameter"), PermanentFailure, "400 .*invalid_parameter"),
        "no HTML": Refusal(error(400, "missing_parameter"), PermanentFailure, "missing_parameter"),
        "too large": Refusal(Answer(413, b"<h1>Too large</h1>"), PermanentFailure, "413"),
        "no credits": Refusal(error(402, "not_enough_credits"), QuotaExhausted, retry_after=4 * 3600),
        "too fast": Refusal(
            error(429, "too_many_requests", x_sib_ratelimit_reset="7"), TemporaryFailure, retry_after=7
        ),
        "too fast, and no word when": Refusal(error(429, "too_many_requests"), TemporaryFailure),
        "their fault": Refusal(error(500, "internal_server_error"), TemporaryFailure, "internal_server_error"),
        "a page": Refusal(Answer(502, b"<h1>Bad gateway</h1>"), TemporaryFailure, "Bad gateway"),
    }

    def idempotency_key(self, request: Request) -> str:
        key: str = request.json()["headers"]["idempotencyKey"]
        return key

    def understood(self, message: Message) -> Message:
        files = tuple(replace(file, content_id="") for file in message.attachments)
        return replace(message, reply_to=message.reply_to[:1], attachments=files)

    def callback(self, event: MailEvent, at: float) -> Callback:
        said = {
            "event": NAMES[event.kind],
            "email": event.email,
            "id": 26224,
            "date": "2030-01-02 04:04:05",
            "ts": int(event.at.timestamp()) - 30,
            "ts_event": int(event.at.timestamp()),
            "message-id": event.message_id,
            "subject": "Hi",
        }
        return told(said)

    def unknown_callback(self, at: float) -> Callback:
        return told({"event": "unique_opened", "email": "ada@example.org", "id": 26224, "message-id": "message-1"})

    def read(self, request: Request) -> Message:
        assert request.path == "/v3/smtp/email"
        assert request.headers["api-key"] == "xkeysib-123"
        said = request.json()
        headers = said["headers"]
        assert headers.pop("idempotencyKey")
        return Message(
            sender=_address(said["sender"]),
            to=_addresses(said["to"]),
            cc=_addresses(said.get("cc", [])),
            bcc=_addresses(said.get("bcc", [])),
            reply_to=_addresses([said["replyTo"]] if "replyTo" in said else []),
            subject=said["subject"],
            text=said["textContent"],
            html=said["htmlContent"],
            attachments=tuple(map(_attachment, said.get("attachment", []))),
            metadata=json.loads(headers.pop("X-Mailin-custom", "{}")),
            headers=headers,
            tags=tuple(said.get("tags", [])),
        )


def _addresses(said: list[dict[str, str]]) -> tuple[Address, ...]:
    return tuple(map(_address, said))


def _address(said: dict[str, str]) -> Address:
    return Address(said["email"], said.get("name", ""))


def _attachment(file: dict[str, Any]) -> Attachment:
    type_ = guess_type(file["name"])[0]
    assert type_, "Brevo refuses what it does not know by its name."
    return Attachment(file["name"], b64decode(file["content"], validate=True), type_)
