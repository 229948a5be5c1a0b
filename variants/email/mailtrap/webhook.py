"""What Mailtrap reports, signed with the webhook's secret: https://docs.mailtrap.io/email-api-smtp/advanced/webhooks"""

import hmac
from datetime import UTC, datetime
from typing import Any

from groundwork.mail.callback import Callback, agreed, documented, each
from groundwork.mail.events import Kind, MailEvent, Received

__all__ = ["receive"]

KINDS = {
    "delivery": Kind.DELIVERED,
    "soft bounce": Kind.DEFERRED,
    # Until our domain is verified or our quota is raised; then it is delivered, or rejected.
    "suspension": Kind.DEFERRED,
    "bounce": Kind.BOUNCED,
    "spam": Kind.COMPLAINED,
    "unsubscribe": Kind.UNSUBSCRIBED,
    "reject": Kind.REJECTED,
}


@documented
def receive(callback: Callback) -> Received:
    """Raises CallbackRefused."""
    secret = agreed("mailtrap_webhook_secret")
    expected = hmac.new(secret.encode(), callback.body, "sha256").hexdigest().encode()
    callback.require_signature(expected, callback.header("mailtrap-signature"))
    said = callback.json()
    return Received(each(said["events"], _event))


def _event(report: dict[str, Any]) -> MailEvent | None:
    if (kind := KINDS.get(report["event"])) is None:
        return None
    return MailEvent(
        id=report["event_id"],
        kind=kind,
        email=report["email"],
        message_id=report["message_id"],
        at=datetime.fromtimestamp(report["timestamp"], UTC),
        reason=report.get("response") or report.get("reason") or "",
    )
