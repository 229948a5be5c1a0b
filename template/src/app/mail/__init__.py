"""E-mail: `deliver` hands a message to the provider, or keeps it in the outbox. Call it from a job only."""

import structlog

from app.mail import outbox, provider
from app.mail.failures import PermanentFailure, ProviderMisconfigured, TemporaryFailure
from app.mail.message import Message
from app.settings import get_settings

__all__ = ["PermanentFailure", "ProviderMisconfigured", "TemporaryFailure", "deliver"]

log = structlog.get_logger(__name__)


def deliver(message: Message, *, idempotency_key: str) -> str:
    """The id under which the carrier knows the message.

    Raises TemporaryFailure when it is worth trying again, else PermanentFailure. A provider
    without idempotency keys may deliver twice if its answer is lost.
    """
    send = outbox.send if get_settings().mail_dry_run else provider.send
    message_id = send(message, idempotency_key)
    # Neither the address nor the body: logs are read by many.
    log.info("mail sent", subject=message.subject, message_id=message_id)
    return message_id
