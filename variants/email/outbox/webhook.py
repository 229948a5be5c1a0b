"""The outbox reports nothing: who reads it sees everything."""

from groundwork.mail.callback import Callback, CallbackRefused
from groundwork.mail.events import Received

__all__ = ["receive"]


def receive(callback: Callback) -> Received:
    """Always raises CallbackRefused."""
    raise CallbackRefused("Nobody reports what happened to mail in the outbox.")
