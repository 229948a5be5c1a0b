"""What Resend reports, signed as Svix does: https://resend.com/docs/dashboard/webhooks/introduction"""

import hmac
from base64 import b64decode, b64encode
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from groundwork.mail.callback import Callback, NothingAgreed, agreed, documented
from groundwork.mail.events import Kind, MailEvent, Received

__all__ = ["receive"]

KINDS = {
    "email.delivered": Kind.DELIVERED,
    "email.delivery_delayed": Kind.DEFERRED,
    "email.bounced": Kind.BOUNCED,
    "email.complained": Kind.COMPLAINED,
    "email.failed": Kind.REJECTED,
    "email.suppressed": Kind.REJECTED,
}


@documented
def receive(callback: Callback) -> Received:
    """Raises CallbackRefused."""
    _check(callback)
    return Received(tuple(_events(callback.header("svix-id"), callback.json())))


def _events(event_id: str, said: Any) -> Iterator[MailEvent]:
    if (kind := KINDS.get(said["type"])) is None:
        return
    data = said["data"]
    details = data.get("bounce") or data.get("failed") or data.get("suppressed") or {}
    # Transient, or Undetermined: only the third kind is for good.
    if kind is Kind.BOUNCED and details.get("type") != "Permanent":
        kind = Kind.DEFERRED
    at = datetime.fromisoformat(said["created_at"])
    reason = details.get("message") or details.get("reason") or ""
    # The message's, of whom Resend does not say which one it means.
    recipients = [*data["to"], *(data.get("cc") or []), *(data.get("bcc") or [])]
    email = recipients[0] if len(recipients) == 1 else ""
    yield MailEvent(event_id, kind, email, data["email_id"], at, reason)


def _check(callback: Callback) -> None:
    try:
        secret = b64decode(agreed("resend_webhook_secret").removeprefix("whsec_"), validate=True)
    except ValueError:
        raise NothingAgreed("RESEND_WEBHOOK_SECRET is not the secret that Resend shows.") from None
    message_id, timestamp = callback.header("svix-id"), callback.header("svix-timestamp")
    signed = f"{message_id}.{timestamp}.".encode() + callback.body
    expected = b"v1," + b64encode(hmac.digest(secret, signed, "sha256"))
    # Several, with spaces, while a secret is being changed.
    callback.require_signature(expected, *callback.header("svix-signature").split())
    callback.require_fresh(timestamp)
