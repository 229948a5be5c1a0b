"""Live: what the database notifies, on its way to the streams and sockets of this process."""

from groundwork.live.hub import Hub, Source, open_hub
from groundwork.live.reader import Reader
from groundwork.live.subscription import Change, Dropped, Subscription

__all__ = ["Change", "Dropped", "Hub", "Reader", "Source", "Subscription", "open_hub"]
