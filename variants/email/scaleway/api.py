"""Scaleway's API, as https://www.scaleway.com/en/developers/api/transactional-email/ describes it."""

import json
from base64 import b64decode
from dataclasses import replace
from typing import Any, ClassVar

from provider_server import Answer, HttpApi, Refusal, Request

from groundwork.mail.callback import Callback
from groundwork.mail.events import Kind, MailEvent
from groundwork.mail.failures import PermanentFailure, ProviderMisconfigured, QuotaExhausted, TemporaryFailure
from groundwork.mail.message import Address, Attachment, Message

__all__ = ["Api", "notification", "posted"]

SECRET = "of our address"
TYPES = {
    Kind.DELIVERED: "email_delivered",
    Kind.DEFERRED: "email_deferred",
    Kind.BOUNCED: "email_mailbox_not_found",
    Kind.REJECTED: "email_spam",
}


def error(status: int, kind: str, **details: Any) -> Answer:
    return Answer(status, {"type": kind, "message": "A sentence of theirs."} | details)


def posted(envelope: Any) -> Callback:
    headers = {"x-amz-sns-message-type": "Notification", "content-type": "text/plain; charset=UTF-8"}
    url = "https://example.com/api/v1/webhooks/email?secret=of+our+address"
    return Callback(url, {"secret": SECRET}, headers, json.dumps(envelope).encode())


def notification(**said: Any) -> Callback:
    """Of an event; `said` may have names that are set here otherwise."""
    event = {
        "id": "event-1",
        "type": "email_delivered",
        "organization_id": "1",
        "project_id": "2",
        "domain_id": "3",
        "domain_name": "example.com",
        "created_at": "2030-01-02T03:04:05.000000000Z",
        "email_from": "shop@example.com",
        "email_to": "ada@example.org",
        "email_headers": [],
    } | said
    return posted({"Type": "Notification", "MessageId": "sns-1", "TopicArn": "arn:1", "Message": json.dumps(event)})


class Api(HttpApi):
    settings: ClassVar = {
        "scaleway_secret_key": "11111111-2222-3333-4444-555555555555",
        "scaleway_project_id": "project-1",
    }
    secrets: ClassVar = {"11111111-2222-3333-4444-555555555555"}
    documented: ClassVar = {
        "scaleway_url": "https://api.scaleway.com/transactional-email/v1alpha1/regions/fr-par",
    }
    url_setting = "scaleway_url"
    message_id = "655c27f2-b2a3-4a9f-8e1f-3e6dc268b1c4"
    accepted = Answer(200, {"emails": [{"id": message_id, "mail_rcpt": "ada@example.org", "status": "new"}]})
    without_id = (Answer(200, {"emails": []}), Answer(200, {}))
    kinds: ClassVar = set(TYPES)
    webhook_settings: ClassVar = {"scaleway_webhook_secret": SECRET}
    refusals: ClassVar = {
        "wrong key": Refusal(error(401, "denied_authentication"), ProviderMisconfigured, "denied_authentication"),
        "no right": Refusal(error(403, "permissions_denied"), ProviderMisconfigured, "permissions_denied"),
        "unknown domain": Refusal(error(404, "not_found", resource="domain"), ProviderMisconfigured, "domain"),
        "unchecked domain": Refusal(error(412, "precondition_failed"), ProviderMisconfigured),
        "bad message": Refusal(error(400, "invalid_arguments"), PermanentFailure, "400 .*invalid_arguments"),
        "this month's quota": Refusal(error(403, "quotas_exceeded"), QuotaExhausted, retry_after=4 * 3600),
        "a domain in between": Refusal(error(409, "transient_state"), TemporaryFailure, "transient_state"),
        "too fast": Refusal(error(429, "too_many_requests"), TemporaryFailure),
        "their fault": Refusal(error(500, "internal_error"), TemporaryFailure, "internal_error"),
        "a page": Refusal(Answer(502, b"<h1>Bad gateway</h1>"), TemporaryFailure, "Bad gateway"),
    }

    def understood(self, message: Message) -> Message:
        files = tuple(replace(file, content_id="") for file in message.attachments)
        return replace(message, attachments=files, tags=(), metadata={})

    def callback(self, event: MailEvent, at: float) -> Callback:
        created_at = event.at.isoformat().replace("+00:00", ".000000000Z")
        return notification(
            id=event.id,
            type=TYPES[event.kind],
            email_to=event.email,
            email_id=event.message_id,
            created_at=created_at,
            email_response_message="A sentence of theirs.",
        )

    def unknown_callback(self, at: float) -> Callback:
        return notification(type="email_queued")

    def read(self, request: Request) -> Message:
        assert request.path == "/emails"
        assert request.headers["x-auth-token"] == "11111111-2222-3333-4444-555555555555"
        said = request.json()
        assert said["project_id"] == "project-1"
        headers = {header["key"]: header["value"] for header in said.get("additional_headers", [])}
        reply_to = headers.pop("Reply-To", "")
        return Message(
            sender=_addresses([said["from"]])[0],
            to=_addresses(said["to"]),
            cc=_addresses(said.get("cc", [])),
            bcc=_addresses(said.get("bcc", [])),
            reply_to=(Address.parse(reply_to),) if reply_to else (),
            subject=said["subject"],
            text=said["text"],
            html=said["html"],
            attachments=tuple(
                Attachment(file["name"], b64decode(file["content"], validate=True), file["type"])
                for file in said.get("attachments", [])
            ),
            headers=headers,
        )


def _addresses(said: list[dict[str, str]]) -> tuple[Address, ...]:
    return tuple(Address(one["email"], one.get("name", "")) for one in said)
