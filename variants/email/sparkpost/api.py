"""SparkPost's API, as https://developers.sparkpost.com/api/ and https://support.sparkpost.com/docs/ describe it."""

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

__all__ = ["PASSWORD", "Api", "reported"]

PASSWORD = "told to SparkPost"
TYPES: dict[Kind, tuple[str, dict[str, Any]]] = {
    Kind.DELIVERED: ("message_event", {"type": "delivery"}),
    Kind.DEFERRED: ("message_event", {"type": "delay", "bounce_class": "21", "raw_reason": "454 no MX"}),
    Kind.BOUNCED: ("message_event", {"type": "bounce", "bounce_class": "10", "raw_reason": "550 nobody here"}),
    Kind.COMPLAINED: ("message_event", {"type": "spam_complaint", "fbtype": "abuse"}),
    Kind.UNSUBSCRIBED: ("unsubscribe_event", {"type": "list_unsubscribe"}),
    Kind.REJECTED: ("gen_event", {"type": "generation_rejection", "raw_reason": "554 suppressed"}),
}
# A header is always a template: what would begin a name there, and what stands for it.
BRACES = "{" * 2
LITERAL = BRACES + "opening_double_curly()" + "}" * 2


def error(status: int, code: str, message: str, **more: str) -> Answer:
    return Answer(status, {"errors": [{"message": message, "code": code, **more}]})


def reported(said: Any) -> Callback:
    credentials = b64encode(f"sparkpost:{PASSWORD}".encode()).decode()
    headers = {"authorization": f"Basic {credentials}", "x-messagesystems-batch-id": "84345317653491230"}
    return Callback("https://example.com/api/v1/webhooks/email", {}, headers, json.dumps(said).encode())


class Api(HttpApi):
    settings: ClassVar = {"sparkpost_api_key": "sp_123"}
    secrets: ClassVar = {"sp_123"}
    documented: ClassVar = {"sparkpost_url": "https://api.sparkpost.com"}
    url_setting = "sparkpost_url"
    message_id = "11668787484950529"
    accepted = Answer(
        200, {"results": {"total_rejected_recipients": 0, "total_accepted_recipients": 1, "id": message_id}}
    )
    without_id = (Answer(200, {"results": {"total_accepted_recipients": 1}}), Answer(200, {}))
    kinds: ClassVar = set(TYPES)
    webhook_settings: ClassVar = {"sparkpost_webhook_password": PASSWORD}
    refusals: ClassVar = {
        "wrong key": Refusal(Answer(401, {"errors": [{"message": "Unauthorized."}]}), ProviderMisconfigured, "401"),
        "key that may not send": Refusal(error(403, "1100", "permission denied"), ProviderMisconfigured, "1100"),
        "unverified domain": Refusal(
            error(400, "7001", "Invalid domain", description="Unconfigured or unverified sending domain."),
            ProviderMisconfigured,
            "unverified sending domain",
        ),
        "blocked domain": Refusal(error(400, "7000", "Sending domain blacklisted"), ProviderMisconfigured, "7000"),
        "bad message": Refusal(error(422, "1300", "invalid data format/type/length"), PermanentFailure, "422 .*1300"),
        "nobody to send to": Refusal(error(400, "5002", "At least one valid recipient is required"), PermanentFailure),
        "this hour's limit": Refusal(
            error(420, "2101", "Exceed Sending Limit (hourly)"), QuotaExhausted, "hourly", retry_after=4 * 3600
        ),
        "this month's limit": Refusal(
            error(420, "2105", "Exceed Sending Limit (monthly)"), QuotaExhausted, "monthly", retry_after=4 * 3600
        ),
        "later": Refusal(error(400, "1502", "Server resources unavailable"), TemporaryFailure, "1502"),
        "too fast": Refusal(
            Answer(429, {"errors": [{"message": "Too many requests"}]}, {"Retry-After": "5"}),
            TemporaryFailure,
            retry_after=5,
        ),
        "their fault": Refusal(error(503, "1900", "Message generation module not available"), TemporaryFailure, "1900"),
        "a page": Refusal(Answer(502, b"<h1>Bad gateway</h1>"), TemporaryFailure, "Bad gateway"),
    }
    not_a_success: ClassVar = HttpApi.not_a_success | {
        "nobody accepted": Refusal(
            Answer(200, {"results": {"total_rejected_recipients": 1, "total_accepted_recipients": 0, "id": "1"}}),
            PermanentFailure,
            "rejected_recipients",
        ),
    }

    def understood(self, message: Message) -> Message:
        """Of an inline image it keeps one name, of who is in Bcc none."""
        files = tuple(replace(file, name=file.content_id or file.name) for file in message.attachments)
        bcc = tuple(Address(address.email) for address in message.bcc)
        return replace(message, tags=message.tags[:1], attachments=files, bcc=bcc)

    def callback(self, event: MailEvent, at: float) -> Callback:
        group, details = TYPES[event.kind]
        about = {
            "event_id": event.id,
            "rcpt_to": event.email.lower(),
            "raw_rcpt_to": event.email,
            "timestamp": f"{event.at.timestamp():.0f}",
            "transmission_id": event.message_id,
            "message_id": "0004e3724f57753a3561",
            "rcpt_meta": {"order": "7"},
        }
        return reported([{"msys": {group: about | details}, "cust": {"id": "00000"}}])

    def unknown_callback(self, at: float) -> Callback:
        return reported([{"msys": {"track_event": {"type": "open", "event_id": "1", "timestamp": f"{at:.0f}"}}}])

    def read(self, request: Request) -> Message:
        assert request.path == "/api/v1/transmissions"
        assert request.headers["authorization"] == "sp_123"
        said = request.json()
        content = said["content"]
        headers = {name: _plain(value) for name, value in content.get("headers", {}).items()}
        addresses = [one["address"] for one in said["recipients"]]
        [header_to] = {address["header_to"] for address in addresses}
        to, cc = _addresses(header_to), _addresses(headers.pop("CC", ""))
        shown = {address.email for address in (*to, *cc)}
        assert shown <= {address["email"] for address in addresses}
        return Message(
            sender=Address(content["from"]["email"], _plain(content["from"].get("name", ""))),
            to=to,
            cc=cc,
            bcc=tuple(Address(address["email"]) for address in addresses if address["email"] not in shown),
            reply_to=_addresses(_plain(content.get("reply_to", ""))),
            subject=_plain(content["subject"]),
            text=content["text"],
            html=content["html"],
            attachments=(
                *(_file(file, file["name"]) for file in content.get("inline_images", [])),
                *(_file(file, "") for file in content.get("attachments", [])),
            ),
            headers=headers,
            tags=(said["campaign_id"],) if "campaign_id" in said else (),
            metadata=said.get("metadata", {}),
        )


def _plain(template: str) -> str:
    assert BRACES not in template.replace(LITERAL, "")
    return template.replace(LITERAL, BRACES)


def _addresses(header: str) -> tuple[Address, ...]:
    found = policy.default.header_factory("To", header).addresses if header else ()
    return tuple(Address(address.addr_spec, address.display_name) for address in found)


def _file(file: dict[str, str], content_id: str) -> Attachment:
    return Attachment(file["name"], b64decode(file["data"], validate=True), file["type"], content_id)
