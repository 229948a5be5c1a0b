"""What a person who watches jobs cannot do to the process, and when watching ends."""

from asyncio import gather, run, sleep
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from threading import Event, Thread
from time import monotonic

import httpx2
import pytest
from fastapi.testclient import TestClient
from live_server import read, serving
from people import SignInAs, new_user
from sqlalchemy import update
from sqlalchemy.orm import Session
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from work import add_user

from app.accounts.models import User
from app.settings import API
from groundwork.data import new_session
from groundwork.jobs import Job, Status, enqueue
from groundwork.jobs.feed import TOGETHER, Feed
from groundwork.testing import SetVariable

EVENTS = f"{API}/jobs/events"
Headers = dict[str, str]


@contextmanager
def opened(url: str, headers: Headers) -> Iterator[ClientConnection]:
    """A socket, after its snapshot."""
    ticket = httpx2.post(f"{url}{EVENTS}/ticket", headers=headers).json()["ticket"]
    with connect(f"{url.replace('http', 'ws')}{EVENTS}?ticket={ticket}", max_queue=None) as socket:
        assert "snapshot" in str(socket.recv(10))
        yield socket


@contextmanager
def moving(user: User) -> Iterator[None]:
    """A job of this person that always has something to tell."""
    with new_session() as session:
        job = enqueue(session, add_user, owner=user.id, email="grace@example.org")
        session.commit()
    over = Event()

    def work() -> None:
        done = 0
        while not over.wait(0.05):
            done += 1
            with new_session() as session:
                seen = {"done": done, "total": 9, "note": ""}
                session.execute(update(Job).where(Job.id == job.id).values(progress=seen))
                session.commit()

    busy = Thread(target=work)
    busy.start()
    try:
        yield
    finally:
        over.set()
        busy.join()


@pytest.mark.parametrize(("says", "code"), [("hello", 1008), ("x" * 2000, 1009)], ids=["anything", "more than 1 kB"])
def test_a_socket_is_closed_at_whatever_its_client_says(user: User, sign_in: SignInAs, says: str, code: int) -> None:
    with serving() as (url, _), opened(url, sign_in()) as socket:
        socket.send(says)
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(10)

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == code


def test_a_person_has_a_bounded_number_of_streams_and_sockets(
    user: User, session: Session, sign_in: SignInAs, set_variable: SetVariable
) -> None:
    new_user(session, "eve@example.org")
    set_variable("STREAMS_PER_PERSON", "2")
    with (
        serving() as (url, _),
        httpx2.Client(base_url=url, headers=sign_in(), timeout=10) as http,
        ExitStack() as first,
    ):
        ticket = http.post(f"{EVENTS}/ticket").json()["ticket"]
        lines = first.enter_context(http.stream("GET", EVENTS)).iter_lines()
        read(lines)
        with opened(url, sign_in()):
            refused = http.get(EVENTS), http.get(f"{API}/jobs/{user.id}/events")
            third = first.enter_context(connect(f"{url.replace('http', 'ws')}{EVENTS}?ticket={ticket}"))
            with pytest.raises(ConnectionClosed) as closed:
                third.recv(10)
            with opened(url, sign_in("eve@example.org")):
                pass
        with opened(url, sign_in()):
            pass

    assert {(reply.status_code, reply.json()["type"]) for reply in refused} == {(429, "urn:problem:too-many-streams")}
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1013


@pytest.mark.parametrize("way", ["sign-out", "another device", "deactivation"])
def test_streams_and_sockets_end_within_two_seconds_with_the_sign_in(
    client: TestClient, user: User, sign_in: SignInAs, admin: Headers, way: str
) -> None:
    headers = sign_in()
    with (
        serving() as (url, _),
        httpx2.Client(base_url=url, headers=headers, timeout=10) as http,
        moving(user),
        opened(url, headers) as socket,
        http.stream("GET", EVENTS) as stream,
    ):
        lines = stream.iter_lines()
        read(lines)
        if way == "deactivation":
            client.post(f"{API}/users/{user.id}/deactivate", headers=admin)
        elif way == "another device":
            [here] = [each["id"] for each in http.get(f"{API}/auth/sign-ins").json() if each["current"]]
            client.delete(f"{API}/auth/sign-ins/{here}", headers=sign_in())
        else:
            http.post(f"{API}/auth/sign-out")
        ended = monotonic()
        with pytest.raises(ConnectionClosed) as closed:
            list(socket)
        list(lines)

    # A second between two looks, and what a busy machine takes.
    assert monotonic() - ended < 4
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008


def test_those_who_stay_signed_in_go_on_watching(client: TestClient, user: User, sign_in: SignInAs) -> None:
    gone, stays = sign_in(), sign_in()
    with serving() as (url, _), opened(url, gone) as ends, opened(url, stays) as goes_on, moving(user):
        client.post(f"{API}/auth/sign-out", headers=gone)
        with pytest.raises(ConnectionClosed):
            list(ends)
        for _ in range(5):
            assert "job" in str(goes_on.recv(10))


def test_a_heavy_snapshot_keeps_nobody_from_what_has_changed(user: User, session: Session) -> None:
    jobs = [enqueue(session, add_user, owner=user.id, email="grace@example.org") for _ in range(3 * TOGETHER)]
    session.flush()
    session.execute(update(Job).values(status=Status.RUNNING, result="x" * 10_000))
    session.commit()
    order = []

    async def both() -> None:
        feed = Feed()

        async def snapshot() -> None:
            shown = await feed.snapshot(user.id, None, 0)
            order.append(f"{len(shown)} jobs")
            assert all(newer.id > older.id for newer, older in pairwise(shown))

        async def change() -> None:
            await sleep(0)
            await feed.changes([jobs[0].id])
            order.append("a change")

        try:
            await gather(snapshot(), change())
        finally:
            await feed.close()

    run(both())

    assert order == ["a change", f"{len(jobs)} jobs"]


@pytest.mark.parametrize("known", [2**53 + 1, 10**40])
def test_what_no_event_had_as_its_id_is_refused(user: User, sign_in: SignInAs, known: int) -> None:
    headers = sign_in()
    with serving() as (url, _):
        answer = httpx2.get(url + EVENTS, headers=headers | {"Last-Event-ID": str(known)})
        ticket = httpx2.post(f"{url}{EVENTS}/ticket", headers=headers).json()["ticket"]
        with pytest.raises(InvalidStatus) as refused:
            connect(f"{url.replace('http', 'ws')}{EVENTS}?ticket={ticket}&last_event_id={known}")

    assert answer.status_code == 422
    assert refused.value.response.status_code == 403
