"""Mail by Resend: https://resend.com/docs/api-reference/emails/send-email"""

from typing import Any

import httpx2

from groundwork.mail import http_client as http
from groundwork.mail.failures import PermanentFailure, ProviderMisconfigured, QuotaExhausted, TemporaryFailure
from groundwork.mail.message import Attachment, Message
from groundwork.settings import get_settings

__all__ = ["check", "send"]


def send(message: Message, idempotency_key: str) -> str:
    """Resend's id. A key that was used within 24 hours gives the first message's id, not a second one."""
    settings = get_settings()
    headers = _key() | {"Idempotency-Key": idempotency_key}
    reply = http.post("Resend", f"{settings.resend_url}/emails", json=_payload(message), headers=headers)
    if not reply.is_success:
        raise _failure(reply)
    return http.message_id("Resend", reply, idempotency_key, lambda answer: answer["id"])


def check() -> str:
    """What `app doctor` says. A key that may only send is told so with the status of a wrong one."""
    http.require("resend_api_key")
    reply = http.ask("GET", "Resend", f"{get_settings().resend_url}/domains", headers=_key())
    if reply.status_code in {400, 401, 403} and http.name_of(reply, "name") != "restricted_api_key":
        raise ProviderMisconfigured(f"{http.said('Resend', reply)} The key is refused.")
    http.require_provider("Resend", reply)
    return "Resend"


def _key() -> dict[str, str]:
    return {"Authorization": f"Bearer {get_settings().resend_api_key}"}


def _payload(message: Message) -> dict[str, Any]:
    payload = {
        "from": str(message.sender),
        "to": [str(address) for address in message.to],
        "cc": [str(address) for address in message.cc],
        "bcc": [str(address) for address in message.bcc],
        "reply_to": [str(address) for address in message.reply_to],
        "subject": message.subject,
        "text": message.text,
        "html": message.html,
        "attachments": [_attachment(file) for file in message.attachments],
        "headers": dict(message.headers),
        # Resend's tags are pairs, and so is our metadata; a tag is a pair with a value that says nothing.
        "tags": [
            {"name": name, "value": value}
            for name, value in {**dict.fromkeys(message.tags, "tag"), **message.metadata}.items()
        ],
    }
    return http.filled(payload)


def _attachment(file: Attachment) -> dict[str, str]:
    content_id = {"content_id": file.content_id} if file.content_id else {}
    return {"filename": file.name, "content": file.base64, "content_type": file.type, **content_id}


def _failure(reply: httpx2.Response) -> Exception:
    if '_quota_exceeded"' in reply.text:
        return QuotaExhausted(http.said("Resend", reply))
    if reply.status_code == httpx2.codes.CONFLICT:
        # Two attempts at once, or another message under the same key.
        kind = TemporaryFailure if "concurrent_idempotent_requests" in reply.text else PermanentFailure
        return kind(http.said("Resend", reply))
    return http.failure("Resend", reply)
