"""What providers report of a message that they took, in one vocabulary."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import AwareDatetime
from pydantic.dataclasses import dataclass as checked_dataclass

__all__ = ["Kind", "MailEvent", "Received"]


class Kind(StrEnum):
    DELIVERED = "delivered"
    # The provider tries again by itself.
    DEFERRED = "deferred"
    # For good: nobody reads mail at this address.
    BOUNCED = "bounced"
    # The reader called it spam.
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"
    # The provider did not send it: for its content, or because it knows the address.
    REJECTED = "rejected"


@checked_dataclass(frozen=True)
class MailEvent:
    """Checked, for it comes from outside. `id` is the same when the provider reports it again. `message_id` is what `send` returned.

    `email` is empty where the provider does not say which of several recipients it means.
    """

    id: str
    kind: Kind
    email: str
    message_id: str
    at: AwareDatetime
    reason: str = ""


@dataclass(frozen=True)
class Received:
    """The events of one request that we know a use for, and what the provider wants to read as the answer."""

    events: tuple[MailEvent, ...] = ()
    reply: Any = None
