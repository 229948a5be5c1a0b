"""Mail by Azure Communication Services: https://learn.microsoft.com/rest/api/communication/email/email/send"""

import hmac
import json
from base64 import b64decode, b64encode
from collections.abc import Iterable
from email.utils import formatdate
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit
from uuid import NAMESPACE_OID, uuid5

import httpx2

from app.mail import http
from app.mail.failures import ProviderMisconfigured
from app.mail.message import Address, Attachment, Message
from app.settings import get_settings

__all__ = ["check", "send"]

PATH = "/emails:send?api-version=2025-09-01"
OURS_TO_MEND = {"DomainNotLinked", "InvalidSenderUserName", "SubscriptionBlocked"}


def send(message: Message, idempotency_key: str) -> str:
    """Azure's id of the operation, made of the key: the same operation is not begun twice."""
    endpoint = get_settings().azure_endpoint.rstrip("/")
    body = json.dumps(_payload(message)).encode()
    operation = {"Operation-Id": str(uuid5(NAMESPACE_OID, idempotency_key)), "Content-Type": "application/json"}
    headers = operation | _signature(urlsplit(endpoint).netloc, body)
    reply = http.post("Azure", endpoint + PATH, content=body, headers=headers)
    if not reply.is_success:
        raise _failure(reply)
    return http.message_id("Azure", reply, idempotency_key, lambda answer: answer["id"])


def check() -> str:
    """What `app doctor` says."""
    http.require("azure_endpoint", "azure_access_key")
    _key()
    return f"Azure at {get_settings().azure_endpoint}"


def _key() -> bytes:
    try:
        key = b64decode(get_settings().azure_access_key, validate=True)
    except ValueError:
        key = b""
    if not key:
        raise ProviderMisconfigured("AZURE_ACCESS_KEY is not the key that Azure shows.")
    return key


def _signature(host: str, body: bytes) -> dict[str, str]:
    """https://learn.microsoft.com/azure/communication-services/tutorials/hmac-header-tutorial"""
    date, digest = formatdate(usegmt=True), b64encode(sha256(body).digest()).decode()
    signature = b64encode(hmac.digest(_key(), f"POST\n{PATH}\n{date};{host};{digest}".encode(), "sha256")).decode()
    names = "x-ms-date;host;x-ms-content-sha256"
    return {
        "x-ms-date": date,
        "x-ms-content-sha256": digest,
        "Authorization": f"HMAC-SHA256 SignedHeaders={names}&Signature={signature}",
    }


def _payload(message: Message) -> dict[str, Any]:
    recipients = {"to": _people(message.to), "cc": _people(message.cc), "bcc": _people(message.bcc)}
    payload = {
        # The name that readers see belongs to the address, and is set in Azure.
        "senderAddress": message.sender.email,
        "recipients": http.filled(recipients),
        "replyTo": _people(message.reply_to),
        "content": {"subject": message.subject, "plainText": message.text, "html": message.html},
        "attachments": [_attachment(file) for file in message.attachments],
        "headers": dict(message.headers),
    }
    return http.filled(payload)


def _people(addresses: Iterable[Address]) -> list[dict[str, str]]:
    return [http.filled({"address": one.email, "displayName": one.name}) for one in addresses]


def _attachment(file: Attachment) -> dict[str, str]:
    fields = {"name": file.name, "contentType": file.type, "contentInBase64": file.base64, "contentId": file.content_id}
    return http.filled(fields)


def _failure(reply: httpx2.Response) -> Exception:
    if http.name_of(reply, "error", "code") in OURS_TO_MEND:
        return ProviderMisconfigured(http.said("Azure", reply))
    return http.failure("Azure", reply)
