"""MailerSend's API, as https://developers.mailersend.com/api/v1/email.html and .../webhooks.html describe it."""

import hmac
import json
import mimetypes
from base64 import b64decode
from dataclasses import replace
from typing import Any, ClassVar

from provider_server import Answer, HttpApi, Refusal, Request

from groundwork.mail.callback import Callback
from groundwork.mail.events import Kind, MailEvent
from groundwork.mail.failures import PermanentFailure, ProviderMisconfigured, QuotaExhausted, TemporaryFailure
from groundwork.mail.message import Address, Attachment, Message, list_unsubscribe

__all__ = ["SECRET", "Api", "signed", "suppressed"]

SECRET = "between MailerSend and us"
TYPES = {
    Kind.DELIVERED: ("delivered", None),
    Kind.DEFERRED: ("soft_bounced", {"object": "recipient_bounce", "reason": "Mailbox full"}),
    Kind.BOUNCED: ("hard_bounced", {"object": "recipient_bounce", "reason": "Host or domain name not found"}),
    Kind.COMPLAINED: ("spam_complaint", {"object": "spam_complaint", "reason": None}),
    Kind.UNSUBSCRIBED: ("unsubscribed", {"object": "recipient_unsubscribe", "readable_reason": "Too many emails"}),
}
NOT_VERIFIED = "The from.email domain must be verified in your account to send emails. #MS42207"
TRIAL = "You have reached trial account unique recipients limit. #MS42225"
QUOTA = "Your account reached its email quota limit. Contact support to increase it. #MS42204"


def error(status: int, field: str, sentence: str) -> Answer:
    return Answer(status, {"message": sentence, "errors": {field: [sentence]}})


def suppressed(which: str, **headers: str) -> Answer:
    recipients = [{"email": "ada@example.org", "name": None, "reasons": ["hard_bounced"]}]
    warning = {"type": which, "message": "Recipients have been suppressed.", "recipients": recipients}
    return Answer(202, {"message": "There are some warnings for your request.", "warnings": [warning]}, headers)


def signed(said: Any, secret: str = SECRET) -> Callback:
    body = json.dumps(said).encode()
    signature = hmac.new(secret.encode(), body, "sha256").hexdigest()
    return Callback("https://example.com/api/v1/webhooks/email", {}, {"signature": signature}, body)


class Api(HttpApi):
    settings: ClassVar = {"mailersend_api_key": "mlsn.123"}
    secrets: ClassVar = {"mlsn.123"}
    documented: ClassVar = {"mailersend_url": "https://api.mailersend.com"}
    url_setting = "mailersend_url"
    message_id = "63fd1c1d5f010335ed07066b"
    # Nothing else than the header.
    accepted = Answer(202, b"", {"X-Message-Id": message_id, "Content-Type": "text/html"})
    # Without one it is a rejection.
    without_id = ()
    kinds: ClassVar = set(TYPES)
    webhook_settings: ClassVar = {"mailersend_webhook_secret": SECRET}
    signs: ClassVar = {"secret", "body"}
    refusals: ClassVar = {
        "wrong key": Refusal(Answer(401, {"message": "Unauthenticated."}), ProviderMisconfigured, "Unauthenticated"),
        "key that may not send": Refusal(Answer(403, {"message": "Forbidden."}), ProviderMisconfigured, "403"),
        "unverified domain": Refusal(error(422, "from.email", NOT_VERIFIED), ProviderMisconfigured, "must be verified"),
        "account on trial": Refusal(error(422, "to", TRIAL), ProviderMisconfigured, "trial account"),
        "bad message": Refusal(error(422, "to.0.name", "The name is invalid."), PermanentFailure, "422 .*invalid"),
        "quota of mail": Refusal(error(422, "from", QUOTA), QuotaExhausted, "quota", retry_after=4 * 3600),
        "too fast": Refusal(
            Answer(429, {"message": "Too Many Attempts."}, {"Retry-After": "59"}), TemporaryFailure, retry_after=59
        ),
        "maintenance": Refusal(Answer(421, {"message": "Try again later."}), TemporaryFailure, "421"),
        "their fault": Refusal(Answer(500, {"message": "Server Error"}), TemporaryFailure, "Server Error"),
        "a page": Refusal(Answer(502, b"<h1>Bad gateway</h1>"), TemporaryFailure, "Bad gateway"),
    }
    not_a_success: ClassVar = HttpApi.not_a_success | {
        "nobody left": Refusal(suppressed("ALL_SUPPRESSED"), PermanentFailure, "hard_bounced"),
        "no id": Refusal(Answer(202), PermanentFailure, "no id"),
    }

    def understood(self, message: Message) -> Message:
        """Without what smaller plans refuse."""
        headers = {name: value for name, value in message.headers.items() if name != "Auto-Submitted"}
        return replace(message, reply_to=message.reply_to[:1], metadata={}, headers=headers)

    def callback(self, event: MailEvent, at: float) -> Callback:
        name, morph = TYPES[event.kind]
        created_at = event.at.strftime("%Y-%m-%dT%H:%M:%S.000000Z")
        email = {
            "object": "email",
            "id": "63fd1c1de225707fa905f0a8",
            "from": "shop@example.com",
            "message": {"object": "message", "id": event.message_id},
            "recipient": {"object": "recipient", "id": "63f3bb1965d98aa98c07d6b7", "email": event.email},
        }
        data = {"object": "activity", "id": event.id, "type": name, "created_at": created_at, "email": email}
        return signed({"type": f"activity.{name}", "created_at": created_at, "data": data | {"morph": morph}})

    def unknown_callback(self, at: float) -> Callback:
        return signed({"type": "activity.opened", "data": {"object": "activity", "id": "1", "type": "opened"}})

    def read(self, request: Request) -> Message:
        assert request.path == "/v1/email"
        assert request.headers["authorization"] == "Bearer mlsn.123"
        said = request.json()
        headers = {header["name"]: header["value"] for header in said.get("headers", [])}
        assert "List-Unsubscribe" not in headers
        if "list_unsubscribe" in said:
            headers |= list_unsubscribe(said["list_unsubscribe"])
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
            headers=headers,
            tags=tuple(said.get("tags", [])),
        )


def _address(said: dict[str, str]) -> Address:
    return Address(said["email"], said.get("name", ""))


def _attachment(file: dict[str, str]) -> Attachment:
    """MailerSend is not told its type: it sees it by the name."""
    assert (file["disposition"] == "inline") == ("id" in file)
    content_type, _ = mimetypes.guess_type(file["filename"])
    assert content_type
    return Attachment(file["filename"], b64decode(file["content"], validate=True), content_type, file.get("id", ""))
