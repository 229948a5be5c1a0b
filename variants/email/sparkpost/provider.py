"""Mail by SparkPost: https://developers.sparkpost.com/api/transmissions/"""

import re
from collections.abc import Iterable
from typing import Any

import httpx2

from groundwork.mail import http_client as http
from groundwork.mail.failures import PermanentFailure, ProviderMisconfigured, QuotaExhausted, TemporaryFailure
from groundwork.mail.message import Address, Attachment, Message
from groundwork.settings import get_settings

__all__ = ["check", "send"]

OVER_LIMIT = 420
# Our domain is blocked, or is not verified.
OURS = {"7000", "7001"}
LATER = {"1502"}
BRACES = "{" * 2
LITERAL_BRACES = BRACES + "opening_double_curly()" + "}" * 2


def send(message: Message, idempotency_key: str) -> str:
    """SparkPost's id. It knows no keys: if its answer is lost, the next attempt may deliver twice."""
    settings = get_settings()
    url = f"{settings.sparkpost_url}/api/v1/transmissions"
    reply = http.post("SparkPost", url, json=_payload(message), headers=_key())
    if not reply.is_success:
        raise _failure(reply)
    if http.name_of(reply, "results", "total_accepted_recipients") == "0":
        raise PermanentFailure(http.said("SparkPost", reply))
    return http.message_id("SparkPost", reply, idempotency_key, lambda answer: answer["results"]["id"])


def check() -> str:
    """What `app doctor` says."""
    http.require("sparkpost_api_key")
    return http.check("SparkPost", f"{get_settings().sparkpost_url}/api/v1/account", headers=_key())


def _key() -> dict[str, str]:
    return {"Authorization": get_settings().sparkpost_api_key}


def _payload(message: Message) -> dict[str, Any]:
    # Who is in Cc or Bcc is one more recipient, to whom the message says the same.
    to = ", ".join(map(str, message.to))
    headers = {"CC": _literal(message.cc), **{name: _literal([value]) for name, value in message.headers.items()}}
    content = {
        "from": http.filled({"email": message.sender.email, "name": _literal([message.sender.name])}),
        "subject": _literal([message.subject]),
        "reply_to": _literal(message.reply_to),
        "text": message.text,
        "html": message.html,
        "headers": http.filled(headers),
        "attachments": [_file(file, file.name) for file in message.attachments if not file.content_id],
        "inline_images": [_file(file, file.content_id) for file in message.attachments if file.content_id],
    }
    payload = {
        # Else SparkPost puts its own List-Unsubscribe in place of ours, and takes our text for a template.
        "options": {"transactional": True, "perform_substitutions": False},
        "recipients": [{"address": {"email": one.email, "header_to": to}} for one in message.recipients],
        # It takes one tag.
        "campaign_id": message.tags[0] if message.tags else "",
        "metadata": dict(message.metadata),
        "content": http.filled(content),
    }
    return http.filled(payload)


def _literal(parts: Iterable[str | Address]) -> str:
    """A header is always taken for a template."""
    return ", ".join(map(str, parts)).replace(BRACES, LITERAL_BRACES)


def _file(file: Attachment, name: str) -> dict[str, str]:
    return {"name": name, "type": file.type, "data": file.base64}


def _failure(reply: httpx2.Response) -> Exception:
    codes = set(re.findall(r'"code":\s*"?(\d+)', reply.text))
    if codes & OURS:
        return ProviderMisconfigured(http.said("SparkPost", reply))
    if codes & LATER:
        return TemporaryFailure(http.said("SparkPost", reply))
    if reply.status_code == OVER_LIMIT:
        return QuotaExhausted(http.said("SparkPost", reply))
    return http.failure("SparkPost", reply)
