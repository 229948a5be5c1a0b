"""SendGrid's API, as https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send describes it."""

import json
from base64 import b64decode, b64encode
from typing import Any, ClassVar

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from provider_server import Answer, HttpApi, Refusal, Request

from groundwork.mail.callback import Callback
from groundwork.mail.events import Kind, MailEvent
from groundwork.mail.failures import PermanentFailure, ProviderMisconfigured, QuotaExhausted, TemporaryFailure
from groundwork.mail.message import Address, Attachment, Message

__all__ = ["Api"]


KEY = generate_private_key(SECP256R1())
PUBLIC = b64encode(KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
TYPES = {
    Kind.DELIVERED: {"event": "delivered", "response": "250 OK"},
    Kind.DEFERRED: {"event": "deferred", "response": "400 try again later", "attempt": "5"},
    Kind.BOUNCED: {"event": "bounce", "type": "bounce", "reason": "500 unknown recipient", "status": "5.0.0"},
    Kind.COMPLAINED: {"event": "spamreport"},
    Kind.UNSUBSCRIBED: {"event": "unsubscribe"},
    Kind.REJECTED: {"event": "dropped", "reason": "Bounced Address", "status": "5.0.0"},
}


def error(status: int, message: str, **headers: str) -> Answer:
    said = {"errors": [{"message": message, "field": None, "help": None}]}
    return Answer(status, said, {name.replace("_", "-"): value for name, value in headers.items()})


def signed(said: Any, at: float) -> Callback:
    body, timestamp = json.dumps(said).encode(), f"{at:.0f}"
    signature = b64encode(KEY.sign(timestamp.encode() + body, ECDSA(SHA256()))).decode()
    headers = {
        "x-twilio-email-event-webhook-signature": signature,
        "x-twilio-email-event-webhook-timestamp": timestamp,
    }
    return Callback("https://example.com/api/v1/webhooks/email", {}, headers, body)


class Api(HttpApi):
    settings: ClassVar = {"sendgrid_api_key": "SG.123"}
    secrets: ClassVar = {"SG.123"}
    documented: ClassVar = {"sendgrid_url": "https://api.sendgrid.com"}
    url_setting = "sendgrid_url"
    message_id = "jH7NC0WZRcOQ2bQFqE8GMg"
    accepted = Answer(202, b"", {"X-Message-Id": message_id})
    without_id = (Answer(202),)
    kinds: ClassVar = set(Kind)
    webhook_settings: ClassVar = {"sendgrid_webhook_verification_key": PUBLIC}
    signs: ClassVar = {"secret", "body"}
    refusals: ClassVar = {
        "wrong key": Refusal(error(401, "authorization required"), ProviderMisconfigured, "authorization required"),
        "unknown sender": Refusal(error(403, "The from address does not match"), ProviderMisconfigured, "from address"),
        "bad message": Refusal(error(400, "invalid request"), PermanentFailure, "400 .*invalid request"),
        "too large": Refusal(Answer(413, b"<h1>413 Request Entity Too Large</h1>"), PermanentFailure, "413"),
        "no credits": Refusal(error(401, "Maximum credits exceeded"), QuotaExhausted, "credits", retry_after=4 * 3600),
        "too fast": Refusal(error(429, "too many requests", X_RateLimit_Reset="1392815263"), TemporaryFailure),
        "their fault": Refusal(error(500, "internal server error"), TemporaryFailure, "internal server error"),
        "a page": Refusal(Answer(503, b"<h1>Service unavailable</h1>"), TemporaryFailure, "Service unavailable"),
    }

    def callback(self, event: MailEvent, at: float) -> Callback:
        said = {
            "email": event.email,
            "timestamp": int(event.at.timestamp()),
            "smtp-id": "<14c5d75ce93.dfd.64b469@ismtpd-555>",
            "sg_event_id": f"{event.id} of {event.kind}",
            "sg_message_id": f"{event.message_id}.recvd-6dd5d9b4b6-x7vbx-1-654A0CB7-3.0",
        }
        return signed([said | TYPES[event.kind]], at)

    def unknown_callback(self, at: float) -> Callback:
        opened = {"event": "open", "email": "ada@example.org", "timestamp": 1513299569, "sg_event_id": "event-1"}
        return signed([opened | {"sg_message_id": "message-1.recvd"}], at)

    def read(self, request: Request) -> Message:
        assert request.path == "/v3/mail/send"
        assert request.headers["authorization"] == "Bearer SG.123"
        said = request.json()
        [envelope] = said["personalizations"]
        addresses = {name: _addresses(envelope.get(name, [])) for name in ("to", "cc", "bcc")}
        emails = [address.email for group in addresses.values() for address in group]
        assert len(set(emails)) == len(emails)
        assert [content["type"] for content in said["content"]] == ["text/plain", "text/html"]
        text, html = (content["value"] for content in said["content"])
        return Message(
            sender=_addresses([said["from"]])[0],
            **addresses,
            reply_to=_addresses(said.get("reply_to_list", [])),
            subject=said["subject"],
            text=text,
            html=html,
            attachments=tuple(map(_attachment, said.get("attachments", []))),
            headers=said.get("headers", {}),
            tags=tuple(said.get("categories", [])),
            metadata=envelope.get("custom_args", {}),
        )


def _addresses(said: list[dict[str, str]]) -> tuple[Address, ...]:
    return tuple(Address(address["email"], address.get("name", "")) for address in said)


def _attachment(file: dict[str, Any]) -> Attachment:
    assert (file.get("disposition") == "inline") == ("content_id" in file)
    content = b64decode(file["content"], validate=True)
    return Attachment(file["filename"], content, file["type"], file.get("content_id", ""))
