"""Mail by Postmark: https://postmarkapp.com/developer/api/email-api"""

import re
from typing import Any

import httpx2

from groundwork.mail import http_client as http
from groundwork.mail.failures import ProviderMisconfigured, QuotaExhausted, TemporaryFailure
from groundwork.mail.message import Attachment, Message
from groundwork.settings import get_settings

__all__ = ["check", "send"]

# Of https://postmarkapp.com/developer/api/overview#error-codes: the token, the sender or the account.
MISCONFIGURED = {10, 400, 401, 412, 413}
# A token that everybody has, and that opens nothing else.
TEST = "POSTMARK_API_TEST"
MAINTENANCE = 100
NO_CREDITS = 405


def send(message: Message, idempotency_key: str) -> str:
    """Postmark's id. It knows no keys: if its answer is lost, the next attempt sends the message again."""
    reply = http.post("Postmark", f"{get_settings().postmark_url}/email", json=_payload(message), headers=_headers())
    code = _error_code(reply)
    if code or not reply.is_success:
        raise _failure(reply, code)
    return http.message_id("Postmark", reply, idempotency_key, lambda answer: answer["MessageID"])


def check() -> str:
    """What `app doctor` says."""
    http.require("postmark_server_token")
    if get_settings().postmark_server_token == TEST:
        return "Postmark, which sends nothing with this token"
    return http.check("Postmark", f"{get_settings().postmark_url}/server", headers=_headers())


def _headers() -> dict[str, str]:
    return {"Accept": "application/json", "X-Postmark-Server-Token": get_settings().postmark_server_token}


def _payload(message: Message) -> dict[str, Any]:
    payload = {
        "From": str(message.sender),
        "To": ", ".join(map(str, message.to)),
        "Cc": ", ".join(map(str, message.cc)),
        "Bcc": ", ".join(map(str, message.bcc)),
        "ReplyTo": ", ".join(map(str, message.reply_to)),
        "Subject": message.subject,
        "TextBody": message.text,
        "HtmlBody": message.html,
        "Attachments": [_attachment(file) for file in message.attachments],
        "Headers": [{"Name": name, "Value": value} for name, value in message.headers.items()],
        # One is all that Postmark takes.
        "Tag": next(iter(message.tags), ""),
        "Metadata": dict(message.metadata),
    }
    return http.filled(payload)


def _attachment(file: Attachment) -> dict[str, str]:
    content_id = {"ContentID": f"cid:{file.content_id}"} if file.content_id else {}
    return {"Name": file.name, "Content": file.base64, "ContentType": file.type, **content_id}


def _error_code(reply: httpx2.Response) -> int:
    """0 where there is none: what stands before Postmark's API knows no codes."""
    return next(map(int, re.findall(r'"ErrorCode":\s*(\d+)', reply.text)), 0)


def _failure(reply: httpx2.Response, code: int) -> Exception:
    if code in MISCONFIGURED:
        return ProviderMisconfigured(http.said("Postmark", reply))
    if code == NO_CREDITS:
        return QuotaExhausted(http.said("Postmark", reply))
    if code == MAINTENANCE:
        return TemporaryFailure(http.said("Postmark", reply))
    return http.failure("Postmark", reply)
