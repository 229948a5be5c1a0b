"""A service behind PgBouncer in transaction mode, on real processes: from a registration to a job that is seen live."""

import json
import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from functools import partial
from pathlib import Path

import httpx2
import psycopg
import pytest
from conftest import Generate, present_or_skipped

from chaos_program import until
from proxies import pgbouncer
from run_folder import RunFolder
from serving import Serving, serving

pytestmark = [pytest.mark.servers, pytest.mark.slow]

ADA = {"email": "ada@example.org", "password": "correct horse battery"}


def test_requests_use_the_pooler_and_everything_else_postgresql_itself(
    generate: Generate, run_folder: RunFolder, workplace: Path
) -> None:
    render = generate(broker="rabbitmq", database="sync")
    with (
        present_or_skipped(),
        serving(run_folder, render, workplace, "rabbitmq", pooler=partial(pgbouncer, run_folder, render)) as service,
        httpx2.Client(base_url=f"{service.url}/api/v1", timeout=60) as http,
    ):
        sign_in(http, workplace / "outbox")
        with http.stream("GET", "/jobs/events") as stream:
            lines = stream.iter_lines()
            assert next_event(lines) == []
            # More than a statement that psycopg prepares, on more connections than the pooler has.
            replies = [http.post("/reports", json={"days": 5}) for _ in range(8)]
            seen = see_the_end_of(replies[-1].json()["id"], lines)
            connections = {name: direct_connections(service, name) for name in ("api", "worker")}
        healthy = service.doctor()
        forgotten = service.doctor(DIRECT_DATABASE_URL="")
        pooled_too = service.doctor(DIRECT_DATABASE_URL=service.variables["DATABASE_URL"])

    assert {reply.status_code for reply in replies} == {202}
    # All that comes with the heartbeat of a stream is the end.
    assert seen[-1] == "succeeded"
    assert "running" in seen
    # As the guide says: of an API process with a stream, and of a worker with two processes.
    assert connections["api"] == 3
    assert 1 < connections["worker"] <= 9
    assert healthy.returncode == 0, healthy.stdout
    assert "  ->  set DIRECT_DATABASE_URL to PostgreSQL itself\n" in forgotten.stdout
    assert "  ->  let it lead to PostgreSQL itself, or to a pooler in session mode\n" in pooled_too.stdout


def sign_in(http: httpx2.Client, outbox: Path) -> None:
    assert http.post("/users", json=ADA).status_code == 202
    message = until(lambda: next(outbox.glob("*.eml"), None), "the message arrives")
    body = message_from_bytes(message.read_bytes(), policy=policy.default).get_body(("plain",))
    assert body
    [token] = re.findall(r"http\S+[#=]([\w-]+)", body.get_content())
    assert http.post("/auth/verify", json={"token": token}).status_code == 204
    reply = http.post("/auth/token", data={"username": ADA["email"], "password": ADA["password"]})
    http.headers["Authorization"] = f"Bearer {reply.json()['access_token']}"


def next_event(lines: Iterator[str]) -> object:
    heartbeats = 0
    for line in lines:
        if line.startswith("data: "):
            return json.loads(line.removeprefix("data: "))
        heartbeats += line.startswith(":")
        assert heartbeats < 8, "nothing but the heartbeat came"
    raise AssertionError("the stream has ended")


def see_the_end_of(job: str, lines: Iterator[str]) -> list[str]:
    seen: list[str] = []
    while not seen or seen[-1] not in {"succeeded", "failed"}:
        event = next_event(lines)
        assert isinstance(event, dict)
        if event["id"] == job:
            seen.append(event["status"])
    return seen


def direct_connections(service: Serving, name: str) -> int:
    """How many sessions of PostgreSQL a program and its children have by themselves."""
    family = {"api": service.api, "worker": service.worker}[name].family()
    ports = [each.laddr.port for process in family for each in process.net_connections("tcp") if each.laddr]
    with psycopg.connect(service.database_url) as connection:
        sessions = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND client_port = ANY(%s)"
        row = connection.execute(sessions, [ports]).fetchone()
    assert row
    return int(row[0])
