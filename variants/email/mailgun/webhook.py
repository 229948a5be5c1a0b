"""What Mailgun reports: https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks"""

import hmac
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from groundwork.mail.callback import Callback, agreed, documented
from groundwork.mail.events import Kind, MailEvent, Received

__all__ = ["receive"]

KINDS = {
    "delivered": Kind.DELIVERED,
    "failed": Kind.BOUNCED,
    "complained": Kind.COMPLAINED,
    "unsubscribed": Kind.UNSUBSCRIBED,
}
# Seconds in which it tries again, with the signature of its first try.
RETRIES = 9 * 3600
MAILBOX_FULL = 552


@documented
def receive(callback: Callback) -> Received:
    """Raises CallbackRefused."""
    said = callback.json()
    _check(callback, said["signature"])
    return Received(tuple(_events(said["signature"]["token"], said["event-data"])))


def _check(callback: Callback, signature: dict[str, str]) -> None:
    """It covers its own time and token, and nothing of the event: so it must not be old, and serves for one event."""
    key = agreed("mailgun_webhook_signing_key")
    timestamp = str(signature["timestamp"])
    expected = hmac.new(key.encode(), f"{timestamp}{signature['token']}".encode(), "sha256").hexdigest()
    callback.require_signature(expected.encode(), signature["signature"])
    callback.require_fresh(timestamp, RETRIES)


def _events(token: str, said: dict[str, Any]) -> Iterator[MailEvent]:
    if (kind := KINDS.get(said["event"])) is None:
        return
    status = said.get("delivery-status", {})
    if kind is Kind.BOUNCED and said["severity"] == "temporary":
        kind = Kind.DEFERRED
    elif kind is Kind.BOUNCED and (said.get("reason") != "bounce" or status.get("code") == MAILBOX_FULL):
        # Given up, which says nothing of the address: too old by now, blocked, or known from before ("suppress-...").
        kind = Kind.REJECTED
    yield MailEvent(
        token,
        kind,
        said["recipient"],
        said["message"]["headers"]["message-id"],
        datetime.fromtimestamp(said["timestamp"], UTC),
        status.get("message") or status.get("description") or said.get("reason") or "",
    )
