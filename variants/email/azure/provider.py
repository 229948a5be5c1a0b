"""Mail by Azure Communication Services: https://learn.microsoft.com/rest/api/communication/email/email/send"""

import hmac
from base64 import b64decode, b64encode
from collections.abc import Iterable
from email.utils import formatdate
from hashlib import sha256
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import httpx2

from groundwork.mail import http_client as http
from groundwork.mail.failures import ProviderMisconfigured
from groundwork.mail.message import Address, Attachment, Message
from groundwork.settings import get_settings

__all__ = ["check", "send"]

# How Azure refuses an operation that it has begun before, it does not document; whether it has, it tells who asks.
REPEATED = {400, 409}
OURS_TO_MEND = {"DomainNotLinked", "InvalidSenderUserName", "SubscriptionBlocked"}


def send(message: Message, idempotency_key: str) -> str:
    """Azure's id of the operation, made of the key: the same operation is not begun twice."""
    operation = str(uuid5(NAMESPACE_OID, idempotency_key))
    headers = {"Operation-Id": operation}
    reply = http.post("Azure", _url("/emails:send"), json=_payload(message), headers=headers, auth=_sign)
    if reply.status_code in REPEATED and _began(operation):
        # An attempt before this one was taken; the answer got lost.
        return operation
    if not reply.is_success:
        raise _failure(reply)
    return http.message_id("Azure", reply, operation, lambda answer: answer["id"])


def check() -> str:
    """What `app doctor` says."""
    http.require("azure_endpoint", "azure_access_key")
    # Whose id is that of no operation.
    http.check("Azure", _url(f"/emails/operations/{NAMESPACE_OID}"), auth=_sign)
    return f"Azure at {get_settings().azure_endpoint}"


def _url(path: str) -> str:
    return f"{get_settings().azure_endpoint.rstrip('/')}{path}?api-version=2025-09-01"


def _began(operation: str) -> bool:
    return http.ask("GET", "Azure", _url(f"/emails/operations/{operation}"), auth=_sign).is_success


def _key() -> bytes:
    try:
        return b64decode(get_settings().azure_access_key, validate=True)
    except ValueError:
        raise ProviderMisconfigured("AZURE_ACCESS_KEY is not the key that Azure shows.") from None


def _sign(request: httpx2.Request) -> httpx2.Request:
    """https://learn.microsoft.com/azure/communication-services/tutorials/hmac-header-tutorial"""
    date, digest = formatdate(usegmt=True), b64encode(sha256(request.content).digest()).decode()
    path, host = request.url.raw_path.decode(), request.headers["Host"]
    text = f"{request.method}\n{path}\n{date};{host};{digest}"
    signature = b64encode(hmac.digest(_key(), text.encode(), "sha256")).decode()
    signed = "x-ms-date;host;x-ms-content-sha256"
    request.headers["x-ms-date"], request.headers["x-ms-content-sha256"] = date, digest
    request.headers["Authorization"] = f"HMAC-SHA256 SignedHeaders={signed}&Signature={signature}"
    return request


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
