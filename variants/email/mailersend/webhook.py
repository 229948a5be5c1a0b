"""What MailerSend reports, signed with the webhook's secret: https://developers.mailersend.com/api/v1/webhooks.html"""

import hmac
from datetime import datetime

from groundwork.mail.callback import Callback, agreed, documented
from groundwork.mail.events import Kind, MailEvent, Received

__all__ = ["receive"]

# MailerSend publishes it, and signs with it what it sends while an address is entered: the address has to answer
# before there is a secret of its own. So it proves nothing, and what it signs does nothing.
PUBLISHED = b"test_Am3L1GuOIc4blLUuHqAPxxwkZaJyEk8G"
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
    said = callback.json()
    if said["type"] == "webhook.test":
        _check(callback, PUBLISHED)
        return Received()
    secret = agreed("mailersend_webhook_secret")
    _check(callback, secret.encode())
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


def _check(callback: Callback, secret: bytes) -> None:
    expected = hmac.new(secret, callback.body, "sha256").hexdigest().encode()
    callback.require_signature(expected, callback.header("signature"))
