"""What Scaleway reports by a topic of its Topics and Events, in the envelope of Amazon's SNS.

https://www.scaleway.com/en/docs/transactional-email/reference-content/webhook-events-payloads
"""

import json
import re
from datetime import datetime

import httpx2

from groundwork.mail.callback import Callback, CallbackRefused, agreed, documented
from groundwork.mail.events import Kind, MailEvent, Received

__all__ = ["confirm", "receive"]

CONFIRMATION = re.compile(r"https://sns\.mnq\.[a-z]+-[a-z]+\.scaleway\.com/\?Action=ConfirmSubscription&.*")
KINDS = {
    "email_delivered": Kind.DELIVERED,
    "email_deferred": Kind.DEFERRED,
    "email_dropped": Kind.BOUNCED,
    "email_mailbox_not_found": Kind.BOUNCED,
    # Mostly by a filter: that is nobody's complaint.
    "email_spam": Kind.REJECTED,
    "email_blocklisted": Kind.REJECTED,
}


@documented
def receive(callback: Callback) -> Received:
    """Raises CallbackRefused. Confirms the subscription when it is asked to."""
    # The secret is part of the address: how the signature is made is documented only in part.
    callback.require_secret(agreed("scaleway_webhook_secret"))
    envelope = callback.json()
    if envelope["Type"] == "SubscriptionConfirmation":
        confirm(envelope["SubscribeURL"])
    if envelope["Type"] != "Notification":
        return Received()
    said = json.loads(envelope["Message"])
    if (kind := KINDS.get(said["type"])) is None:
        return Received()
    reason = said.get("email_response_message") or said.get("blocklist_reason") or ""
    at = datetime.fromisoformat(said["created_at"])
    # What is blocked before it is sent is reported without its id.
    return Received((MailEvent(said["id"], kind, said["email_to"], said.get("email_id", ""), at, reason),))


def confirm(url: str) -> None:
    """Raises CallbackRefused; a lost connection is an error of ours, so that we are asked again."""
    if not CONFIRMATION.fullmatch(url):
        raise CallbackRefused(f"{url!r} is no address of Topics and Events.")
    if not (reply := httpx2.get(url, timeout=5)).is_success:
        raise CallbackRefused(f"Topics and Events said: {reply.status_code} to {url!r}.")
