"""What Mailjet reports, with the password of the address it was told: https://dev.mailjet.com/email/guides/webhooks/"""

from datetime import UTC, datetime
from typing import Any

from groundwork.mail.callback import Callback, agreed, documented, each
from groundwork.mail.events import Kind, MailEvent, Received

__all__ = ["receive"]

KINDS = {
    "sent": Kind.DELIVERED,
    "bounce": Kind.BOUNCED,
    "blocked": Kind.REJECTED,
    "spam": Kind.COMPLAINED,
    "unsub": Kind.UNSUBSCRIBED,
}


@documented
def receive(callback: Callback) -> Received:
    """Raises CallbackRefused."""
    callback.require_password(agreed("mailjet_webhook_password"))
    said = callback.json()
    # One by one, unless "group events" is chosen.
    return Received(each(said if isinstance(said, list) else [said], _event))


def _event(report: dict[str, Any]) -> MailEvent | None:
    if (kind := KINDS.get(report["event"])) is None:
        return None
    if kind is Kind.BOUNCED and not report["hard_bounce"]:
        kind = Kind.DEFERRED
    return MailEvent(
        # Each recipient's MessageID is another one.
        id=f"{report['MessageID']} {report['event']} {report['time']}",
        kind=kind,
        email=report["email"],
        message_id=report.get("CustomID") or "",
        at=datetime.fromtimestamp(report["time"], UTC),
        reason=report.get("comment") or report.get("error") or report.get("source") or "",
    )
