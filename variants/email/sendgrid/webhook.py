"""What SendGrid reports, signed: https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event"""

from base64 import b64decode
from datetime import UTC, datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from groundwork.mail.callback import Callback, CallbackRefused, NothingAgreed, agreed, documented, each
from groundwork.mail.events import Kind, MailEvent, Received

__all__ = ["receive"]

KINDS = {
    "delivered": Kind.DELIVERED,
    "deferred": Kind.DEFERRED,
    "bounce": Kind.BOUNCED,
    "dropped": Kind.REJECTED,
    "spamreport": Kind.COMPLAINED,
    "unsubscribe": Kind.UNSUBSCRIBED,
    "group_unsubscribe": Kind.UNSUBSCRIBED,
}


@documented
def receive(callback: Callback) -> Received:
    """Raises CallbackRefused."""
    _check(callback)
    said = callback.json()
    return Received(each(said, _event))


def _event(said: dict[str, Any]) -> MailEvent | None:
    if (kind := KINDS.get(said["event"])) is None:
        return None
    if kind is Kind.BOUNCED and said.get("type") == "blocked":
        # The message was, for now: the address is no worse for it.
        kind = Kind.DEFERRED
    # What `send` returned, and then the part of SendGrid that had it; late bounces have none.
    message_id = said.get("sg_message_id", "").partition(".")[0]
    at = datetime.fromtimestamp(said["timestamp"], UTC)
    reason = said.get("reason") or said.get("response") or ""
    return MailEvent(said["sg_event_id"], kind, said["email"], message_id, at, reason)


def _check(callback: Callback) -> None:
    """Its age does not count: SendGrid repeats for a day, and an event that we know changes nothing."""
    try:
        key = load_der_public_key(b64decode(agreed("sendgrid_webhook_verification_key"), validate=True))
        if not isinstance(key, EllipticCurvePublicKey):
            raise ValueError
    except ValueError:
        raise NothingAgreed("SENDGRID_WEBHOOK_VERIFICATION_KEY is not the key that SendGrid shows.") from None
    signed = callback.header("x-twilio-email-event-webhook-timestamp").encode() + callback.body
    try:
        signature = b64decode(callback.header("x-twilio-email-event-webhook-signature"), validate=True)
        key.verify(signature, signed, ECDSA(SHA256()))
    except (ValueError, InvalidSignature):
        raise CallbackRefused("The signature is not the provider's.") from None
