"""What Postmark reports, with a password of ours: https://postmarkapp.com/developer/webhooks/webhooks-overview"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from groundwork.mail.callback import Callback, agreed, documented
from groundwork.mail.events import Kind, MailEvent, Received

__all__ = ["receive"]

# Who and when, in each kind of record that we know a use for.
FIELDS = {
    "Delivery": ("Recipient", "DeliveredAt"),
    "Bounce": ("Email", "BouncedAt"),
    "SpamComplaint": ("Email", "BouncedAt"),
    "SubscriptionChange": ("Recipient", "ChangedAt"),
}
# https://postmarkapp.com/developer/api/bounce-api#bounce-types
BOUNCES = {
    "HardBounce": Kind.BOUNCED,
    "BadEmailAddress": Kind.BOUNCED,
    "SoftBounce": Kind.DEFERRED,
    "Transient": Kind.DEFERRED,
    "DnsError": Kind.DEFERRED,
    "Blocked": Kind.REJECTED,
    "SpamNotification": Kind.REJECTED,
    "VirusNotification": Kind.REJECTED,
    "DMARCPolicy": Kind.REJECTED,
    "SpamComplaint": Kind.COMPLAINED,
    "Unsubscribe": Kind.UNSUBSCRIBED,
}


@documented
def receive(callback: Callback) -> Received:
    """Raises CallbackRefused."""
    callback.require_password(agreed("postmark_webhook_secret"))
    said = callback.json()
    return Received(tuple(_events(said)))


def _events(said: dict[str, Any]) -> Iterator[MailEvent]:
    record = said["RecordType"]
    if (kind := _kind(record, said)) is None:
        return
    who, when = FIELDS[record]
    email, at, message_id = said[who], said[when], said["MessageID"]
    reason = said.get("Details") or said.get("Description") or ""
    # Only bounces have an id of their own.
    event_id = f"{record} {message_id} {email} {at}"
    yield MailEvent(event_id, kind, email, message_id, datetime.fromisoformat(at), reason)


def _kind(record: str, said: dict[str, Any]) -> Kind | None:
    match record:
        case "Delivery":
            return Kind.DELIVERED
        case "Bounce" | "SpamComplaint":
            return BOUNCES.get(said["Type"])
        case "SubscriptionChange" if said["SuppressSending"] and said["Origin"] == "Recipient":
            # Bounces and complaints suppress as well, and are reported as what they are.
            return Kind.UNSUBSCRIBED if said["SuppressionReason"] == "ManualSuppression" else None
    return None
