"""What one client has not been sent yet."""

from asyncio import Event, timeout
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

__all__ = ["Change", "Dropped", "Subscription"]

# A client with more unsent changes than this is dropped, and comes back for a snapshot.
MOST_BEHIND = 1000


@dataclass(frozen=True)
class Change:
    """The state of a thing, as JSON. Of two states of one thing that with the greater version is newer.

    `ended`: the thing will hardly change again.
    """

    id: UUID
    version: int
    json: str
    ended: bool


class Dropped(Exception):
    """The subscription is over: the client is too slow, has signed out or said something, or the process stops."""


@dataclass(eq=False)
class Subscription:
    """The changes that one client has not been sent yet: the latest state of each thing, however often it changed."""

    only: UUID | None = None
    # Something may have been missed: only a snapshot tells what is, in the beginning and after a loss of the database.
    lost_track: bool = True
    # How a socket is closed, by a code of RFC 6455 and words for the client, once the subscription is over.
    ended: tuple[int, str] | None = None
    _behind: dict[UUID, Change] = field(default_factory=dict)
    _awake: Event = field(default_factory=Event)

    def offer(self, change: Change) -> None:
        if self.only in (None, change.id) and not self.ended:
            self._behind.pop(change.id, None)
            self._behind[change.id] = change
            if len(self._behind) > MOST_BEHIND:
                self.drop()
            self._awake.set()

    def lose_track(self) -> None:
        self.lost_track = True
        self._awake.set()

    def drop(self, code: int = 1012, words: str = "Come back for a new snapshot.") -> None:
        """End it for good; the first reason counts."""
        self.ended, self._behind = self.ended or (code, words), {}
        self._awake.set()

    async def changes(self, seconds: float) -> Sequence[Change] | None:
        """What has changed since the last call; None when nothing did for so many seconds. Raises Dropped."""
        if seconds <= 0:
            return None
        try:
            async with timeout(seconds):
                await self._awake.wait()
        except TimeoutError:
            return None
        self._awake.clear()
        if self.ended:
            raise Dropped
        changed, self._behind = tuple(self._behind.values()), {}
        return changed
