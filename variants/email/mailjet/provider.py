"""Mail by Mailjet: https://dev.mailjet.com/email/guides/send-api-v31/"""

import json
from typing import Any

from groundwork.mail import http_client as http
from groundwork.mail.message import Address, Attachment, Message
from groundwork.settings import get_settings

__all__ = ["check", "send"]


def send(message: Message, idempotency_key: str) -> str:
    """The key, as Mailjet's CustomID: its own ids are one per recipient. If its answer is lost, it may deliver twice."""
    payload = {"Messages": [_payload(message, idempotency_key)]}
    reply = http.post("Mailjet", f"{get_settings().mailjet_url}/v3.1/send", json=payload, auth=_keys())
    if not reply.is_success:
        raise http.failure("Mailjet", reply)
    http.taken("Mailjet", reply)
    return idempotency_key


def check() -> str:
    """What `app doctor` says."""
    http.require("mailjet_api_key", "mailjet_secret_key")
    return http.check("Mailjet", f"{get_settings().mailjet_url}/v3/REST/apikey", auth=_keys())


def _keys() -> tuple[str, str]:
    return get_settings().mailjet_api_key, get_settings().mailjet_secret_key


def _payload(message: Message, idempotency_key: str) -> dict[str, Any]:
    payload = {
        "From": _address(message.sender),
        "To": [_address(address) for address in message.to],
        "Cc": [_address(address) for address in message.cc],
        "Bcc": [_address(address) for address in message.bcc],
        # Mailjet takes one, and one campaign.
        "ReplyTo": _address(message.reply_to[0]) if message.reply_to else None,
        "CustomCampaign": message.tags[0] if message.tags else None,
        "Subject": message.subject,
        "TextPart": message.text,
        "HTMLPart": message.html,
        "Attachments": [_attachment(file) for file in message.attachments if not file.content_id],
        "InlinedAttachments": [
            _attachment(file) | {"ContentID": file.content_id} for file in message.attachments if file.content_id
        ],
        # Except List-Unsubscribe: Mailjet puts its own in its place, and reports who used it.
        "Headers": dict(message.headers),
        "CustomID": idempotency_key,
        "EventPayload": json.dumps(dict(message.metadata)) if message.metadata else None,
    }
    return http.filled(payload)


def _address(address: Address) -> dict[str, str]:
    return http.filled({"Email": address.email, "Name": address.name})


def _attachment(file: Attachment) -> dict[str, str]:
    return {"ContentType": file.type, "Filename": file.name, "Base64Content": file.base64}
