"""Hub: what PostgreSQL notifies reaches every socket and stream of this process that waits for it.

Notifications come in by one connection, changes are read together, and each subscription gets those of its topic.
"""

import signal
from asyncio import CancelledError, Event, create_task, get_running_loop, sleep, timeout
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from threading import current_thread, main_thread
from typing import Any
from uuid import UUID

import structlog

from groundwork.live.reader import connect

__all__ = ["Change", "Dropped", "Hub", "Subscription", "open_hub"]

log = structlog.get_logger(__name__)

# Seconds until a lost connection is tried again.
PAUSE = 1.0
# A client with more unsent changes than this is dropped, and comes back for a snapshot.
MOST_BEHIND = 1000


@dataclass(frozen=True)
class Change:
    """The state of a thing, as JSON. Of two states of one thing that with the greater version is newer."""

    id: UUID
    version: int
    json: str


class Dropped(Exception):
    """The subscription is over: the client is too slow, or the process stops."""


@dataclass(eq=False)
class Subscription:
    """The changes that one client has not been sent yet: the latest state of each thing, however often it changed."""

    only: UUID | None = None
    # Something may have been missed: only a snapshot tells what is, in the beginning and after a loss of the database.
    lost_track: bool = True
    _behind: dict[UUID, Change] = field(default_factory=dict)
    _awake: Event = field(default_factory=Event)
    _dropped: bool = False

    def offer(self, change: Change) -> None:
        if self.only in (None, change.id) and not self._dropped:
            self._behind.pop(change.id, None)
            self._behind[change.id] = change
            if len(self._behind) > MOST_BEHIND:
                self.drop()
            self._awake.set()

    def lose_track(self) -> None:
        self.lost_track = True
        self._awake.set()

    def drop(self) -> None:
        self._dropped, self._behind = True, {}
        self._awake.set()

    async def changes(self, seconds: float) -> Sequence[Change] | None:
        """What has changed since the last call; None when nothing did for so many seconds. Raises Dropped."""
        try:
            async with timeout(seconds):
                await self._awake.wait()
        except TimeoutError:
            return None
        self._awake.clear()
        if self._dropped:
            raise Dropped
        changed, self._behind = tuple(self._behind.values()), {}
        return changed


Read = Callable[[Sequence[UUID]], Awaitable[Sequence[Change]]]


class Hub:
    """Listens to one channel, whose notifications are `<topic> <id>`; `read` returns the present states of some ids."""

    def __init__(self, channel: str, read: Read) -> None:
        self._channel, self._read = channel, read
        self._subscriptions: defaultdict[UUID, set[Subscription]] = defaultdict(set)
        self.listening, self.over = Event(), False

    @contextmanager
    def subscribe(self, topic: UUID, only: UUID | None = None) -> Iterator[Subscription]:
        """Subscribe first and read then: what happens in between is in both, and nothing is missed."""
        subscription = Subscription(only)
        self._subscriptions[topic].add(subscription)
        if self.over:
            subscription.drop()
        try:
            yield subscription
        finally:
            self._subscriptions[topic].discard(subscription)
            if not self._subscriptions[topic]:
                del self._subscriptions[topic]

    def __iter__(self) -> Iterator[Subscription]:
        return iter([each for subscribed in self._subscriptions.values() for each in subscribed])

    def drop_all(self) -> None:
        self.over = True
        for subscription in self:
            subscription.drop()
        self.listening.set()

    async def listen(self) -> None:
        """For as long as the process serves, through any absence of the database."""
        while True:
            try:
                async with await connect() as listener:
                    await listener.execute(f"LISTEN {self._channel}".encode())
                    for subscription in self:
                        subscription.lose_track()
                    self.listening.set()
                    while True:
                        # All that arrived together.
                        notes = [note.payload async for note in listener.notifies(stop_after=1)]
                        await self._spread(notes)
            except Exception as error:
                # Whatever it was, every stream of this process waits for what comes next.
                self.listening.clear()
                log.warning("hub waits for the database", error=repr(error))
            await sleep(PAUSE)

    async def _spread(self, payloads: list[str]) -> None:
        """Read once what changed, and offer it to all who watch it."""
        topics: dict[UUID, UUID] = {}
        for payload in payloads:
            try:
                topic, thing = map(UUID, payload.split(" "))
            except ValueError:
                log.warning("a notification is not `<topic> <id>`", channel=self._channel, payload=payload)
            else:
                topics[thing] = topic
        wanted = [thing for thing, topic in topics.items() if topic in self._subscriptions]
        if not wanted:
            return
        for change in await self._read(wanted):
            for subscription in tuple(self._subscriptions.get(topics[change.id], ())):
                subscription.offer(change)


def _end_streams_at_signals(hub: Hub) -> None:
    """The server waits for its answers to end before it ends the lifespan, and streams have no end of their own."""
    if current_thread() is not main_thread():
        return
    loop = get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        servers_own = signal.getsignal(number)

        def end(number: int, frame: Any, servers_own: Any = servers_own) -> None:
            loop.call_soon_threadsafe(hub.drop_all)
            if callable(servers_own):
                servers_own(number, frame)

        signal.signal(number, end)


@asynccontextmanager
async def open_hub(channel: str, read: Read) -> AsyncIterator[Hub]:
    """A hub that listens for as long as the process serves."""
    hub = Hub(channel, read)
    listening = create_task(hub.listen(), name="hub")
    _end_streams_at_signals(hub)
    try:
        yield hub
    finally:
        listening.cancel()
        with suppress(CancelledError):
            await listening
        hub.drop_all()
