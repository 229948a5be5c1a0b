"""An SMTP server reports by mail to the sender, not by HTTP."""

from groundwork.mail.callback import Callback, CallbackRefused
from groundwork.mail.events import Received

__all__ = ["receive"]


def receive(callback: Callback) -> Received:
    """Always raises CallbackRefused."""
    raise CallbackRefused("An SMTP server reports by mail, not here.")
