"""What the service asks of a table of millions of jobs: bytes for each, and milliseconds of each statement.

`make bench-scale`, or `make bench-scale ARGS="--millions 1 --explain"`. Five millions take some minutes and 3 GB.
"""

import json
import subprocess
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from statistics import median
from time import perf_counter
from urllib.request import Request, urlopen
from uuid import UUID, uuid4

import psycopg

from combinations import TEMPLATE
from contenders import WORK, Program
from private_servers import free_port
from processes import run_folder, started
from run_folder import RunFolder
from service import Service, served

ROWS = (Path(__file__).parent / "rows.sql").read_bytes()
PEOPLE = 10_001
# Rows of one transaction.
PORTION = 250_000
PUBLISHED = """
    UPDATE jobs SET published_at = now(), due_at = now() + interval '1 minute'
    WHERE id IN (SELECT id FROM jobs WHERE status = 'queued' ORDER BY due_at LIMIT 500)
"""


def main() -> None:
    wanted = _arguments()
    total = int(wanted.millions * 1_000_000)
    with run_folder() as run, served(run, "redis", wanted.template) as service:
        owner = _fill(service, total)
        print(_sizes(service, total), flush=True)
        print(_table({"GET /health/ready": _readiness(run, service)} | _statements(service, owner, wanted.explain)))


def _arguments() -> Namespace:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--millions", type=float, default=5, help="of jobs")
    parser.add_argument("--explain", action="store_true", help="with the plan of each statement")
    parser.add_argument("--template", type=Path, default=TEMPLATE, help="another checkout, to compare with")
    wanted: Namespace = parser.parse_args()
    return wanted


def _fill(service: Service, total: int) -> UUID:
    """Returns the heavy owner."""
    people = [uuid4() for _ in range(PEOPLE)]
    with psycopg.connect(service.database_url, autocommit=True) as connection:
        # Without triggers, nobody watches; and each owner is a user.
        connection.execute("SET session_replication_role = replica")
        add = "INSERT INTO users (id, email, password_hash, admin, verified_at)"
        values = "SELECT id, id || '@example.org', 'x', false, now() FROM unnest(%s::uuid[]) AS id"
        connection.execute(f"{add} {values}".encode(), [people])
        connection.execute("INSERT INTO ticks (name) VALUES ('relay')")
        for first in range(1, total + 1, PORTION):
            last = min(first + PORTION - 1, total)
            connection.execute(ROWS, {"first": first, "last": last, "total": total, "people": people})
        known = "SELECT 1 FROM information_schema.columns WHERE (table_name, column_name) = ('jobs', 'published_at')"
        if connection.execute(known).fetchone():
            connection.execute(PUBLISHED)
        connection.execute("VACUUM ANALYZE jobs")
        connection.execute("CHECKPOINT")
    return people[0]


def _sizes(service: Service, total: int) -> str:
    with psycopg.connect(service.database_url) as connection:
        indexes = connection.execute(
            "SELECT indexrelname, pg_relation_size(indexrelid) FROM pg_stat_user_indexes WHERE relname = 'jobs' ORDER BY 2"
        ).fetchall()
        row = connection.execute("SELECT pg_total_relation_size('jobs'), pg_table_size('jobs')").fetchone()
    assert row is not None
    parts = [("table", row[1]), *reversed(indexes)]
    said = ", ".join(f"{name} {size / total:.1f}" for name, size in parts)
    return f"{total:,} jobs, {row[0] / total:.0f} bytes each: {said}.\n"


def _readiness(run: RunFolder, service: Service) -> list[float]:
    port = free_port()
    program = Program(("uvicorn", "--factory", "app.main:create_app", "--port", str(port)), "Uvicorn running on")
    times = []
    token = "of-this-benchmark-" * 2
    asked = Request(f"http://127.0.0.1:{port}/health/ready", headers={"Authorization": f"Bearer {token}"})
    environment = service.environment("durable") | {"HEALTH_TOKEN": token}
    with started(run, service, program, run.path / "api.log", environment):
        for turn in range(16):
            began = perf_counter()
            with urlopen(asked, timeout=60) as reply:
                reply.read()
            if turn:
                times.append(1000 * (perf_counter() - began))
    return times


def _statements(service: Service, owner: UUID, explain: bool) -> dict[str, list[float]]:
    words: list[str | Path] = [service.program("python"), WORK / "statements.py", str(owner), *["explain"] * explain]
    environment = service.environment("durable")
    done = subprocess.run(words, cwd=service.folder, env=environment, capture_output=True, text=True, timeout=1200)
    if done.returncode != 0:
        raise RuntimeError(f"the statements failed:\n{done.stderr}")
    if explain:
        print(done.stderr, file=sys.stderr)
    seen: dict[str, list[float]] = json.loads(done.stdout.splitlines()[-1])
    return seen


def _table(seen: dict[str, list[float]]) -> str:
    lines = ["| asked | ms, median | worst |", "|---|---|---|"]
    lines += [f"| {name} | {median(times):.1f} | {max(times):.1f} |" for name, times in seen.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
