"""Live: what the database notifies, on its way to the streams and sockets of this process."""

from groundwork.live.hub import Change, Dropped, Hub, Subscription, open_hub
from groundwork.live.reader import Reader

__all__ = ["Change", "Dropped", "Hub", "Reader", "Subscription", "open_hub"]
