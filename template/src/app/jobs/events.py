"""A person's jobs, live: first a snapshot, then each change, by server-sent events or over a socket."""

from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Request, WebSocket, WebSocketDisconnect
from fastapi.sse import EventSourceResponse, ServerSentEvent
from psycopg.rows import DictRow
from pydantic import BaseModel

from app.client import from_our_page
from app.errors import problems
from app.jobs.models import CHANGES
from app.jobs.schemas import JobOut
from app.realtime import Change, Dropped, Hub, Subscription
from app.security import TokenInvalid, read_token, sign_token
from app.settings import API
from app.users.auth import CurrentSignIn, NotAuthenticated

router = APIRouter(prefix=f"{API}/jobs", tags=["jobs, live"])

COLUMNS = ", ".join(["changed_at", *JobOut.model_fields])
OF_IDS = f"SELECT {COLUMNS} FROM jobs WHERE id = ANY(%(ids)s)"  # noqa: S608
# What runs or waits, the newest, and what changed since a client was here last: some seconds more, as transactions that
# began earlier may have been committed later.
SNAPSHOT = f"""
    SELECT {COLUMNS} FROM jobs
    WHERE owner_id = %(owner)s AND (id = %(only)s OR %(only)s IS NULL AND (
        due_at IS NOT NULL
        OR changed_at > to_timestamp(%(since)s / 1e6) - interval '1 minute'
        OR id IN (SELECT id FROM jobs WHERE owner_id = %(owner)s ORDER BY id DESC LIMIT 20)
    ))
    ORDER BY id DESC LIMIT 500
"""  # noqa: S608
STILL_SIGNED_IN = """
    SELECT users.id FROM sign_ins JOIN users ON users.id = user_id
    WHERE sign_ins.id = %(id)s AND ended_at IS NULL AND deactivated_at IS NULL
"""
# Seconds between two signs of life, each with a look whether this person is still signed in.
HEARTBEAT = 15.0
TICKET_SECONDS = 30


class Ticket(BaseModel):
    """For `?ticket=` of the socket's URL, within `expires_in` seconds."""

    ticket: str
    expires_in: int


def make_hub() -> Hub:
    return Hub(CHANGES, OF_IDS, _change_of)


def _change_of(row: DictRow) -> Change:
    version = int(row["changed_at"].timestamp() * 1_000_000)
    return Change(row["id"], version, JobOut.model_validate(row).model_dump_json())


@router.post("/events/ticket", responses=problems(NotAuthenticated))
async def get_ticket(current: CurrentSignIn) -> Ticket:
    """Browsers send no header with a socket, and an access token has no place in a URL."""
    ticket = sign_token("ticket", current.id, timedelta(seconds=TICKET_SECONDS))
    return Ticket(ticket=ticket, expires_in=TICKET_SECONDS)


async def watch_all(request: Request, current: CurrentSignIn) -> AsyncIterator[Subscription]:
    """Until the answer ends, however it does: the generator that reads it may be collected much later."""
    with request.app.state.hub.subscribe(current.user_id) as subscription:
        yield subscription


async def watch_one(job_id: UUID, request: Request, current: CurrentSignIn) -> AsyncIterator[Subscription]:
    with request.app.state.hub.subscribe(current.user_id, job_id) as subscription:
        yield subscription


@router.get("/events", response_class=EventSourceResponse, responses=problems(NotAuthenticated))
async def my_events(
    request: Request,
    current: CurrentSignIn,
    subscription: Annotated[Subscription, Depends(watch_all)],
    last_event_id: Annotated[int, Header(ge=0)] = 0,
) -> AsyncIterator[ServerSentEvent]:
    """`snapshot`: a list of jobs; then `job`: one as it is now. After a pause with the `Last-Event-ID` of before."""
    async for event in _events(request.app.state.hub, subscription, current.id, current.user_id, last_event_id):
        yield event


@router.get("/{job_id}/events", response_class=EventSourceResponse, responses=problems(NotAuthenticated))
async def events_of_one(
    request: Request, current: CurrentSignIn, subscription: Annotated[Subscription, Depends(watch_one)]
) -> AsyncIterator[ServerSentEvent]:
    """The same for one job of this person; of somebody else's the snapshot is empty."""
    async for event in _events(request.app.state.hub, subscription, current.id, current.user_id, 0):
        yield event


async def _events(
    hub: Hub, subscription: Subscription, sign_in_id: UUID, owner_id: UUID, since: int
) -> AsyncIterator[ServerSentEvent]:
    """Ends when the sign-in does, when the client is too slow, or when this process stops."""
    known: dict[UUID, int] = {}
    while True:
        if subscription.lost_track:
            await hub.listening.wait()
            if hub.over:
                return
            subscription.lost_track = False
            rows = await hub.read(SNAPSHOT, {"owner": owner_id, "only": subscription.only, "since": since})
            snapshot = [_change_of(row) for row in rows]
            known = {change.id: change.version for change in snapshot}
            since = max([since, *known.values()])
            jobs = ",".join(change.json for change in snapshot)
            yield ServerSentEvent(event="snapshot", id=str(since), raw_data=f"[{jobs}]")
        try:
            changes = await subscription.changes(HEARTBEAT)
        except Dropped:
            return
        for change in changes or ():
            if change.version > known.get(change.id, 0):
                since = max(since, change.version)
                yield ServerSentEvent(event="job", id=str(since), raw_data=change.json)
        if changes is None:
            if not await hub.read(STILL_SIGNED_IN, {"id": sign_in_id}):
                return
            yield ServerSentEvent(comment="still here")


@router.websocket("/events")
async def socket(websocket: WebSocket, ticket: str = "", last_event_id: int = 0) -> None:
    await _serve(websocket, ticket, None, last_event_id)


@router.websocket("/{job_id}/events")
async def socket_of_one(websocket: WebSocket, job_id: UUID, ticket: str = "") -> None:
    await _serve(websocket, ticket, job_id, 0)


async def _serve(websocket: WebSocket, ticket: str, only: UUID | None, since: int) -> None:
    """The same events, each as `{"event": ..., "id": ..., "data": ...}`. 1008: no valid ticket, or another site's page."""
    hub: Hub = websocket.app.state.hub
    try:
        sign_in_id = read_token("ticket", ticket)
    except TokenInvalid:
        await websocket.close(1008, "The ticket is wrong or too old; get another one.")
        return
    owners = await hub.read(STILL_SIGNED_IN, {"id": sign_in_id})
    if not owners or not from_our_page(websocket):
        await websocket.close(1008, "Not signed in, or opened by another site.")
        return
    await websocket.accept()
    owner_id = owners[0]["id"]
    # Who has gone, or takes nothing any more, makes the next send fail.
    with suppress(WebSocketDisconnect), hub.subscribe(owner_id, only) as subscription:
        async for event in _events(hub, subscription, sign_in_id, owner_id, since):
            kind, data = event.event or "heartbeat", event.raw_data or "null"
            await websocket.send_text("{" + f'"event":"{kind}","id":"{event.id or ""}","data":{data}' + "}")
        await websocket.close(1012, "Come back for a new snapshot.")
