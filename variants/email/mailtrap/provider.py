"""Mail by Mailtrap: https://docs.mailtrap.io/developers/email-sending/email-sending-transactional"""

from typing import Any

import httpx2

from groundwork.mail import http_client as http
from groundwork.mail.failures import ProviderMisconfigured
from groundwork.mail.message import Attachment, Message
from groundwork.settings import get_settings

__all__ = ["check", "send"]


def send(message: Message, idempotency_key: str) -> str:
    """Mailtrap's id of the first recipient's copy. It knows no keys: if its answer is lost, it may deliver twice."""
    reply = _post(_payload(message))
    if not reply.is_success:
        raise http.failure("Mailtrap", reply)
    return http.message_id("Mailtrap", reply, idempotency_key, lambda answer: answer["message_ids"][0])


def check() -> str:
    """What `app doctor` says."""
    http.require("mailtrap_api_key")
    # A message without anything, which is refused for that alone: other questions have another host, or need another key.
    reply = _post({})
    if isinstance(refusal := http.failure("Mailtrap", reply), ProviderMisconfigured):
        raise refusal
    http.require_provider("Mailtrap", reply)
    return "Mailtrap"


def _post(payload: dict[str, Any]) -> httpx2.Response:
    settings = get_settings()
    headers = {"Authorization": f"Bearer {settings.mailtrap_api_key}"}
    return http.post("Mailtrap", f"{settings.mailtrap_url}/api/send", json=payload, headers=headers)


def _payload(message: Message) -> dict[str, Any]:
    payload = {
        "from": http.person(message.sender),
        "to": http.people(message.to),
        "cc": http.people(message.cc),
        "bcc": http.people(message.bcc),
        # Mailtrap takes one, and one category.
        "reply_to": http.person(message.reply_to[0]) if message.reply_to else None,
        "category": message.tags[0] if message.tags else None,
        "subject": message.subject,
        "text": message.text,
        "html": message.html,
        "attachments": [_attachment(file) for file in message.attachments],
        "headers": dict(message.headers),
        "custom_variables": dict(message.metadata),
    }
    return http.filled(payload)


def _attachment(file: Attachment) -> dict[str, str]:
    inline = {"disposition": "inline", "content_id": file.content_id} if file.content_id else {}
    return {"filename": file.name, "content": file.base64, "type": file.type, **inline}
