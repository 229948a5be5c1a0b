"""Mail by Resend: https://resend.com/docs/api-reference/emails/send-email"""

import httpx2

from app.mail.failures import PermanentFailure, ProviderMisconfigured, TemporaryFailure
from app.mail.message import Message
from app.settings import get_settings

__all__ = ["check", "send"]

URL = "https://api.resend.com/emails"
TIMEOUT = httpx2.Timeout(30, connect=5)
# Status codes that promise nothing about the next attempt; 5xx and lost connections are alike.
TEMPORARY = {408, 421, 425, 429}
HOUR = 3600.0


def send(message: Message, idempotency_key: str) -> str:
    """Resend's id. A key that was used within 24 hours gives the first message's id, not a second one."""
    settings = get_settings()
    try:
        reply = httpx2.post(
            URL,
            json={
                "from": settings.mail_from,
                "to": [message.to],
                "subject": message.subject,
                "text": message.text,
                "html": message.html,
            },
            headers={"Authorization": f"Bearer {settings.resend_api_key}", "Idempotency-Key": idempotency_key},
            timeout=TIMEOUT,
        )
    except httpx2.TransportError as error:
        raise TemporaryFailure(f"Resend does not answer: {error!r}") from error
    if not reply.is_success:
        raise _failure(reply)
    try:
        return str(reply.json()["id"])
    except (ValueError, KeyError, TypeError) as error:
        raise TemporaryFailure(f"Resend answered {reply.status_code} without an id.") from error


def check() -> str:
    """What `app doctor` says."""
    if not get_settings().resend_api_key:
        raise ProviderMisconfigured("RESEND_API_KEY is not set.")
    return "Resend"


def _failure(reply: httpx2.Response) -> Exception:
    try:
        said = reply.json()
        name, reason = str(said["name"]), str(said["message"])
    except (ValueError, KeyError, TypeError):
        name, reason = "", reply.text[:200]
    sentence = f"Resend said: {reply.status_code} {name} {reason}"
    if reply.status_code in {401, 403}:
        return ProviderMisconfigured(sentence)
    if name.endswith("_quota_exceeded"):
        return TemporaryFailure(sentence, HOUR)
    if reply.status_code in TEMPORARY or reply.status_code >= 500 or name == "concurrent_idempotent_requests":
        return TemporaryFailure(sentence, _seconds(reply.headers.get("Retry-After", "")))
    return PermanentFailure(sentence)


def _seconds(retry_after: str) -> float | None:
    return float(retry_after) if retry_after.isdigit() else None
