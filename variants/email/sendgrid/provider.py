"""Mail by SendGrid: https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send"""

from typing import Any

import httpx2

from groundwork.mail import http_client as http
from groundwork.mail.failures import QuotaExhausted
from groundwork.mail.message import Attachment, Message
from groundwork.settings import get_settings

__all__ = ["check", "send"]


def send(message: Message, idempotency_key: str) -> str:
    """SendGrid's id. It knows no keys: if its answer is lost, the next attempt sends the message again."""
    settings = get_settings()
    reply = http.post("SendGrid", f"{settings.sendgrid_url}/v3/mail/send", json=_payload(message), headers=_key())
    if not reply.is_success:
        raise _failure(reply)
    return http.message_id("SendGrid", reply, idempotency_key, lambda _: reply.headers.get("X-Message-Id"))


def check() -> str:
    """What `app doctor` says."""
    http.require("sendgrid_api_key")
    return http.check("SendGrid", f"{get_settings().sendgrid_url}/v3/scopes", headers=_key())


def _key() -> dict[str, str]:
    return {"Authorization": f"Bearer {get_settings().sendgrid_api_key}"}


def _payload(message: Message) -> dict[str, Any]:
    # One: its recipients see each other, as in every e-mail.
    envelope = {
        "to": http.people(message.to),
        "cc": http.people(message.cc),
        "bcc": http.people(message.bcc),
        "custom_args": dict(message.metadata),
    }
    payload = {
        "personalizations": [http.filled(envelope)],
        "from": http.person(message.sender),
        "reply_to_list": http.people(message.reply_to),
        "subject": message.subject,
        # In this order, or SendGrid refuses them.
        "content": [{"type": "text/plain", "value": message.text}, {"type": "text/html", "value": message.html}],
        "attachments": [_attachment(file) for file in message.attachments],
        "headers": dict(message.headers),
        "categories": list(message.tags),
    }
    return http.filled(payload)


def _attachment(file: Attachment) -> dict[str, str]:
    place = {"disposition": "inline", "content_id": file.content_id} if file.content_id else {}
    return {"filename": file.name, "content": file.base64, "type": file.type, **place}


def _failure(reply: httpx2.Response) -> Exception:
    if "Maximum credits exceeded" in reply.text:
        # With the status of a wrong key; a free plan has new ones tomorrow.
        return QuotaExhausted(http.said("SendGrid", reply))
    return http.failure("SendGrid", reply)
