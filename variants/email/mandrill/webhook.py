"""What Mandrill reports: https://mailchimp.com/developer/transactional/guides/track-respond-activity-webhooks/"""

import hmac
import json
from base64 import b64encode
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from groundwork.mail.callback import Callback, agreed, documented, each
from groundwork.mail.events import Kind, MailEvent, Received

__all__ = ["receive"]

KINDS = {
    "delivered": Kind.DELIVERED,
    "deferral": Kind.DEFERRED,
    "soft_bounce": Kind.DEFERRED,
    "hard_bounce": Kind.BOUNCED,
    "spam": Kind.COMPLAINED,
    "unsub": Kind.UNSUBSCRIBED,
    "reject": Kind.REJECTED,
}


@documented
def receive(callback: Callback) -> Received:
    """Raises CallbackRefused."""
    form = dict(parse_qsl(callback.body.decode(), keep_blank_values=True))
    _check(callback, form)
    return Received(each(json.loads(form["mandrill_events"]), _event))


def _check(callback: Callback, form: dict[str, str]) -> None:
    key = agreed("mandrill_webhook_key")
    signed = callback.url + "".join(name + form[name] for name in sorted(form))
    expected = b64encode(hmac.digest(key.encode(), signed.encode(), "sha1"))
    callback.require_signature(expected, callback.header("x-mandrill-signature"))


def _event(said: dict[str, Any]) -> MailEvent | None:
    # Changes of the account's own lists have a type and no event.
    if (kind := KINDS.get(said.get("event", ""))) is None:
        return None
    message, at = said["msg"], said["ts"]
    reason = message.get("diag") or message.get("bounce_description") or ""
    # Events have no id; the message's is another one for each recipient.
    event_id = f"{said['event']} {said['_id']} {at}"
    return MailEvent(event_id, kind, message["email"], said["_id"], datetime.fromtimestamp(at, UTC), reason)
