"""Hub: what PostgreSQL notifies reaches every socket and stream of this process that waits for it.

Notifications come in by one connection, changes are read together, and each subscription gets those of its topic. The
hub listens, and holds connections, only while there is a subscription.
"""

import signal
from asyncio import CancelledError, Event, create_task, get_running_loop, sleep
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from threading import current_thread, main_thread
from time import monotonic
from typing import Any, Protocol
from uuid import UUID

import structlog
from psycopg import AsyncConnection
from psycopg.rows import DictRow

from groundwork.live.reader import answering, connect
from groundwork.live.subscription import Change, Subscription

__all__ = ["Hub", "Source", "open_hub"]

log = structlog.get_logger(__name__)

# Seconds until a lost connection is tried again.
PAUSE = 1.0
# Seconds of silence after which the connection that listens is asked whether it still works.
SILENCE = 10.0
# Seconds that the hub goes on listening after the last subscription: clients that come back find it ready.
GRACE = 10.0


class Source(Protocol):
    """Where the hub reads the states of things."""

    async def changes(self, ids: Sequence[UUID]) -> Sequence[Change]:
        """The present states of some things."""

    async def close(self) -> None:
        """Give back what reading needs; the next read gets it again."""


class Hub:
    """Listens to one channel, whose notifications are lines of `<topic> <id>`.

    While it listens it holds the advisory lock `hashtext(channel)`, shared with other hubs, by which senders know that
    somebody watches.
    """

    def __init__(self, channel: str, source: Source) -> None:
        self._channel, self._source = channel, source
        self._subscriptions: defaultdict[UUID, set[Subscription]] = defaultdict(set)
        self._wanted, self._left_at = Event(), 0.0
        self.listening, self.over = Event(), False

    @contextmanager
    def subscribe(self, topic: UUID, only: UUID | None = None) -> Iterator[Subscription]:
        """Subscribe first and read then: what happens in between is in both, and nothing is missed."""
        subscription = Subscription(only)
        self._subscriptions[topic].add(subscription)
        self._wanted.set()
        if self.over:
            subscription.drop()
        try:
            yield subscription
        finally:
            self._subscriptions[topic].discard(subscription)
            if not self._subscriptions[topic]:
                del self._subscriptions[topic]
            if not self._subscriptions:
                self._wanted.clear()
                self._left_at = monotonic()

    def subscribed(self, topic: UUID) -> int:
        """How many subscriptions there are to a topic."""
        return len(self._subscriptions.get(topic, ()))

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
            await self._wanted.wait()
            try:
                await self._listen_while_wanted()
            except Exception as error:
                # Whatever it was, every stream of this process waits for what comes next.
                log.warning("hub waits for the database", error=repr(error))
                await sleep(PAUSE)

    async def _listen_while_wanted(self) -> None:
        listener = await connect()
        try:
            with answering(listener):
                await listener.execute("SELECT pg_advisory_lock_shared(hashtext(%s))", [self._channel])
                await listener.execute(f"LISTEN {self._channel}".encode())
            # Now all that is committed is heard, or in a snapshot that is read from now on.
            for subscription in self:
                subscription.lose_track()
            self.listening.set()
            while self._subscriptions or monotonic() < self._left_at + GRACE:
                await self._hear(listener)
        finally:
            if not self.over:
                self.listening.clear()
            await listener.close()
        await self._source.close()

    async def _hear(self, listener: AsyncConnection[DictRow]) -> None:
        # All that arrived together.
        notes = [note.payload async for note in listener.notifies(timeout=SILENCE, stop_after=1)]
        if notes:
            await self._spread(notes)
        else:
            # A connection that was cut without a word is as silent as one without news.
            with answering(listener):
                await listener.execute("SELECT 1")

    async def _spread(self, payloads: list[str]) -> None:
        """Read once what changed, and offer it to all who watch it."""
        topics: dict[UUID, UUID] = {}
        for line in "\n".join(payloads).splitlines():
            try:
                topic, thing = map(UUID, line.split(" "))
            except ValueError:
                log.warning("a notification is not `<topic> <id>`", channel=self._channel, line=line)
            else:
                topics[thing] = topic
        wanted = [thing for thing, topic in topics.items() if topic in self._subscriptions]
        if not wanted:
            return
        for change in await self._source.changes(wanted):
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
async def open_hub(channel: str, source: Source) -> AsyncIterator[Hub]:
    """A hub that works for as long as the process serves."""
    hub = Hub(channel, source)
    listening = create_task(hub.listen(), name="hub")
    _end_streams_at_signals(hub)
    try:
        yield hub
    finally:
        listening.cancel()
        with suppress(CancelledError):
            await listening
        hub.drop_all()
