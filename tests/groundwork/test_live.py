"""People watch their jobs, by sockets and streams."""

from time import sleep

import httpx2
import pytest
from fastapi.testclient import TestClient
from live_server import read, serving
from people import SignInAs, new_user
from sqlalchemy import text, update
from sqlalchemy.orm import Session
from starlette.websockets import WebSocketDisconnect
from work import add_user

from app.accounts.models import User
from app.settings import API
from groundwork.data import new_session
from groundwork.jobs.enqueueing import enqueue
from groundwork.jobs.models import Job, Status
from groundwork.testing import SetVariable

Headers = dict[str, str]
EVENTS = f"{API}/jobs/events"


def new_job(user: User) -> Job:
    with new_session() as session:
        job = enqueue(session, add_user, owner=user.id, email="grace@example.org")
        session.commit()
        return job


def progress(job: Job, done: int) -> None:
    with new_session() as session:
        session.execute(update(Job).where(Job.id == job.id).values(progress={"done": done, "total": 9, "note": ""}))
        session.commit()


CUT_THE_HUB_OFF = text(
    """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
    AND (query LIKE 'LISTEN job_changes%' OR query LIKE '%FROM jobs WHERE id = ANY(%')
    """
)


def ticket(client: TestClient, headers: Headers) -> str:
    return str(client.post(f"{EVENTS}/ticket", headers=headers).json()["ticket"])


def test_a_socket_shows_a_snapshot_and_then_each_change_of_ones_own_jobs(
    client: TestClient, user: User, session: Session, sign_in: SignInAs
) -> None:
    eve = new_user(session, "eve@example.org")
    first = new_job(user)
    with client.websocket_connect(f"{EVENTS}?ticket={ticket(client, sign_in())}") as socket:
        snapshot = socket.receive_json()
        new_job(eve)
        progress(first, 3)
        changed = socket.receive_json()
        second = new_job(user)
        added = socket.receive_json()

    assert (snapshot["event"], [job["id"] for job in snapshot["data"]]) == ("snapshot", [str(first.id)])
    assert (changed["event"], changed["data"]["progress"]["done"]) == ("job", 3)
    assert added["data"]["id"] == str(second.id)
    assert int(snapshot["id"]) < int(changed["id"]) < int(added["id"])


@pytest.mark.parametrize(
    "wrong",
    [
        "NOTIFY job_changes, 'nonsense'",
        """UPDATE jobs SET progress = '{"percent": 3}' WHERE id = :id""",
        "UPDATE jobs SET status = 'paused' WHERE id = :id",
    ],
    ids=["notification", "progress", "status"],
)
def test_what_nobody_understands_keeps_no_stream_from_what_comes_next(
    client: TestClient, user: User, session: Session, sign_in: SignInAs, wrong: str
) -> None:
    strange = new_job(user)
    with client.websocket_connect(f"{EVENTS}?ticket={ticket(client, sign_in())}") as socket:
        socket.receive_json()
        session.execute(text(wrong), {"id": strange.id} if ":id" in wrong else {})
        session.commit()
        # Not in the same breath.
        sleep(0.2)
        later = new_job(user)

        assert socket.receive_json()["data"]["id"] == str(later.id)
    with client.websocket_connect(f"{EVENTS}?ticket={ticket(client, sign_in())}") as socket:
        assert str(later.id) in [job["id"] for job in socket.receive_json()["data"]]


def test_a_snapshot_has_what_runs_however_much_has_ended_since(
    client: TestClient, user: User, session: Session, sign_in: SignInAs
) -> None:
    running = new_job(user)
    for _ in range(600):
        enqueue(session, add_user, owner=user.id, email="grace@example.org")
    session.flush()
    session.execute(update(Job).where(Job.id != running.id).values(status=Status.SUCCEEDED, due_at=None))
    session.commit()

    with client.websocket_connect(f"{EVENTS}?ticket={ticket(client, sign_in())}&last_event_id=1") as socket:
        seen = [job["id"] for job in socket.receive_json()["data"]]

    assert str(running.id) in seen
    assert seen == sorted(seen, reverse=True)


def test_a_socket_of_one_job_shows_no_other_and_none_of_somebody_else(
    client: TestClient, user: User, session: Session, sign_in: SignInAs
) -> None:
    new_user(session, "eve@example.org")
    one, other = new_job(user), new_job(user)
    url = f"{API}/jobs/{one.id}/events"

    with client.websocket_connect(f"{url}?ticket={ticket(client, sign_in('eve@example.org'))}") as socket:
        assert socket.receive_json()["data"] == []
    with client.websocket_connect(f"{url}?ticket={ticket(client, sign_in())}") as socket:
        assert [job["id"] for job in socket.receive_json()["data"]] == [str(one.id)]
        progress(other, 1)
        progress(one, 2)
        assert socket.receive_json()["data"]["progress"]["done"] == 2


def test_no_socket_without_a_ticket_or_from_another_sites_page(
    client: TestClient, user: User, sign_in: SignInAs
) -> None:
    headers = sign_in()
    good = ticket(client, headers)
    access = headers["Authorization"].removeprefix("Bearer ")
    evil = {"Origin": "https://evil.example"}
    tries: list[tuple[str, Headers]] = [
        ("", {}),
        ("?ticket=x", {}),
        (f"?ticket={access}", {}),
        (f"?ticket={good}", evil),
    ]

    for query, more in tries:
        with pytest.raises(WebSocketDisconnect) as refused, client.websocket_connect(EVENTS + query, headers=more):
            pass
        assert refused.value.code == 1008
    client.post(f"{API}/auth/sign-out", headers=headers)
    with pytest.raises(WebSocketDisconnect), client.websocket_connect(f"{EVENTS}?ticket={good}"):
        pass


def test_signing_out_ends_an_open_socket(
    client: TestClient, user: User, sign_in: SignInAs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("groundwork.jobs.stream.HEARTBEAT", 0.05)
    headers = sign_in()
    with client.websocket_connect(f"{EVENTS}?ticket={ticket(client, headers)}") as socket:
        assert [socket.receive_json()["event"] for _ in range(2)] == ["snapshot", "heartbeat"]
        client.post(f"{API}/auth/sign-out", headers=headers)
        with pytest.raises(WebSocketDisconnect):
            [socket.receive_json() for _ in range(1000)]


def test_after_a_restart_of_the_database_a_socket_gets_a_new_snapshot(
    client: TestClient, user: User, session: Session, sign_in: SignInAs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("groundwork.live.hub.PAUSE", 0.01)
    with client.websocket_connect(f"{EVENTS}?ticket={ticket(client, sign_in())}") as socket:
        socket.receive_json()
        job = new_job(user)
        # The hub's own connections are known by what they asked last.
        socket.receive_json()
        assert len(session.execute(CUT_THE_HUB_OFF).all()) == 2
        again = socket.receive_json()
        progress(job, 5)
        changed = socket.receive_json()

    assert (again["event"], [each["id"] for each in again["data"]]) == ("snapshot", [str(job.id)])
    assert changed["data"]["progress"]["done"] == 5


def test_streams_of_two_processes_show_each_change_and_go_on_where_a_client_was(
    client: TestClient, user: User, sign_in: SignInAs, set_variable: SetVariable
) -> None:
    job, headers = new_job(user), sign_in()
    # A stream that kept its connection would leave none for the next request.
    set_variable("DATABASE_POOL_SIZE", "1")
    with serving() as (one, _), serving() as (two, _), httpx2.Client(headers=headers, timeout=10) as http:
        with http.stream("GET", one + EVENTS) as first, http.stream("GET", two + EVENTS) as second:
            streams = [first.iter_lines(), second.iter_lines()]
            snapshots = [read(stream) for stream in streams]
            progress(job, 4)
            changes = [read(stream) for stream in streams]
        progress(job, 7)
        with http.stream("GET", two + EVENTS, headers={"Last-Event-ID": changes[0]["id"]}) as third:
            resumed = read(third.iter_lines())

    assert [event["event"] for event in snapshots + changes] == ["snapshot", "snapshot", "job", "job"]
    assert {event["data"]["progress"]["done"] for event in changes} == {4}
    assert resumed["data"][0]["progress"]["done"] == 7
    assert client.get(EVENTS).status_code == 401
