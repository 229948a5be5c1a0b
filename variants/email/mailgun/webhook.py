"""What Mailgun reports: https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks"""

import hmac
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from app.mail.callback import Callback, CallbackRefused, documented
from app.mail.events import Kind, MailEvent, Received
from app.settings import get_settings

__all__ = ["receive"]

KINDS = {
    "delivered": Kind.DELIVERED,
    "failed": Kind.BOUNCED,
    "complained": Kind.COMPLAINED,
    "unsubscribed": Kind.UNSUBSCRIBED,
}


@documented
def receive(callback: Callback) -> Received:
    """Raises CallbackRefused."""
    said = callback.json()
    _check(callback, said["signature"])
    return Received(tuple(_events(said["event-data"])))


def _check(callback: Callback, signature: dict[str, str]) -> None:
    """It covers its own time and token, and nothing of the event: so it must not be old."""
    if not (key := get_settings().mailgun_webhook_signing_key):
        raise CallbackRefused("MAILGUN_WEBHOOK_SIGNING_KEY is not set.")
    timestamp = str(signature["timestamp"])
    expected = hmac.new(key.encode(), f"{timestamp}{signature['token']}".encode(), "sha256").hexdigest()
    callback.require_signature(expected.encode(), signature["signature"])
    callback.require_fresh(timestamp)


def _events(said: dict[str, Any]) -> Iterator[MailEvent]:
    if (kind := KINDS.get(said["event"])) is None:
        return
    status = said.get("delivery-status", {})
    if kind is Kind.BOUNCED and said["severity"] == "temporary":
        kind = Kind.DEFERRED
    elif kind is Kind.BOUNCED and said.get("reason", "").startswith("suppress-"):
        # It bounced, complained or unsubscribed before, and Mailgun did not try again.
        kind = Kind.REJECTED
    yield MailEvent(
        # Mailgun's ids are unique for a day.
        f"{said['id']} {said['timestamp']}",
        kind,
        said["recipient"],
        said["message"]["headers"]["message-id"],
        datetime.fromtimestamp(said["timestamp"], UTC),
        status.get("message") or status.get("description") or said.get("reason") or "",
    )
