"""Mail by Scaleway: https://www.scaleway.com/en/developers/api/transactional-email/"""

from email.utils import formataddr
from typing import Any

import httpx2

from groundwork.mail import http_client as http
from groundwork.mail.failures import ProviderMisconfigured, QuotaExhausted, TemporaryFailure
from groundwork.mail.message import Message
from groundwork.settings import get_settings

__all__ = ["check", "send"]

# Of the project, or of the domain that MAIL_FROM is in.
OURS_TO_MEND = {"not_found", "precondition_failed", "resource_expired", "resource_locked"}


def send(message: Message, idempotency_key: str) -> str:
    """Scaleway's id of the first copy: each recipient's has its own. It knows no idempotency keys."""
    settings = get_settings()
    reply = http.post("Scaleway", f"{settings.scaleway_url}/emails", json=_payload(message), headers=_key())
    if not reply.is_success:
        raise _failure(reply)
    return http.message_id("Scaleway", reply, idempotency_key, lambda answer: answer["emails"][0]["id"])


def check() -> str:
    """What `app doctor` says."""
    http.require("scaleway_secret_key", "scaleway_project_id")
    project = {"project_id": get_settings().scaleway_project_id}
    return http.check("Scaleway", f"{get_settings().scaleway_url}/domains", params=project, headers=_key())


def _key() -> dict[str, str]:
    return {"X-Auth-Token": get_settings().scaleway_secret_key}


def _payload(message: Message) -> dict[str, Any]:
    headers = dict(message.headers)
    if message.reply_to:
        headers["Reply-To"] = ", ".join(formataddr((address.name, address.email)) for address in message.reply_to)
    payload = {
        "project_id": get_settings().scaleway_project_id,
        "from": http.person(message.sender),
        "to": http.people(message.to),
        "cc": http.people(message.cc),
        "bcc": http.people(message.bcc),
        "subject": message.subject,
        "text": message.text,
        "html": message.html,
        # Also the images that the HTML shows: there is no way to say which is which.
        "attachments": [{"name": file.name, "type": file.type, "content": file.base64} for file in message.attachments],
        "additional_headers": [{"key": name, "value": value} for name, value in headers.items()],
    }
    return http.filled(payload)


def _failure(reply: httpx2.Response) -> Exception:
    kind = http.name_of(reply, "type")
    if kind == "quotas_exceeded":
        return QuotaExhausted(http.said("Scaleway", reply))
    if kind == "transient_state":
        return TemporaryFailure(http.said("Scaleway", reply))
    if kind in OURS_TO_MEND:
        return ProviderMisconfigured(http.said("Scaleway", reply))
    return http.failure("Scaleway", reply)
