"""What Brevo reports, with a password of ours: https://developers.brevo.com/docs/transactional-webhooks"""

from datetime import UTC, datetime
from typing import Any

from groundwork.mail.callback import Callback, agreed, documented, each
from groundwork.mail.events import Kind, MailEvent, Received

__all__ = ["receive"]

KINDS = {
    "delivered": Kind.DELIVERED,
    "deferred": Kind.DEFERRED,
    "soft_bounce": Kind.DEFERRED,
    "hard_bounce": Kind.BOUNCED,
    "spam": Kind.COMPLAINED,
    "complaint": Kind.COMPLAINED,
    "unsubscribed": Kind.UNSUBSCRIBED,
    "blocked": Kind.REJECTED,
    "invalid_email": Kind.REJECTED,
    "error": Kind.REJECTED,
}


@documented
def receive(callback: Callback) -> Received:
    """Raises CallbackRefused."""
    callback.require_password(agreed("brevo_webhook_secret"))
    said = callback.json()
    # Several, if the webhook is a batched one.
    return Received(each(said if isinstance(said, list) else [said], _event))


def _event(said: dict[str, Any]) -> MailEvent | None:
    if (kind := KINDS.get(said["event"])) is None:
        return None
    email, message_id, timestamp = said["email"], said["message-id"].strip("<>"), said["ts_event"]
    # The id that it has is the webhook's.
    event_id = f"{said['event']} {message_id} {email} {timestamp}"
    return MailEvent(
        event_id, kind, email, message_id, datetime.fromtimestamp(timestamp, UTC), said.get("reason") or ""
    )
