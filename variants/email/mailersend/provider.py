"""Mail by MailerSend: https://developers.mailersend.com/api/v1/email.html"""

import re
from dataclasses import replace
from typing import Any

import httpx2

from groundwork.mail import http_client as http
from groundwork.mail.failures import PermanentFailure, ProviderMisconfigured, QuotaExhausted
from groundwork.mail.message import Address, Attachment, Message
from groundwork.mail.policy import AUTOMATIC
from groundwork.settings import get_settings

__all__ = ["check", "send"]

# Our domain is not verified; our account is on trial and has written to as many people as it may.
OURS = ("#MS42207", "#MS42225")
QUOTA = "#MS42204"
UNSUBSCRIBE = "list-unsubscribe"


def send(message: Message, idempotency_key: str) -> str:
    """MailerSend's id. It knows no keys: if its answer is lost, the next attempt may deliver twice."""
    settings = get_settings()
    reply = http.post("MailerSend", f"{settings.mailersend_url}/v1/email", json=_payload(message), headers=_key())
    if not reply.is_success:
        raise _failure(reply)
    http.taken("MailerSend", reply)
    if not (message_id := reply.headers.get("X-Message-Id")):
        # Nobody is left to send it to.
        raise PermanentFailure(f"{http.said('MailerSend', reply)} It has no id.")
    return message_id


def check() -> str:
    """What `app doctor` says."""
    http.require("mailersend_api_key")
    return http.check("MailerSend", f"{get_settings().mailersend_url}/v1/api-quota", headers=_key())


def _key() -> dict[str, str]:
    return {"Authorization": f"Bearer {get_settings().mailersend_api_key}"}


def _payload(message: Message) -> dict[str, Any]:
    # The smaller plans have no headers, and their mail has to leave all the same.
    own = {name: value for name, value in message.headers.items() if (name, value) not in AUTOMATIC.items()}
    headers = {name: value for name, value in own.items() if not name.lower().startswith(UNSUBSCRIBE)}
    unsubscribe = [value for name, value in message.headers.items() if name.lower() == UNSUBSCRIBE]
    payload = {
        "from": http.person(message.sender),
        "to": _recipients(message.to),
        "cc": _recipients(message.cc),
        "bcc": _recipients(message.bcc),
        # MailerSend takes one.
        "reply_to": http.person(message.reply_to[0]) if message.reply_to else None,
        "subject": message.subject,
        "text": message.text,
        "html": message.html,
        "attachments": [_attachment(file) for file in message.attachments],
        "tags": list(message.tags),
        "headers": [{"name": name, "value": value} for name, value in headers.items()],
        # One address without its brackets; MailerSend adds what makes it one click.
        "list_unsubscribe": unsubscribe[0].rpartition("<")[2].rstrip(">") if unsubscribe else None,
    }
    return http.filled(payload)


def _recipients(addresses: tuple[Address, ...]) -> list[dict[str, str]]:
    """Their names may have no comma and no semicolon."""
    return http.people(replace(one, name=re.sub("[,;]", "", one.name)) for one in addresses)


def _attachment(file: Attachment) -> dict[str, str]:
    """Its type is what its name says."""
    place = {"disposition": "inline", "id": file.content_id} if file.content_id else {"disposition": "attachment"}
    return {"filename": file.name, "content": file.base64, **place}


def _failure(reply: httpx2.Response) -> Exception:
    if any(code in reply.text for code in OURS):
        return ProviderMisconfigured(http.said("MailerSend", reply))
    if QUOTA in reply.text:
        return QuotaExhausted(http.said("MailerSend", reply))
    return http.failure("MailerSend", reply)
