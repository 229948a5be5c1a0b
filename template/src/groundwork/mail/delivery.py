"""Hands a message to the provider, or keeps it in the outbox."""

from dataclasses import replace

import structlog
from sqlalchemy import select

from groundwork.data.connections import engine
from groundwork.mail import outbox, provider
from groundwork.mail.failures import PermanentFailure
from groundwork.mail.message import Address, Message, MessageInvalid
from groundwork.mail.models import SuppressedAddress
from groundwork.mail.policy import AUTOMATIC
from groundwork.settings import SettingsInvalid, get_settings

__all__ = ["automatic", "deliver", "our_address"]

log = structlog.get_logger(__name__)


def our_address() -> Address:
    """The address in MAIL_FROM; raises SettingsInvalid."""
    try:
        return Address.parse(get_settings().mail_from)
    except MessageInvalid as error:
        raise SettingsInvalid(f"MAIL_FROM: {error}") from None


def deliver(message: Message, *, idempotency_key: str) -> str:
    """Send a message; returns the id under which the provider knows it. Call it from a job, never from a request.

    Pass the job's id as `idempotency_key`: providers that support such keys send a repeated message once; others may
    send it twice where their answer is lost. Suppressed addresses, which bounced or complained, are left out. Raises
    TemporaryFailure where a retry may help, PermanentFailure where it does not.
    """
    message = automatic(_without_suppressed(message))
    send = provider.send if _may_leave(message) else outbox.send
    message_id = send(message, idempotency_key)
    # Neither the address nor the body: logs are read by many.
    log.info("mail sent", subject=message.subject, message_id=message_id)
    return message_id


def automatic(message: Message) -> Message:
    """The message with the header `Auto-Submitted`, unless it has one of its own: no absent person's program answers it."""
    if any(name.lower() == "auto-submitted" for name in message.headers):
        return message
    return replace(message, headers={**message.headers, **AUTOMATIC})


def _without_suppressed(message: Message) -> Message:
    emails = [address.email.lower() for address in message.recipients]
    rows = select(SuppressedAddress.email, SuppressedAddress.kind).where(SuppressedAddress.email.in_(emails))
    with engine().connect() as connection:
        suppressed = {row.email: row.kind for row in connection.execute(rows)}
    if not suppressed:
        return message
    to, cc, bcc = (
        tuple(address for address in addresses if address.email.lower() not in suppressed)
        for addresses in (message.to, message.cc, message.bcc)
    )
    if not to:
        kinds = " and ".join(sorted(set(suppressed.values())))
        raise PermanentFailure(
            f"Mail to this address {kinds} before; `app mail suppressed` shows it, `app mail lift` ends it."
        )
    return replace(message, to=to, cc=cc, bcc=bcc)


def _may_leave(message: Message) -> bool:
    """Not to people who never asked for it: developers' databases have real addresses in them."""
    settings = get_settings()
    if settings.mail_dry_run or settings.environment == "production":
        return not settings.mail_dry_run
    allowed = {address.strip().lower() for address in settings.mail_only_to.split(",")}
    emails = [address.email.lower() for address in message.recipients]
    return all(email in allowed or "@" + email.rpartition("@")[2] in allowed for email in emails)
