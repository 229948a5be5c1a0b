"""What MailerSend reports, signed with the webhook's secret: https://developers.mailersend.com/api/v1/webhooks.html"""

import hmac
from datetime import datetime

from app.mail.callback import Callback, CallbackRefused, documented
from app.mail.events import Kind, MailEvent, Received
from app.settings import get_settings

__all__ = ["receive"]

KINDS = {
    "activity.delivered": Kind.DELIVERED,
    "activity.soft_bounced": Kind.DEFERRED,
    "activity.hard_bounced": Kind.BOUNCED,
    "activity.spam_complaint": Kind.COMPLAINED,
    "activity.unsubscribed": Kind.UNSUBSCRIBED,
}


@documented
def receive(callback: Callback) -> Received:
    """Raises CallbackRefused."""
    if not (secret := get_settings().mailersend_webhook_secret):
        raise CallbackRefused("MAILERSEND_WEBHOOK_SECRET is not set.")
    expected = hmac.new(secret.encode(), callback.body, "sha256").hexdigest().encode()
    callback.require_signature(expected, callback.header("signature"))
    said = callback.json()
    if (kind := KINDS.get(said["type"])) is None:
        return Received()
    data, email = said["data"], said["data"]["email"]
    details = data.get("morph") or {}
    event = MailEvent(
        id=data["id"],
        kind=kind,
        email=email["recipient"]["email"],
        message_id=email["message"]["id"],
        at=datetime.fromisoformat(data["created_at"]),
        reason=details.get("readable_reason") or details.get("reason") or "",
    )
    return Received((event,))
