"""The connections behind streams and sockets: held while somebody watches, and replaced when they fall silent."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any
from uuid import UUID

import httpx2
import psycopg
import pytest
from fastapi.testclient import TestClient
from live_server import read, serving
from people import SignInAs
from silent_proxy import proxied
from sqlalchemy import select, update
from sqlalchemy.orm import Session
from starlette.websockets import WebSocketDisconnect
from uuid_utils.compat import uuid7
from work import add_user

from app.accounts.models import User
from app.settings import API
from groundwork.data import engine, new_session
from groundwork.jobs.enqueueing import enqueue
from groundwork.jobs.models import Job, Status
from groundwork.settings import get_settings
from groundwork.testing import SetVariable, Worker, until

EVENTS = f"{API}/jobs/events"
# As one whose notice was lost.
ANOTHER = """
    INSERT INTO jobs (id, task, arguments, owner_id, status, attempts, crashes, history, error)
    SELECT %s, task, arguments, owner_id, status, 0, 0, history, 'new' FROM jobs WHERE id = %s
"""


@contextmanager
def watching(client: TestClient, headers: dict[str, str], job: UUID | None = None) -> Iterator[Any]:
    """A socket, after its snapshot."""
    ticket = client.post(f"{EVENTS}/ticket", headers=headers).json()["ticket"]
    path = f"{API}/jobs/{job}/events" if job else EVENTS
    with client.websocket_connect(f"{path}?ticket={ticket}") as socket:
        assert socket.receive_json()["event"] == "snapshot"
        yield socket


def new_job(user: User) -> UUID:
    with new_session() as session:
        job = enqueue(session, add_user, owner=user.id, email="grace@example.org")
        session.commit()
        return job.id


def progress(job: UUID, done: int) -> None:
    with engine().begin() as connection:
        seen = {"done": done, "total": 9, "note": ""}
        connection.execute(update(Job).where(Job.id == job).values(progress=seen))


def listeners() -> int:
    with engine().connect() as connection:
        held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ShareLock'"
        here = " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        return int(connection.exec_driver_sql(held + here).scalar_one())


def connections() -> int:
    with engine().connect() as connection:
        here = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        return int(connection.exec_driver_sql(here + " AND backend_type = 'client backend'").scalar_one())


def test_a_process_holds_connections_for_streams_only_while_one_is_open(
    user: User, sign_in: SignInAs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("groundwork.live.hub.SILENCE", 0.05)
    monkeypatch.setattr("groundwork.live.hub.GRACE", 0.1)
    with serving() as (url, _), httpx2.Client(headers=sign_in(), timeout=10) as http:
        counts = []
        # The first time the pool grows too.
        for _ in range(2):
            until(lambda: listeners() == 0)
            without = connections()
            with http.stream("GET", url + EVENTS) as stream:
                read(stream.iter_lines())
                counts.append((connections() - without, listeners()))
        until(lambda: (connections(), listeners()) == (without, 0))

    assert counts[-1] == (2, 1)


def test_a_connection_that_falls_silent_is_replaced_and_streams_get_a_new_snapshot(
    user: User, sign_in: SignInAs, set_variable: SetVariable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("groundwork.live.hub.SILENCE", 0.2)
    monkeypatch.setattr("groundwork.live.hub.PAUSE", 0.01)
    monkeypatch.setattr("groundwork.live.reader.PATIENCE", 0.5)
    job, headers, direct = new_job(user), sign_in(), get_settings().database_url
    with proxied(get_settings().database_url) as proxy, httpx2.Client(headers=headers, timeout=10) as http:
        set_variable("DATABASE_URL", proxy.url)
        with serving() as (url, _), http.stream("GET", url + EVENTS) as stream:
            lines = stream.iter_lines()
            read(lines)
            proxy.fall_silent()
            with psycopg.connect(direct) as other:
                other.execute("UPDATE jobs SET run_at = now(), error = 'seen' WHERE id = %s", [job])
            again = read(lines)

    assert (again["event"], [each["error"] for each in again["data"]]) == ("snapshot", ["seen"])


def test_a_read_that_gets_no_answer_ends_the_stream(
    user: User, sign_in: SignInAs, set_variable: SetVariable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("groundwork.jobs.stream.HEARTBEAT", 0.2)
    monkeypatch.setattr("groundwork.live.reader.PATIENCE", 0.2)
    headers = sign_in()
    with proxied(get_settings().database_url) as proxy, httpx2.Client(headers=headers, timeout=10) as http:
        set_variable("DATABASE_URL", proxy.url)
        with serving() as (url, _), http.stream("GET", url + EVENTS) as stream:
            lines = stream.iter_lines()
            read(lines)
            with engine().connect() as connection:
                # What waits for a lock says nothing, as a server that hangs.
                connection.exec_driver_sql("LOCK TABLE jobs, sign_ins IN ACCESS EXCLUSIVE MODE")
                rest = list(lines)

    assert {line for line in rest if line} <= {": still here"}


def test_what_no_notice_told_of_is_found_at_a_heartbeat(
    client: TestClient, user: User, sign_in: SignInAs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("groundwork.jobs.stream.HEARTBEAT", 0.2)
    job = new_job(user)
    with watching(client, sign_in()) as socket:
        with psycopg.connect(get_settings().database_url) as other:
            other.execute("UPDATE jobs SET progress = NULL, error = 'seen' WHERE id = %s", [job])
            other.execute(ANOTHER, [another := uuid7(), job])
        told = [socket.receive_json() for _ in range(6)]

    seen = {event["data"]["id"]: event["data"]["error"] for event in told if event["event"] == "job"}
    assert seen == {str(job): "seen", str(another): "new"}


def test_signing_out_ends_a_socket_that_always_has_something_to_tell(
    client: TestClient, user: User, sign_in: SignInAs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("groundwork.jobs.stream.HEARTBEAT", 0.5)
    job, headers, over = new_job(user), sign_in(), Event()

    def work() -> None:
        done = 0
        while not over.wait(0.02):
            done += 1
            progress(job, done)

    busy = Thread(target=work)
    busy.start()
    try:
        with watching(client, headers) as socket:
            socket.receive_json()
            client.post(f"{API}/auth/sign-out", headers=headers)
            with pytest.raises(WebSocketDisconnect):
                [socket.receive_json() for _ in range(200)]
    finally:
        over.set()
        busy.join()


def test_a_socket_hears_of_a_job_while_a_worker_runs_it(
    client: TestClient, user: User, sign_in: SignInAs, worker: Worker, session: Session
) -> None:
    # Until the worker has started.
    enqueue(session, add_user, email="linus@example.org")
    session.commit()
    until(lambda: session.scalar(select(Job.id).where(Job.status == Status.SUCCEEDED)), 60)
    with watching(client, sign_in()) as socket:
        new_job(user)
        seen: list[str] = []
        while "succeeded" not in seen:
            event = socket.receive_json()
            assert event["event"] == "job", f"only a heartbeat tells after {seen}"
            seen.append(event["data"]["status"])

    assert seen == [status for status in ("queued", "running", "succeeded") if status in seen]
