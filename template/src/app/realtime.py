"""Hub: what PostgreSQL notifies reaches every socket and stream of this process that waits for it.

One connection listens and one reads, outside of every pool: a thousand sockets hold no more.
"""

import signal
from asyncio import CancelledError, Event, Lock, create_task, get_running_loop, sleep, timeout
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from threading import current_thread, main_thread
from typing import Any
from uuid import UUID

import psycopg
import structlog
from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row

from app.settings import CONNECT_ARGS, get_settings

__all__ = ["Change", "Hub", "Subscription", "open_hub"]

log = structlog.get_logger(__name__)

# Seconds until a lost connection is tried again.
PAUSE = 1.0
# Of so many things a client may be behind; then it is dropped, and comes back for a snapshot.
MOST_BEHIND = 1000


@dataclass(frozen=True)
class Change:
    """Something as it is now. Of two states of it the one with the greater version is newer."""

    id: UUID
    version: int
    json: str


class Dropped(Exception):
    """This subscription is over: its client is too slow, or the process stops."""


@dataclass(eq=False)
class Subscription:
    """What one client has not been sent yet: the latest state of each thing, however often it changed."""

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


class Hub:
    """Listens to one channel, whose notifications are `<topic> <id>`; `query` reads the things of some ids."""

    def __init__(self, channel: str, query: str, change_of: Callable[[DictRow], Change]) -> None:
        self._channel, self._query, self._change_of = channel, query, change_of
        self._subscriptions: defaultdict[UUID, set[Subscription]] = defaultdict(set)
        self.listening, self.over = Event(), False
        self._reader: AsyncConnection[DictRow] | None = None
        self._reading = Lock()

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

    async def read(self, query: str, values: dict[str, Any]) -> list[DictRow]:
        """The rows, by the connection that all share; it is opened again where it was lost."""
        async with self._reading:
            for last in (False, True):
                try:
                    if self._reader is None or self._reader.closed:
                        self._reader = await _connect()
                    return await (await self._reader.execute(query, values)).fetchall()
                except psycopg.OperationalError:
                    self._reader = None
                    if last:
                        raise
        raise AssertionError

    async def listen(self) -> None:
        """For as long as the process serves, through any absence of the database."""
        while True:
            try:
                async with await _connect() as listener:
                    await listener.execute(f"LISTEN {self._channel}".encode())
                    for subscription in self:
                        subscription.lose_track()
                    self.listening.set()
                    while True:
                        # All that arrived together.
                        notes = [note.payload async for note in listener.notifies(stop_after=1)]
                        await self._spread(notes)
            except (psycopg.Error, OSError) as error:
                self.listening.clear()
                log.warning("hub waits for the database", error=repr(error))
            await sleep(PAUSE)

    async def _spread(self, payloads: list[str]) -> None:
        """Read once what changed, and give it to everybody who waits for it."""
        topics = {UUID(thing): UUID(topic) for topic, _, thing in (payload.partition(" ") for payload in payloads)}
        wanted = [thing for thing, topic in topics.items() if topic in self._subscriptions]
        if not wanted:
            return
        for row in await self.read(self._query, {"ids": wanted}):
            change = self._change_of(row)
            for subscription in tuple(self._subscriptions.get(topics[change.id], ())):
                subscription.offer(change)

    async def close(self) -> None:
        self.drop_all()
        if self._reader is not None:
            await self._reader.close()


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


async def _connect() -> AsyncConnection[DictRow]:
    url = get_settings().database_url
    return await AsyncConnection.connect(url, autocommit=True, row_factory=dict_row, **CONNECT_ARGS)


@asynccontextmanager
async def open_hub(hub: Hub) -> AsyncIterator[Hub]:
    listening = create_task(hub.listen(), name="hub")
    _end_streams_at_signals(hub)
    try:
        yield hub
    finally:
        listening.cancel()
        with suppress(CancelledError):
            await listening
        await hub.close()
