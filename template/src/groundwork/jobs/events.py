"""A person's jobs, live: first a snapshot, then each change, by server-sent events or over a socket."""

from asyncio import timeout
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from time import monotonic
from typing import Annotated
from uuid import UUID

import psycopg
import structlog
from fastapi import APIRouter, Depends, Header, Request, WebSocket, WebSocketDisconnect
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel
from starlette.requests import HTTPConnection

from groundwork.http.client import from_our_page
from groundwork.http.people import People, SignedIn
from groundwork.http.problem import NotAuthenticated, problems
from groundwork.http.tokens import TokenInvalid, read_token, sign_token
from groundwork.jobs.feed import Feed
from groundwork.live.hub import Hub
from groundwork.live.subscription import Change, Dropped, Subscription

__all__ = ["job_streams"]

log = structlog.get_logger(__name__)

# Seconds between two signs of life, each with a look whether this person is still signed in, and at what changed without
# a notice.
HEARTBEAT = 15.0
# Seconds for which a job is new, and what was sent of one that has ended is remembered.
RECENT = 120
# Unfinished jobs that a heartbeat looks at, those that changed last.
MOST_UNFINISHED = 500
TICKET_SECONDS = 30


class Ticket(BaseModel):
    """For `?ticket=` of the socket's URL, within `expires_in` seconds."""

    ticket: str
    expires_in: int


@dataclass
class Stream:
    """What one client watches: the jobs of `owner`, for as long as the sign-in lasts. `since`: the newest version sent."""

    feed: Feed
    hub: Hub
    still_signed_in: str
    sign_in_id: UUID
    owner: UUID
    since: int
    _known: dict[UUID, int] = field(default_factory=dict)
    _unfinished: dict[UUID, None] = field(default_factory=dict)

    async def events(self, subscription: Subscription) -> AsyncIterator[ServerSentEvent]:
        """Ends when the sign-in does, when the client is too slow, or when this process stops or has no database."""
        beat_at = monotonic() + HEARTBEAT
        try:
            while True:
                if subscription.lost_track:
                    async with timeout(HEARTBEAT):
                        await self.hub.listening.wait()
                    if self.hub.over:
                        return
                    subscription.lost_track = False
                    yield await self._snapshot(subscription.only)
                changes = await subscription.changes(beat_at - monotonic())
                for event in self._news(changes or ()):
                    yield event
                if changes is None:
                    if await self.feed.owner_of(self.sign_in_id, self.still_signed_in) is None:
                        return
                    known = list(self._unfinished)
                    for event in self._news(await self.feed.news(self.owner, subscription.only, known, RECENT)):
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
        snapshot = await self.feed.snapshot(self.owner, only, self.since)
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


def job_streams(prefix: str, people: People) -> APIRouter:
    """Routes below `prefix`/jobs by which people watch their own jobs. Include them before `job_routes`."""
    router = APIRouter(prefix=f"{prefix}/jobs", tags=["jobs, live"])

    def stream_of(connection: HTTPConnection, sign_in_id: UUID, owner: UUID, since: int) -> Stream:
        state = connection.app.state
        return Stream(state.feed, state.hub, people.still_signed_in, sign_in_id, owner, since)

    @router.post("/events/ticket", responses=problems(NotAuthenticated))
    async def get_ticket(current: Annotated[SignedIn, Depends(people.sign_in)]) -> Ticket:
        """Browsers send no header with a socket, and an access token has no place in a URL."""
        ticket = sign_token("ticket", current.id, timedelta(seconds=TICKET_SECONDS))
        return Ticket(ticket=ticket, expires_in=TICKET_SECONDS)

    async def watch_all(
        request: Request, current: Annotated[SignedIn, Depends(people.sign_in)]
    ) -> AsyncIterator[Subscription]:
        # Until the answer ends, however it does: the generator that reads it may be collected much later.
        with request.app.state.hub.subscribe(current.user_id) as subscription:
            yield subscription

    async def watch_one(
        job_id: UUID, request: Request, current: Annotated[SignedIn, Depends(people.sign_in)]
    ) -> AsyncIterator[Subscription]:
        with request.app.state.hub.subscribe(current.user_id, job_id) as subscription:
            yield subscription

    @router.get("/events", response_class=EventSourceResponse, responses=problems(NotAuthenticated))
    async def my_events(
        request: Request,
        current: Annotated[SignedIn, Depends(people.sign_in)],
        subscription: Annotated[Subscription, Depends(watch_all)],
        last_event_id: Annotated[int, Header(ge=0)] = 0,
    ) -> AsyncIterator[ServerSentEvent]:
        """`snapshot`: a list of jobs; then `job`: one as it is now. After a pause with the `Last-Event-ID` of before."""
        stream = stream_of(request, current.id, current.user_id, last_event_id)
        async for event in stream.events(subscription):
            yield event

    @router.get("/{job_id}/events", response_class=EventSourceResponse, responses=problems(NotAuthenticated))
    async def events_of_one(
        request: Request,
        current: Annotated[SignedIn, Depends(people.sign_in)],
        subscription: Annotated[Subscription, Depends(watch_one)],
    ) -> AsyncIterator[ServerSentEvent]:
        """The same for one job of this person; of somebody else's the snapshot is empty."""
        stream = stream_of(request, current.id, current.user_id, 0)
        async for event in stream.events(subscription):
            yield event

    @router.websocket("/events")
    async def socket(websocket: WebSocket, ticket: str = "", last_event_id: int = 0) -> None:
        await serve(websocket, ticket, None, last_event_id)

    @router.websocket("/{job_id}/events")
    async def socket_of_one(websocket: WebSocket, job_id: UUID, ticket: str = "") -> None:
        await serve(websocket, ticket, job_id, 0)

    async def serve(websocket: WebSocket, ticket: str, only: UUID | None, since: int) -> None:
        """The same events, each as `{"event": ..., "id": ..., "data": ...}`. 1008: no valid ticket, or another site's page."""
        try:
            sign_in_id = read_token("ticket", ticket)
        except TokenInvalid:
            await websocket.close(1008, "The ticket is wrong or too old; get another one.")
            return
        feed: Feed = websocket.app.state.feed
        owner = await feed.owner_of(sign_in_id, people.still_signed_in)
        if owner is None or not from_our_page(websocket):
            await websocket.close(1008, "Not signed in, or opened by another site.")
            return
        await websocket.accept()
        stream = stream_of(websocket, sign_in_id, owner, since)
        # Who has gone, or takes nothing any more, makes the next send fail.
        with suppress(WebSocketDisconnect), stream.hub.subscribe(owner, only) as subscription:
            async for event in stream.events(subscription):
                kind, data = event.event or "heartbeat", event.raw_data or "null"
                await websocket.send_text("{" + f'"event":"{kind}","id":"{event.id or ""}","data":{data}' + "}")
            await websocket.close(1012, "Come back for a new snapshot.")

    return router
