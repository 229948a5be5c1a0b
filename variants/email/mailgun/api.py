"""Mailgun's API, as https://documentation.mailgun.com/docs/mailgun/api-reference/send/mailgun describes it."""

import hashlib
import hmac
import json
import re
from base64 import b64encode
from dataclasses import replace
from email import policy
from typing import Any, ClassVar

from provider_server import Answer, HttpApi, Refusal, Request

from groundwork.mail.callback import Callback
from groundwork.mail.events import Kind, MailEvent
from groundwork.mail.failures import PermanentFailure, ProviderMisconfigured, QuotaExhausted, TemporaryFailure
from groundwork.mail.message import Address, Attachment, Message

__all__ = ["Api"]


KEY = "between Mailgun and us"
TYPES: dict[Kind, dict[str, Any]] = {
    Kind.DELIVERED: {"event": "delivered", "delivery-status": {"code": 250, "message": "OK"}},
    Kind.DEFERRED: {
        "event": "failed",
        "severity": "temporary",
        "reason": "generic",
        "delivery-status": {"code": 452, "message": "Mailbox full", "description": ""},
    },
    Kind.BOUNCED: {
        "event": "failed",
        "severity": "permanent",
        "reason": "bounce",
        "delivery-status": {"code": 550, "message": "Nobody here.", "description": ""},
    },
    Kind.REJECTED: {
        "event": "failed",
        "severity": "permanent",
        "reason": "suppress-bounce",
        "delivery-status": {"code": 605, "message": "", "description": "Not delivering to previously bounced address"},
    },
    Kind.COMPLAINED: {"event": "complained"},
    Kind.UNSUBSCRIBED: {"event": "unsubscribed"},
}


def error(status: int, message: str) -> Answer:
    return Answer(status, {"message": message})


def token_of(said: Any) -> str:
    """Each event has another."""
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:50]


def signed(said: Any, at: float, token: str = "") -> Callback:
    timestamp, token = f"{at:.0f}", token or token_of(said)
    signature = hmac.new(KEY.encode(), f"{timestamp}{token}".encode(), "sha256").hexdigest()
    body = {"signature": {"timestamp": timestamp, "token": token, "signature": signature}, "event-data": said}
    return Callback("https://example.com/api/v1/webhooks/email", {}, {}, json.dumps(body).encode())


class Api(HttpApi):
    settings: ClassVar = {"mailgun_api_key": "key-123", "mailgun_domain": "mg.example.com"}
    secrets: ClassVar = {"key-123"}
    documented: ClassVar = {"mailgun_url": "https://api.mailgun.net"}
    url_setting = "mailgun_url"
    message_id = "20300102030405.1.0123456789ABCDEF@mg.example.com"
    accepted = Answer(200, {"id": f"<{message_id}>", "message": "Queued. Thank you."})
    # A message without sender and recipients is a question.
    knows = error(400, "from parameter is missing")
    refuses_key = (Answer(401, b"Forbidden"), error(403, "Not allowed to send"), error(404, "Domain not found"))
    spares_key = (Answer(429), Answer(500))
    without_id = (Answer(200, {"message": "Queued. Thank you."}),)
    kinds: ClassVar = set(Kind)
    webhook_settings: ClassVar = {"mailgun_webhook_signing_key": KEY}
    signs: ClassVar = {"secret", "time"}
    refusals: ClassVar = {
        "wrong key": Refusal(Answer(401, b"Forbidden"), ProviderMisconfigured, "Forbidden"),
        "no access": Refusal(error(403, "Domain is not allowed to send"), ProviderMisconfigured, "not allowed"),
        "another region's domain": Refusal(error(404, "Domain not found"), ProviderMisconfigured, "MAILGUN_URL"),
        "bad message": Refusal(error(400, "to parameter is not a valid address."), PermanentFailure, "not a valid"),
        "too large": Refusal(Answer(413, b"<h1>Too large</h1>"), PermanentFailure, "413"),
        "too fast": Refusal(
            error(429, "mg.example.com is not allowed to send: limit exceeded, try again after 120 seconds"),
            QuotaExhausted,
            "limit exceeded",
            retry_after=120,
        ),
        "too fast, and no word when": Refusal(error(429, "Too many requests"), TemporaryFailure),
        "their fault": Refusal(error(500, "Internal Server Error"), TemporaryFailure, "Internal Server Error"),
        "a page": Refusal(Answer(502, b"<h1>Bad gateway</h1>"), TemporaryFailure, "Bad gateway"),
    }
    not_a_success: ClassVar = HttpApi.not_a_success | {
        "its web site": Refusal(Answer(200, b"Mailgun Magnificent API"), ProviderMisconfigured, "another server"),
    }

    def asks(self, request: Request) -> bool:
        return request.body == b"o%3Atestmode=yes"

    def understood(self, message: Message) -> Message:
        """An image of the HTML is named as the HTML names it."""
        files = tuple(replace(file, name=file.content_id or file.name) for file in message.attachments)
        return replace(message, attachments=files)

    def callback(self, event: MailEvent, at: float) -> Callback:
        said = {
            "id": event.id,
            "timestamp": event.at.timestamp(),
            "recipient": event.email,
            "message": {"headers": {"message-id": event.message_id, "subject": "Hi"}},
        }
        return signed(said | TYPES[event.kind], at)

    def unknown_callback(self, at: float) -> Callback:
        return signed({"event": "opened", "id": "event-1", "recipient": "ada@example.org"}, at)

    def unsigned(self, callback: Callback) -> Callback:
        said = {name: value for name, value in callback.json().items() if name != "signature"}
        return replace(callback, body=json.dumps(said).encode())

    def body_of(self, request: Request) -> Any:
        body: dict[str, Any] = {}
        for name, file_name, content, _ in parts(request):
            if name in {"o:tag", "attachment", "inline"}:
                body.setdefault(name, []).append(file_name or content.decode())
            else:
                assert name not in body
                body[name] = content.decode()
        return body

    def read(self, request: Request) -> Message:
        assert request.path == "/v3/mg.example.com/messages"
        assert request.headers["authorization"] == f"Basic {b64encode(b'api:key-123').decode()}"
        said = self.body_of(request)
        [sender] = _addresses(said["from"])
        files = [part for part in parts(request) if part[0] in {"attachment", "inline"}]
        return Message(
            sender=sender,
            to=_addresses(said["to"]),
            cc=_addresses(said.get("cc", "")),
            bcc=_addresses(said.get("bcc", "")),
            reply_to=_addresses(said.pop("h:Reply-To", "")),
            subject=said["subject"],
            text=said["text"],
            html=said["html"],
            attachments=tuple(
                Attachment(file_name, content, type_, file_name if name == "inline" else "")
                for name, file_name, content, type_ in files
            ),
            headers=_with_prefix("h:", said),
            tags=tuple(said.get("o:tag", [])),
            metadata=_with_prefix("v:", said),
        )


def parts(request: Request) -> list[tuple[str, str, bytes, str]]:
    """Name, file name, content and media type of each field of the form."""
    kind, _, boundary = request.headers["content-type"].partition("; boundary=")
    assert kind == "multipart/form-data"
    found = []
    for part in request.body.split(f"--{boundary}".encode())[1:-1]:
        head, _, content = part.removeprefix(b"\r\n").removesuffix(b"\r\n").partition(b"\r\n\r\n")
        names = dict(re.findall(r'(\w+)="([^"]*)"', head.decode()))
        [type_] = re.findall(r"(?i)^content-type: (\S+)", head.decode(), re.MULTILINE) or [""]
        found.append((names["name"], names.get("filename", ""), content, type_))
    return found


def _with_prefix(prefix: str, said: dict[str, Any]) -> dict[str, str]:
    return {name.removeprefix(prefix): value for name, value in said.items() if name.startswith(prefix)}


def _addresses(text: str) -> tuple[Address, ...]:
    header = policy.default.header_factory("To", text)
    assert not header.defects
    return tuple(Address(address.addr_spec, address.display_name) for address in header.addresses)
