"""What SES reports through an SNS topic: https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns.html

SNS signs: https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
"""

import hmac
import json
import re
from base64 import b64decode
from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from http import HTTPStatus
from typing import Any

import urllib3
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from groundwork.mail.callback import Callback, CallbackRefused, agreed, documented
from groundwork.mail.events import Kind, MailEvent, Received

__all__ = ["fetch", "receive"]

# On the host of SNS's own API, which answers with what others wrote: nothing but its certificates.
CERTIFICATE = re.compile(r"https://sns\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/SimpleNotificationService-[0-9a-f]+\.pem")
SNS = re.compile(r"https://sns\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/.*")
# What it calls the event, and whom the event is about.
KINDS = {
    "Bounce": (Kind.BOUNCED, "bounce", "bouncedRecipients"),
    "Complaint": (Kind.COMPLAINED, "complaint", "complainedRecipients"),
    "Delivery": (Kind.DELIVERED, "delivery", "recipients"),
    "DeliveryDelay": (Kind.DEFERRED, "deliveryDelay", "delayedRecipients"),
    "Reject": (Kind.REJECTED, "reject", ""),
}
SUPPRESSED = {"OnAccountSuppressionList", "Suppressed"}


@documented
def receive(callback: Callback) -> Received:
    """Raises CallbackRefused. Confirms the subscription when SNS asks for it."""
    said = callback.json()
    _check(said)
    if said["Type"] == "SubscriptionConfirmation":
        fetch(said["SubscribeURL"])
    if said["Type"] != "Notification" or not said["Message"].startswith("{"):
        return Received()
    return Received(tuple(_events(said["MessageId"], json.loads(said["Message"]))))


def fetch(url: str) -> bytes:
    """From SNS itself. Raises CallbackRefused; a lost connection is an error of ours, so that SNS tries again."""
    if not SNS.fullmatch(url):
        raise CallbackRefused(f"{url!r} is no address of SNS.")
    reply = urllib3.request("GET", url, timeout=5, retries=False)
    if reply.status != HTTPStatus.OK:
        raise CallbackRefused(f"SNS said: {reply.status} to {url!r}.")
    return reply.data


def _check(said: Any) -> None:
    topic = agreed("ses_topic_arn")
    # Everybody at AWS has topics, and their signatures are as good as ours.
    if not hmac.compare_digest(said["TopicArn"].encode(), topic.encode()):
        raise CallbackRefused(f"SES_TOPIC_ARN is {topic!r}, and this comes from another topic.")
    if said["SignatureVersion"] != "2":
        raise CallbackRefused("Set the attribute SignatureVersion of the SNS topic to 2.")
    names = ["Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    if said["Type"] == "Notification":
        names = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
    signed = "".join(f"{name}\n{said[name]}\n" for name in names if said.get(name) is not None)
    try:
        _key(said["SigningCertURL"]).verify(b64decode(said["Signature"]), signed.encode(), PKCS1v15(), SHA256())
    except InvalidSignature:
        raise CallbackRefused("The signature is not SNS's.") from None


@lru_cache(maxsize=8)
def _key(certificate_url: str) -> RSAPublicKey:
    if not CERTIFICATE.fullmatch(certificate_url):
        raise CallbackRefused(f"{certificate_url!r} is no certificate of SNS.")
    key = x509.load_pem_x509_certificate(fetch(certificate_url)).public_key()
    if not isinstance(key, RSAPublicKey):
        raise CallbackRefused(f"{certificate_url!r} has no RSA key.")
    return key


def _events(event_id: str, said: Any) -> Iterator[MailEvent]:
    # The first name is that of a configuration set's events, the second that of an identity's notifications.
    found = KINDS.get(said.get("eventType") or said.get("notificationType"))
    if not found:
        return
    kind, place, recipients = found
    details, mail = said[place], said["mail"]
    if kind is Kind.BOUNCED and details["bounceType"] != "Permanent":
        kind = Kind.DEFERRED
    if SUPPRESSED & {details.get("bounceSubType"), details.get("complaintSubType")}:
        kind = Kind.REJECTED
    at = datetime.fromisoformat(details.get("timestamp") or mail["timestamp"])
    about = details[recipients] if recipients else mail["destination"]
    if kind is Kind.COMPLAINED and len(about) > 1:
        # All those who may have: a mailbox provider does not say who it was.
        about = [""]
    for one in about:
        email, code = (one, "") if isinstance(one, str) else (one["emailAddress"], one.get("diagnosticCode"))
        reason = code or details.get("reason") or details.get("complaintFeedbackType") or ""
        yield MailEvent(f"{event_id} {email}", kind, email, mail["messageId"], at, reason)
