"""Routes by which people watch their jobs: server-sent events, and sockets."""

from collections.abc import AsyncIterator
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Header, Query, Request, WebSocket
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel
from starlette.requests import HTTPConnection

from groundwork.http.client import from_known_page
from groundwork.http.people import People, SignedIn
from groundwork.http.problem import NotAuthenticated, problems
from groundwork.http.router import Router
from groundwork.http.tokens import TokenInvalid, read_token, sign_token
from groundwork.jobs.stream import Stream, send
from groundwork.jobs.watchers import TooManyStreams, Watchers
from groundwork.live.subscription import Subscription

__all__ = ["job_streams"]

TICKET_SECONDS = 30
# Of the ids of events: microseconds since 1970, until the year 2255. PostgreSQL has no greater times than 294276.
LATEST = 2**53


class Ticket(BaseModel):
    """For `?ticket=` of the socket's URL, within `expires_in` seconds."""

    ticket: str
    expires_in: int


def job_streams(prefix: str, people: People) -> Router:
    """Routes below `prefix`/jobs by which people watch their own jobs. Include them before `job_routes`."""
    router = Router(prefix=f"{prefix}/jobs", tags=["jobs, live"])

    def stream_of(connection: HTTPConnection, sign_in_id: UUID, owner: UUID, since: int) -> Stream:
        return Stream(connection.app.state.watchers, people.still_signed_in, sign_in_id, owner, since)

    def subscribe(
        connection: HTTPConnection, sign_in_id: UUID, owner: UUID, only: UUID | None
    ) -> AbstractContextManager[Subscription]:
        watchers: Watchers = connection.app.state.watchers
        return watchers.subscribe(owner, sign_in_id, people.still_signed_in, only)

    @router.post("/events/ticket", responses=problems(NotAuthenticated))
    async def get_ticket(current: Annotated[SignedIn, Depends(people.sign_in)]) -> Ticket:
        """Browsers send no header with a socket, and an access token has no place in a URL."""
        ticket = sign_token("ticket", current.id, timedelta(seconds=TICKET_SECONDS))
        return Ticket(ticket=ticket, expires_in=TICKET_SECONDS)

    async def watch_all(
        request: Request, current: Annotated[SignedIn, Depends(people.sign_in)]
    ) -> AsyncIterator[Subscription]:
        # Until the answer ends, however it does: the generator that reads it may be collected much later.
        with subscribe(request, current.id, current.user_id, None) as subscription:
            yield subscription

    async def watch_one(
        job_id: UUID, request: Request, current: Annotated[SignedIn, Depends(people.sign_in)]
    ) -> AsyncIterator[Subscription]:
        with subscribe(request, current.id, current.user_id, job_id) as subscription:
            yield subscription

    @router.get("/events", response_class=EventSourceResponse, responses=problems(NotAuthenticated, TooManyStreams))
    async def my_events(
        request: Request,
        current: Annotated[SignedIn, Depends(people.sign_in)],
        subscription: Annotated[Subscription, Depends(watch_all)],
        last_event_id: Annotated[int, Header(ge=0, le=LATEST)] = 0,
    ) -> AsyncIterator[ServerSentEvent]:
        """`snapshot`: a list of jobs; then `job`: one as it is now. After a pause with the `Last-Event-ID` of before."""
        stream = stream_of(request, current.id, current.user_id, last_event_id)
        async for event in stream.events(subscription):
            yield event

    @router.get(
        "/{job_id}/events", response_class=EventSourceResponse, responses=problems(NotAuthenticated, TooManyStreams)
    )
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
    async def socket(
        websocket: WebSocket, ticket: str = "", last_event_id: Annotated[int, Query(ge=0, le=LATEST)] = 0
    ) -> None:
        await serve(websocket, ticket, None, last_event_id)

    @router.websocket("/{job_id}/events")
    async def socket_of_one(websocket: WebSocket, job_id: UUID, ticket: str = "") -> None:
        await serve(websocket, ticket, job_id, 0)

    async def serve(websocket: WebSocket, ticket: str, only: UUID | None, since: int) -> None:
        """The same events, each as `{"event": ..., "id": ..., "data": ...}`; nothing is taken from the client.

        Closed with 1008: no valid ticket, another site's page, signed out, or the client said something. 1012: it may come
        back at once. 1013: it has too many.
        """
        try:
            sign_in_id = read_token("ticket", ticket)
        except TokenInvalid:
            await websocket.close(1008, "The ticket is wrong or too old; get another one.")
            return
        owner = await websocket.app.state.watchers.feed.owner_of(sign_in_id, people.still_signed_in)
        if owner is None or not from_known_page(websocket):
            await websocket.close(1008, "Not signed in, or opened by another site.")
            return
        await websocket.accept()
        stream = stream_of(websocket, sign_in_id, owner, since)
        try:
            with subscribe(websocket, sign_in_id, owner, only) as subscription:
                await send(websocket, stream.events(subscription), subscription)
        except TooManyStreams as problem:
            await websocket.close(1013, problem.detail)

    return router
