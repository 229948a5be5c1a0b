"""A service behind PgBouncer in transaction mode, on real processes: from a registration to a job that is seen live."""

import json
import re
import subprocess
from collections.abc import Iterator
from email import message_from_bytes, policy
from pathlib import Path

import httpx2
import psycopg
import pytest
from conftest import Generate, present_or_skipped

from chaos_program import until
from pgbouncer import pgbouncer
from run_folder import RunFolder
from serving import Serving, serving

pytestmark = pytest.mark.slow

ADA = {"email": "ada@example.org", "password": "correct horse battery"}
# Those of the service, by how they came; the pooler names itself nowhere, so by what the role last did.
CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


@pytest.mark.parametrize(("broker", "database"), [("redis", "async"), ("rabbitmq", "sync")])
def test_requests_use_the_pooler_and_everything_else_postgresql_itself(
    generate: Generate, run_folder: RunFolder, workplace: Path, broker: str, database: str
) -> None:
    render = generate(broker=broker, database=database)
    with (
        present_or_skipped(),
        serving(run_folder, render, workplace, broker, lambda url: pgbouncer(run_folder, url)) as service,
        httpx2.Client(base_url=f"{service.url}/api/v1", timeout=60) as http,
    ):
        sign_in(http, workplace / "outbox")
        with http.stream("GET", "/jobs/events") as stream:
            lines = stream.iter_lines()
            assert next_event(lines) == []
            # More than a statement that psycopg prepares, on more connections than the pooler has.
            replies = [http.post("/reports", json={"days": 20}) for _ in range(8)]
            seen = see_the_end_of(replies[-1].json()["id"], lines)
        direct = doctor(service)
        pooled = doctor(service, DIRECT_DATABASE_URL="")
        other = doctor(service, DIRECT_DATABASE_URL=service.database_url.rpartition("/")[0] + "/postgres")

    assert {reply.status_code for reply in replies} == {202}
    # What comes only with the heartbeat of a stream has ended long ago.
    assert seen[-1] == "succeeded"
    assert "running" in seen
    assert direct.returncode == 0, direct.stdout
    print(direct.stdout, pooled.stdout, other.stdout)
    assert pooled.returncode == other.returncode == 1


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
    return json.loads(next(line for line in lines if line.startswith("data: ")).removeprefix("data: "))


def see_the_end_of(job: str, lines: Iterator[str]) -> list[str]:
    seen: list[str] = []
    while not seen or seen[-1] not in {"succeeded", "failed"}:
        event = next_event(lines)
        assert isinstance(event, dict)
        if event["id"] == job:
            seen.append(event["status"])
    return seen


def doctor(service: Serving, **variables: str) -> "subprocess.CompletedProcess[str]":
    environment = service.variables | variables
    words = [service.python, "-m", "app.cli", "doctor"]
    return subprocess.run(words, cwd=service.project, env=environment, capture_output=True, text=True)
