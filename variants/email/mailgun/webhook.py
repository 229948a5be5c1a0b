"""What Mailgun reports: https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks"""

import hmac
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from groundwork.mail.callback import Callback, CallbackRefused, agreed, documented
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
    token = _check(callback, said["signature"])
    return Received(tuple(_events(token, said["event-data"])))


def _check(callback: Callback, signature: dict[str, str]) -> str:
    """Its token. It covers its own time and token, and nothing of the event: so it must not be old, and serves once."""
    key = agreed("mailgun_webhook_signing_key")
    timestamp, token = str(signature["timestamp"]), str(signature["token"])
    expected = hmac.new(key.encode(), f"{timestamp}{token}".encode(), "sha256").hexdigest()
    callback.require_signature(expected.encode(), signature["signature"])
    # Nothing stands between the two: 1893553445 with e0b5... would be 1893553445e0, the same time, with another token.
    if not re.fullmatch("[0-9]+", timestamp):
        raise CallbackRefused(f"{timestamp!r} is no time of Mailgun's.")
    callback.require_fresh(timestamp, RETRIES)
    callback.used_up.append(token)
    return token


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
