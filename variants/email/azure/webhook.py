"""What Azure reports by Event Grid: https://learn.microsoft.com/azure/event-grid/communication-services-email-events"""

from datetime import datetime
from typing import Any

from groundwork.mail.callback import Callback, agreed, documented, each
from groundwork.mail.events import Kind, MailEvent, Received

__all__ = ["receive"]

VALIDATION = "Microsoft.EventGrid.SubscriptionValidationEvent"
REPORT = "Microsoft.Communication.EmailDeliveryReportReceived"
KINDS = {
    "Delivered": Kind.DELIVERED,
    "Bounced": Kind.BOUNCED,
    # It bounced before.
    "Suppressed": Kind.REJECTED,
    "Quarantined": Kind.REJECTED,
    "FilteredSpam": Kind.REJECTED,
    "Failed": Kind.REJECTED,
}


@documented
def receive(callback: Callback) -> Received:
    """Raises CallbackRefused. Answers the question whether the address is ours."""
    # Event Grid signs nothing: the secret is part of the address that it was told.
    callback.require_secret(agreed("azure_webhook_secret"))
    said = callback.json()
    for one in said:
        if one["eventType"] == VALIDATION:
            return Received(reply={"validationResponse": one["data"]["validationCode"]})
    return Received(each(said, _event))


def _event(said: dict[str, Any]) -> MailEvent | None:
    data = said["data"]
    if said["eventType"] != REPORT or (kind := KINDS.get(data["status"])) is None:
        return None
    details = data.get("deliveryStatusDetails") or {}
    at = datetime.fromisoformat(said["eventTime"])
    return MailEvent(said["id"], kind, data["recipient"], data["messageId"], at, details.get("statusMessage") or "")
