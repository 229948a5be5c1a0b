"""Who watches: a person has a bounded number of streams and sockets, and each ends with its sign-in."""

from asyncio import CancelledError, Event, create_task, sleep
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from uuid import UUID

import psycopg
import structlog

from groundwork.http.problem import Problem
from groundwork.jobs.feed import Feed
from groundwork.jobs.models import CHANGES
from groundwork.live.hub import Hub, open_hub
from groundwork.live.subscription import Subscription
from groundwork.settings import get_settings

__all__ = ["SIGNED_OUT", "TooManyStreams", "Watchers", "open_streams"]

log = structlog.get_logger(__name__)

# Seconds between two looks, for all streams of a process together, whether their sign-ins have ended.
LOOK = 1.0
# For a socket.
SIGNED_OUT = (1008, "Signed out.")


class TooManyStreams(Problem):
    """You have opened too many streams and sockets; close one, and try again."""

    status, code, title = 429, "too-many-streams", "Too many streams"


class Watchers:
    """What the streams and sockets of a process share."""

    def __init__(self, feed: Feed, hub: Hub) -> None:
        self.feed, self.hub = feed, hub
        # By the query of People and the sign-in.
        self._subscriptions: defaultdict[tuple[str, UUID], set[Subscription]] = defaultdict(set)
        self._wanted = Event()

    @contextmanager
    def subscribe(
        self, owner: UUID, sign_in_id: UUID, still_signed_in: str, only: UUID | None
    ) -> Iterator[Subscription]:
        """Subscribe to the jobs of `owner` until the sign-in ends; raises TooManyStreams."""
        if self.hub.subscribed(owner) >= get_settings().streams_per_person:
            raise TooManyStreams
        sign_in = still_signed_in, sign_in_id
        with self.hub.subscribe(owner, only) as subscription:
            self._subscriptions[sign_in].add(subscription)
            self._wanted.set()
            try:
                yield subscription
            finally:
                self._subscriptions[sign_in].discard(subscription)
                if not self._subscriptions[sign_in]:
                    del self._subscriptions[sign_in]
                if not self._subscriptions:
                    self._wanted.clear()

    async def end_with_sign_ins(self) -> None:
        """End the streams of each sign-in that has ended, for as long as the process serves."""
        while True:
            await self._wanted.wait()
            await sleep(LOOK)
            try:
                for query in {query for query, _ in self._subscriptions}:
                    await self._look(query)
            except psycopg.Error as error:
                # The next heartbeat of each stream looks too, and ends it where the database is away.
                log.warning("nobody knows whether those who watch are still signed in", error=repr(error))

    async def _look(self, query: str) -> None:
        asked = [sign_in_id for of, sign_in_id in self._subscriptions if of == query]
        for sign_in_id in set(asked) - await self.feed.signed_in(asked, query):
            for subscription in self._subscriptions.get((query, sign_in_id), ()):
                subscription.drop(*SIGNED_OUT)


@asynccontextmanager
async def open_streams() -> AsyncIterator[Watchers]:
    """What all streams of a process share, for as long as it serves."""
    feed = Feed()
    try:
        async with open_hub(CHANGES, feed) as hub:
            watchers = Watchers(feed, hub)
            ending = create_task(watchers.end_with_sign_ins(), name="watchers")
            try:
                yield watchers
            finally:
                ending.cancel()
                with suppress(CancelledError):
                    await ending
    finally:
        await feed.close()
