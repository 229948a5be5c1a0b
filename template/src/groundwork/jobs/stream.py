"""A person's jobs, live, as one client receives them: first a snapshot, then each change."""

from asyncio import create_task, timeout
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from uuid import UUID

import psycopg
import structlog
from fastapi import WebSocket, WebSocketDisconnect
from fastapi.sse import ServerSentEvent
from starlette.websockets import WebSocketState

from groundwork.jobs.watchers import SIGNED_OUT, Watchers
from groundwork.live.subscription import Change, Dropped, Subscription

__all__ = ["Stream", "send"]

log = structlog.get_logger(__name__)

# Seconds between two signs of life, each with a look whether this person is still signed in, and at what changed without
# a notice.
HEARTBEAT = 15.0
# Seconds to wait until this process listens to the database.
LISTENS_WITHIN = 15.0
# Seconds for which a job is new, and what was sent of one that has ended is remembered.
RECENT = 120
# Unfinished jobs that a heartbeat looks at, those that changed last.
MOST_UNFINISHED = 500


@dataclass
class Stream:
    """What one client watches: the jobs of `owner`, for as long as the sign-in lasts. `since`: the newest version sent."""

    watchers: Watchers
    still_signed_in: str
    sign_in_id: UUID
    owner: UUID
    since: int
    _known: dict[UUID, int] = field(default_factory=dict)
    _unfinished: dict[UUID, None] = field(default_factory=dict)

    async def events(self, subscription: Subscription) -> AsyncIterator[ServerSentEvent]:
        """Ends when the sign-in does, when the client is too slow, or when this process stops or has no database."""
        feed, hub = self.watchers.feed, self.watchers.hub
        beat_at = monotonic() + HEARTBEAT
        try:
            while True:
                if subscription.lost_track:
                    async with timeout(LISTENS_WITHIN):
                        await hub.listening.wait()
                    if hub.over:
                        return
                    subscription.lost_track = False
                    yield await self._snapshot(subscription.only)
                changes = await subscription.changes(beat_at - monotonic())
                for event in self._news(changes or ()):
                    yield event
                if changes is None:
                    if await feed.owner_of(self.sign_in_id, self.still_signed_in) is None:
                        subscription.drop(*SIGNED_OUT)
                        return
                    known = list(self._unfinished)
                    for event in self._news(await feed.news(self.owner, subscription.only, known, RECENT)):
                        yield event
                    yield ServerSentEvent(comment="still here")
                    self._forget()
                    beat_at = monotonic() + HEARTBEAT
        except Dropped:
            return
        except (TimeoutError, psycopg.OperationalError) as error:
            # The client comes back, and is told by its first request if the database is still away.
            log.warning("a stream ends: the database does not answer", error=repr(error))

    async def _snapshot(self, only: UUID | None) -> ServerSentEvent:
        snapshot = await self.watchers.feed.snapshot(self.owner, only, self.since)
        self._known, self._unfinished = {}, {}
        for change in snapshot[::-1]:
            self._note(change)
        jobs = ",".join(change.json for change in snapshot)
        return ServerSentEvent(event="snapshot", id=str(self.since), raw_data=f"[{jobs}]")

    def _news(self, changes: Iterable[Change]) -> Iterator[ServerSentEvent]:
        for change in changes:
            if change.version > self._known.get(change.id, 0):
                self._note(change)
                yield ServerSentEvent(event="job", id=str(self.since), raw_data=change.json)

    def _note(self, change: Change) -> None:
        self._known[change.id] = change.version
        self.since = max(self.since, change.version)
        self._unfinished.pop(change.id, None)
        if not change.ended:
            self._unfinished[change.id] = None
        if len(self._unfinished) > MOST_UNFINISHED:
            del self._unfinished[next(iter(self._unfinished))]

    def _forget(self) -> None:
        oldest = self.since - RECENT * 1_000_000
        self._known = {job: seen for job, seen in self._known.items() if seen > oldest or job in self._unfinished}


async def send(websocket: WebSocket, events: AsyncIterator[ServerSentEvent], subscription: Subscription) -> None:
    """Send what is new until the client says something or goes, and then say why it ends."""
    hearing = create_task(websocket.receive())
    hearing.add_done_callback(lambda _: subscription.drop(1008, "Nothing is taken from you here."))
    try:
        # Who has gone, or takes nothing any more, makes the next send fail.
        with suppress(WebSocketDisconnect):
            async for event in events:
                kind, data = event.event or "heartbeat", event.raw_data or "null"
                await websocket.send_text("{" + f'"event":"{kind}","id":"{event.id or ""}","data":{data}' + "}")
            subscription.drop()
            if subscription.ended and websocket.client_state == WebSocketState.CONNECTED:
                await websocket.close(*subscription.ended)
    finally:
        hearing.cancel()
