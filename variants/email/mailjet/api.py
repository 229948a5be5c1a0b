"""Mailjet's API, as https://dev.mailjet.com/email/guides/send-api-v31/ and .../webhooks/ describe it."""

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from provider_server import Answer, HttpApi, Refusal, Request

from groundwork.mail.callback import Callback
from groundwork.mail.events import Kind, MailEvent
from groundwork.mail.failures import PermanentFailure, ProviderMisconfigured, TemporaryFailure
from groundwork.mail.message import Address, Attachment, Message

__all__ = ["Api"]

PASSWORD = "told to Mailjet"
TYPES: dict[Kind, dict[str, Any]] = {
    Kind.DELIVERED: {"event": "sent", "smtp_reply": "sent (250 2.0.0 OK)"},
    Kind.DEFERRED: {"event": "bounce", "hard_bounce": False, "blocked": False, "error": "greylisted"},
    Kind.BOUNCED: {"event": "bounce", "hard_bounce": True, "blocked": True, "comment": "550 nobody here"},
    Kind.REJECTED: {"event": "blocked", "error_related_to": "mailjet", "error": "preblocked"},
    Kind.COMPLAINED: {"event": "spam", "source": "JMRPP"},
    Kind.UNSUBSCRIBED: {"event": "unsub", "mj_list_id": 1, "ip": "192.0.2.1"},
}
# Headers with a property of their own, and those that Mailjet alone sets, are refused: send-0011.
FORBIDDEN = {"from", "sender", "subject", "to", "cc", "bcc", "reply-to", "return-path", "date", "message-id", "list-id"}


def error(status: int, code: str) -> dict[str, Any]:
    return {"ErrorIdentifier": "06df1144", "ErrorCode": code, "StatusCode": status, "ErrorMessage": "Their words."}


def refused(status: int, code: str) -> Answer:
    """The message; what is wrong with the request as a whole is answered without `Messages`."""
    return Answer(status, {"Messages": [{"Status": "error", "Errors": [error(status, code)]}]})


def reported(*events: dict[str, Any]) -> Callback:
    credentials = b64encode(f"mailjet:{PASSWORD}".encode()).decode()
    headers = {"authorization": f"Basic {credentials}", "content-type": "application/json"}
    return Callback("https://example.com/api/v1/webhooks/email", {}, headers, json.dumps(events).encode())


class Api(HttpApi):
    settings: ClassVar = {"mailjet_api_key": "public", "mailjet_secret_key": "mj_secret"}
    secrets: ClassVar = {"mj_secret"}
    documented: ClassVar = {"mailjet_url": "https://api.mailjet.com"}
    url_setting = "mailjet_url"
    message_id = "0001"
    accepted = Answer(
        200,
        {
            "Messages": [
                {
                    "Status": "success",
                    "CustomID": message_id,
                    "To": [{"Email": "ada@example.org", "MessageUUID": "123", "MessageID": 456}],
                }
            ]
        },
    )
    kinds: ClassVar = set(TYPES)
    webhook_settings: ClassVar = {"mailjet_webhook_password": PASSWORD}
    refusals: ClassVar = {
        "wrong key": Refusal(Answer(401, error(401, "mj-0015")), ProviderMisconfigured, "mj-0015"),
        "suspended key": Refusal(Answer(401, error(401, "mj-0001")), ProviderMisconfigured, "mj-0001"),
        "sender not validated": Refusal(refused(403, "send-0008"), ProviderMisconfigured, "send-0008"),
        "bad JSON": Refusal(Answer(400, error(400, "mj-0002")), PermanentFailure, "400 .*mj-0002"),
        "bad message": Refusal(refused(400, "mj-0013"), PermanentFailure, "Their words"),
        "too many recipients": Refusal(refused(400, "send-0015"), PermanentFailure),
        # A sentence, not JSON.
        "too fast": Refusal(Answer(429, b"Rate limit exceeded"), TemporaryFailure, "Rate limit exceeded"),
        "their fault": Refusal(Answer(500, {"ErrorIdentifier": "D4DF574C"}), TemporaryFailure, "D4DF574C"),
        "a page": Refusal(Answer(502, b"<h1>Bad gateway</h1>"), TemporaryFailure, "Bad gateway"),
    }

    def understood(self, message: Message) -> Message:
        headers = _others(message.headers)
        return replace(message, reply_to=message.reply_to[:1], tags=message.tags[:1], headers=headers)

    def callback(self, event: MailEvent, at: float) -> Callback:
        about = {
            "time": int(event.at.timestamp()),
            "MessageID": int.from_bytes(event.id.encode()),
            "Message_GUID": "1ab23cd4-e567-8901-2345-6789f0a1b2c3",
            "email": event.email,
            "mj_campaign_id": 0,
            "mj_contact_id": 0,
            "customcampaign": "",
            "CustomID": event.message_id,
            "Payload": "",
        }
        return reported(about | TYPES[event.kind])

    def unknown_callback(self, at: float) -> Callback:
        return reported({"event": "open", "time": int(at), "MessageID": 1, "email": "ada@example.org", "ip": "::1"})

    def read(self, request: Request) -> Message:
        assert request.path == "/v3.1/send"
        assert request.headers["authorization"] == "Basic " + b64encode(b"public:mj_secret").decode()
        [sent] = request.json()["Messages"]
        assert not FORBIDDEN & {name.lower() for name in sent.get("Headers", {})}
        return Message(
            sender=_address(sent["From"]),
            to=tuple(map(_address, sent["To"])),
            cc=tuple(map(_address, sent.get("Cc", []))),
            bcc=tuple(map(_address, sent.get("Bcc", []))),
            reply_to=(_address(sent["ReplyTo"]),) if "ReplyTo" in sent else (),
            subject=sent["Subject"],
            text=sent["TextPart"],
            html=sent["HTMLPart"],
            attachments=tuple(map(_attachment, [*sent.get("InlinedAttachments", []), *sent.get("Attachments", [])])),
            headers=_others(sent.get("Headers", {})),
            tags=(sent["CustomCampaign"],) if "CustomCampaign" in sent else (),
            metadata=json.loads(sent.get("EventPayload", "{}")),
        )


def _others(headers: Mapping[str, str]) -> dict[str, str]:
    """What is left when Mailjet has put its own List-Unsubscribe in place of ours."""
    return {name: value for name, value in headers.items() if not name.startswith("List-Unsubscribe")}


def _address(said: dict[str, str]) -> Address:
    return Address(said["Email"], said.get("Name", ""))


def _attachment(file: dict[str, Any]) -> Attachment:
    content = b64decode(file["Base64Content"], validate=True)
    return Attachment(file["Filename"], content, file["ContentType"], file.get("ContentID", ""))
