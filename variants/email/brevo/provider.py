"""Mail by Brevo: https://developers.brevo.com/reference/send-transac-email"""

import json
from typing import Any

import httpx2

from groundwork.mail import http_client as http
from groundwork.mail.failures import ProviderMisconfigured, QuotaExhausted, TemporaryFailure
from groundwork.mail.message import Message
from groundwork.settings import get_settings

__all__ = ["check", "send"]


def send(message: Message, idempotency_key: str) -> str:
    """Brevo's id. A key, which is a UUID, sends no second message within half an hour."""
    settings = get_settings()
    payload = _payload(message, idempotency_key)
    reply = http.post("Brevo", f"{settings.brevo_url}/v3/smtp/email", json=payload, headers=_key())
    if reply.is_client_error and '"duplicate_parameter"' in reply.text:
        # An attempt before this one was taken; the answer with Brevo's id got lost.
        return idempotency_key
    if not reply.is_success:
        raise _failure(reply)
    # Its webhook knows the id without the brackets.
    return http.message_id("Brevo", reply, idempotency_key, lambda answer: answer["messageId"].strip("<>"))


def check() -> str:
    """What `app doctor` says."""
    http.require("brevo_api_key")
    return http.check("Brevo", f"{get_settings().brevo_url}/v3/account", headers=_key())


def _key() -> dict[str, str]:
    return {"Accept": "application/json", "api-key": get_settings().brevo_api_key}


def _payload(message: Message, idempotency_key: str) -> dict[str, Any]:
    metadata = {"X-Mailin-custom": json.dumps(dict(message.metadata))} if message.metadata else {}
    payload = {
        "sender": http.person(message.sender),
        "to": http.people(message.to),
        "cc": http.people(message.cc),
        "bcc": http.people(message.bcc),
        # One is all that Brevo takes.
        "replyTo": http.person(message.reply_to[0]) if message.reply_to else None,
        "subject": message.subject,
        "textContent": message.text,
        "htmlContent": message.html,
        # Brevo finds the media type by the name, and knows no images in the HTML: they hang on like other files.
        "attachment": [{"name": file.name, "content": file.base64} for file in message.attachments],
        "headers": {**message.headers, **metadata, "idempotencyKey": idempotency_key},
        "tags": list(message.tags),
    }
    return http.filled(payload)


def _failure(reply: httpx2.Response) -> Exception:
    said = http.said("Brevo", reply)
    if '"not_enough_credits"' in reply.text:
        return QuotaExhausted(said)
    if '"account_under_validation"' in reply.text:
        return ProviderMisconfigured(said)
    if (seconds := reply.headers.get("x-sib-ratelimit-reset", "")).isdigit() and reply.status_code == 429:
        return TemporaryFailure(said, float(seconds))
    return http.failure("Brevo", reply)
