"""What SparkPost reports, with the password that it was told: https://developers.sparkpost.com/api/webhooks/"""

from datetime import UTC, datetime
from typing import Any

from groundwork.mail.callback import Callback, agreed, documented, each
from groundwork.mail.events import Kind, MailEvent, Received

__all__ = ["receive"]

KINDS = {
    "delivery": Kind.DELIVERED,
    "delay": Kind.DEFERRED,
    "bounce": Kind.BOUNCED,
    "out_of_band": Kind.BOUNCED,
    "spam_complaint": Kind.COMPLAINED,
    "list_unsubscribe": Kind.UNSUBSCRIBED,
    "link_unsubscribe": Kind.UNSUBSCRIBED,
    "policy_rejection": Kind.REJECTED,
    "generation_rejection": Kind.REJECTED,
    "generation_failure": Kind.REJECTED,
}
# Classes of bounces that SparkPost calls hard, and its own policy; the others pass by.
HARD = {"10", "30", "90"}
ADMIN = {"25", "80"}


@documented
def receive(callback: Callback) -> Received:
    """Raises CallbackRefused."""
    callback.require_password(agreed("sparkpost_webhook_password"))
    said = callback.json()
    # Whose "msys" is empty is a test of the address.
    reports = [report for one in said for report in one["msys"].values()]
    return Received(each(reports, _event))


def _event(report: dict[str, Any]) -> MailEvent | None:
    if (kind := KINDS.get(report["type"])) is None:
        return None
    bounce = str(report.get("bounce_class", ""))
    if kind is Kind.BOUNCED and bounce not in HARD:
        kind = Kind.REJECTED if bounce in ADMIN else Kind.DEFERRED
    return MailEvent(
        id=report["event_id"],
        kind=kind,
        email=report.get("raw_rcpt_to") or report["rcpt_to"],
        # None for mail that somebody sent by SMTP.
        message_id=report.get("transmission_id") or "",
        at=_time(str(report["timestamp"])),
        reason=report.get("raw_reason") or report.get("reason") or "",
    )


def _time(text: str) -> datetime:
    """Of seconds since 1970, or, if the message could not be made, of ISO 8601."""
    return datetime.fromtimestamp(int(text), UTC) if text.isdigit() else datetime.fromisoformat(text)
