"""Mail by Mandrill: https://mailchimp.com/developer/transactional/api/messages/send-new-message/"""

from email.utils import formataddr
from typing import Any

import httpx2

from groundwork.mail import http_client as http
from groundwork.mail.failures import PermanentFailure, ProviderMisconfigured
from groundwork.mail.message import Attachment, Message
from groundwork.settings import get_settings

__all__ = ["check", "send"]

TAKEN = {"sent", "queued", "scheduled"}
# Mandrill's names of errors, and its reasons to reject a message.
OURS_TO_MEND = {"Invalid_Key", "PaymentRequired", "Unknown_Subaccount"}
OURS_TO_VERIFY = {"invalid-sender", "test-mode-limit", "unsigned"}


def send(message: Message, idempotency_key: str) -> str:
    """Mandrill's id of the first copy: each recipient's has its own. It knows no idempotency keys."""
    settings = get_settings()
    payload = {"key": settings.mandrill_api_key, "message": _message(message)}
    reply = http.post("Mandrill", f"{settings.mandrill_url}/messages/send.json", json=payload)
    if not reply.is_success:
        raise _failure(reply)
    # Whoever is rejected gets nothing, and the others would get it twice if it were sent again.
    return http.message_id("Mandrill", reply, idempotency_key, lambda copies: _first(reply, copies)["_id"])


def check() -> str:
    """What `app doctor` says."""
    http.require("mandrill_api_key")
    settings = get_settings()
    reply = http.post("Mandrill", f"{settings.mandrill_url}/users/ping2.json", json={"key": settings.mandrill_api_key})
    if http.name_of(reply, "name") == "Invalid_Key":
        raise _failure(reply)
    http.require_provider("Mandrill", reply)
    return "Mandrill"


def _message(message: Message) -> dict[str, Any]:
    replies = ", ".join(formataddr((address.name, address.email)) for address in message.reply_to)
    images = [file for file in message.attachments if file.content_id and file.type.startswith("image/")]
    payload = {
        "from_email": message.sender.email,
        "from_name": message.sender.name,
        "to": [
            http.person(address) | {"type": kind}
            for kind, addresses in {"to": message.to, "cc": message.cc, "bcc": message.bcc}.items()
            for address in addresses
        ],
        "subject": message.subject,
        "text": message.text,
        "html": message.html,
        "headers": dict(message.headers) | ({"Reply-To": replies} if replies else {}),
        "attachments": [_file(file, file.name) for file in message.attachments if file not in images],
        # An image's name is what the HTML calls it.
        "images": [_file(file, file.content_id) for file in images],
        "tags": list(message.tags),
        "metadata": dict(message.metadata),
    }
    # Else the account decides whether recipients see each other, and what *|WORDS|* mean.
    always = {"preserve_recipients": True, "merge": False}
    return http.filled(payload) | always


def _file(file: Attachment, name: str) -> dict[str, str]:
    return {"type": file.type, "name": name, "content": file.base64}


def _first(reply: httpx2.Response, copies: list[dict[str, Any]]) -> dict[str, Any]:
    for copy in copies:
        if copy["status"] in TAKEN:
            return copy
    ours = any(copy.get("reject_reason") in OURS_TO_VERIFY for copy in copies)
    kind = ProviderMisconfigured if ours else PermanentFailure
    raise kind(http.said("Mandrill", reply))


def _failure(reply: httpx2.Response) -> Exception:
    # The status is 500 for nearly everything.
    name = http.name_of(reply, "name")
    if name in OURS_TO_MEND:
        return ProviderMisconfigured(http.said("Mandrill", reply))
    if name == "ValidationError":
        return PermanentFailure(http.said("Mandrill", reply))
    return http.failure("Mandrill", reply)
