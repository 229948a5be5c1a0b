"""Mandrill's API, as https://mailchimp.com/developer/transactional/api/messages/send-new-message/ describes it."""

import hmac
import json
from base64 import b64decode, b64encode
from dataclasses import replace
from typing import Any, ClassVar
from urllib.parse import urlencode

from provider_server import Answer, HttpApi, Refusal, Request

from groundwork.mail.callback import Callback
from groundwork.mail.events import Kind, MailEvent
from groundwork.mail.failures import PermanentFailure, ProviderMisconfigured, TemporaryFailure
from groundwork.mail.message import Address, Attachment, Message
from groundwork.settings import get_settings

__all__ = ["Api", "event", "posted"]

KEY = "between Mandrill and us"
TYPES = {
    Kind.DELIVERED: "delivered",
    Kind.DEFERRED: "deferral",
    Kind.BOUNCED: "hard_bounce",
    Kind.COMPLAINED: "spam",
    Kind.UNSUBSCRIBED: "unsub",
    Kind.REJECTED: "reject",
}


def error(status: int, name: str) -> Answer:
    return Answer(status, {"status": "error", "code": -1, "name": name, "message": "A sentence of theirs."})


def copy(status: str, **more: str) -> dict[str, str]:
    return {"email": "ada@example.org", "status": status, "_id": "abc123abc123abc123abc123abc123"} | more


def rejected(reason: str) -> Answer:
    return Answer(200, [copy("rejected", reject_reason=reason)])


def event(event: MailEvent, name: str) -> dict[str, Any]:
    message = {
        "ts": 1,
        "subject": "Hi",
        "email": event.email,
        "sender": "shop@example.com",
        "tags": [],
        "metadata": {},
        "_id": event.message_id,
    }
    return {"event": name, "msg": message, "_id": event.message_id, "ts": int(event.at.timestamp())}


def posted(*said: Any) -> Callback:
    url, events = get_settings().link("/api/v1/webhooks/email"), json.dumps(said)
    signed = f"{url}mandrill_events{events}".encode()
    signature = b64encode(hmac.digest(KEY.encode(), signed, "sha1")).decode()
    headers = {"x-mandrill-signature": signature, "content-type": "application/x-www-form-urlencoded"}
    return Callback(url, {}, headers, urlencode({"mandrill_events": events}).encode())


class Api(HttpApi):
    settings: ClassVar = {"mandrill_api_key": "md-123"}
    secrets: ClassVar = {"md-123"}
    documented: ClassVar = {"mandrill_url": "https://mandrillapp.com/api/1.0"}
    url_setting = "mandrill_url"
    message_id = "abc123abc123abc123abc123abc123"
    accepted = Answer(200, [copy("sent")])
    question = "/users/ping2.json"
    knows = Answer(200, {"PING": "PONG!"})
    refuses_key = (error(500, "Invalid_Key"), error(401, "Invalid_Key"))
    without_id = (Answer(200, [copy("sent", _id="")]),)
    kinds: ClassVar = set(TYPES)
    webhook_settings: ClassVar = {"mandrill_webhook_key": KEY}
    signs: ClassVar = {"secret", "body"}
    refusals: ClassVar = {
        "wrong key": Refusal(error(500, "Invalid_Key"), ProviderMisconfigured, "Invalid_Key"),
        "wrong key, as the OpenAPI document says": Refusal(
            error(401, "Invalid_Key"), ProviderMisconfigured, "Invalid_Key"
        ),
        "nothing paid": Refusal(error(402, "PaymentRequired"), ProviderMisconfigured, "PaymentRequired"),
        "bad message": Refusal(error(500, "ValidationError"), PermanentFailure, "ValidationError"),
        "too fast": Refusal(error(429, "RequestLimitExceeded"), TemporaryFailure),
        "their fault": Refusal(error(500, "GeneralError"), TemporaryFailure, "GeneralError"),
        "upkeep": Refusal(error(503, "ServiceUnavailable"), TemporaryFailure),
        "a page": Refusal(Answer(502, b"<h1>Bad gateway</h1>"), TemporaryFailure, "Bad gateway"),
    }
    not_a_success: ClassVar = HttpApi.not_a_success | {
        "known to bounce": Refusal(rejected("hard-bounce"), PermanentFailure, "hard-bounce"),
        "no address": Refusal(Answer(200, [copy("invalid")]), PermanentFailure, "invalid"),
        "unverified domain": Refusal(rejected("unsigned"), ProviderMisconfigured, "unsigned"),
        "nobody": Refusal(Answer(200, []), PermanentFailure),
    }

    def understood(self, message: Message) -> Message:
        # An image's name is the one that the HTML calls it.
        files = tuple(replace(file, name=file.content_id or file.name) for file in message.attachments)
        return replace(message, attachments=files)

    def callback(self, mail_event: MailEvent, at: float) -> Callback:
        return posted(event(mail_event, TYPES[mail_event.kind]))

    def unknown_callback(self, at: float) -> Callback:
        return posted({"type": "blacklist", "action": "add", "reject": {"email": "ada@example.org"}})

    def read(self, request: Request) -> Message:
        assert request.path == "/messages/send.json"
        said = request.json()
        assert said["key"] == "md-123"
        message = said["message"]
        headers = message.get("headers", {})
        return Message(
            sender=Address(message["from_email"], message.get("from_name", "")),
            to=_addresses(message, "to"),
            cc=_addresses(message, "cc"),
            bcc=_addresses(message, "bcc"),
            reply_to=(Address.parse(headers["Reply-To"]),) if "Reply-To" in headers else (),
            subject=message["subject"],
            text=message["text"],
            html=message["html"],
            attachments=(
                *(_attachment(file, file["name"]) for file in message.get("images", [])),
                *(_attachment(file, "") for file in message.get("attachments", [])),
            ),
            headers={name: value for name, value in headers.items() if name != "Reply-To"},
            tags=tuple(message.get("tags", ())),
            metadata=message.get("metadata", {}),
        )


def _addresses(message: dict[str, Any], kind: str) -> tuple[Address, ...]:
    return tuple(Address(one["email"], one.get("name", "")) for one in message["to"] if one["type"] == kind)


def _attachment(file: dict[str, str], content_id: str) -> Attachment:
    return Attachment(file["name"], b64decode(file["content"], validate=True), file["type"], content_id)
