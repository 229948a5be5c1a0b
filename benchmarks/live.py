"""From a commit to a browser's event: one, a hundred and a thousand sockets on one API process.

`make bench-live`, or `make bench-live ARGS="--sockets 1000 --changes 20 --rounds 1"`.
"""

import asyncio
import json
import subprocess
from argparse import ArgumentParser, Namespace
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from resource import RLIMIT_NOFILE, getrlimit, setrlimit
from statistics import median, quantiles
from time import perf_counter

import psutil
import psycopg
from psycopg import AsyncConnection

from contenders import WORK, Program
from private_servers import free_port
from processes import run_folder, started
from run_folder import RunFolder
from service import Service, served
from watchers import watch

# The channel of the service's jobs; it listens to the same one.
LISTEN = b"LISTEN job_changes"
# Not PostgreSQL's own, as autovacuum's.
CONNECTIONS = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""

Audience = list[dict[str, str]]


@dataclass
class Heard:
    """Milliseconds from the COMMIT's beginning: until a bare LISTEN heard, one socket of all, and each of all."""

    listen: list[float] = field(default_factory=list)
    one: list[float] = field(default_factory=list)
    each: list[float] = field(default_factory=list)
    # KiB of the process for each socket, and connections of the whole process to the database.
    memory: list[float] = field(default_factory=list)
    connections: list[int] = field(default_factory=list)


def main() -> None:
    wanted = _arguments()
    # A thousand sockets are more files than a shell allows at first; the API inherits what is allowed here.
    _, most = getrlimit(RLIMIT_NOFILE)
    setrlimit(RLIMIT_NOFILE, (most, most))
    with run_folder() as run, served(run, "redis") as service:
        audience = _audience(service, max(wanted.sockets))
        heard = {number: Heard() for number in wanted.sockets}
        for turn in range(wanted.rounds):
            for number in wanted.sockets if turn % 2 == 0 else reversed(wanted.sockets):
                with _api(run, service) as (url, process):
                    asyncio.run(_measure(service, url, process, audience[:number], wanted.changes, heard[number]))
        print(_table(heard, wanted.changes, wanted.rounds))


def _arguments() -> Namespace:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--sockets", type=int, action="append", help="so many at once; may be given again")
    parser.add_argument("--changes", type=int, default=100, help="that one socket hears, and then all hear")
    parser.add_argument("--rounds", type=int, default=3)
    wanted = parser.parse_args()
    wanted.sockets = wanted.sockets or [1, 100, 1000]
    return wanted


def _audience(service: Service, people: int) -> Audience:
    words: list[str | Path] = [service.program("python"), WORK / "audience.py", str(people)]
    environment = service.environment("durable")
    done = subprocess.run(words, cwd=service.folder, env=environment, capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        raise RuntimeError(f"no audience:\n{done.stderr}")
    audience: Audience = json.loads(done.stdout)
    return audience


@contextmanager
def _api(run: RunFolder, service: Service) -> Iterator[tuple[str, psutil.Process]]:
    port = free_port()
    words = ("uvicorn", "--factory", "app.main:create_app", "--port", str(port))
    program = Program(words, "Uvicorn running on")
    # The crowd are sockets of one person.
    environment = service.environment("durable") | {"STREAMS_PER_PERSON": "10000"}
    with started(run, service, program, run.path / "api.log", environment) as process:
        yield f"http://127.0.0.1:{port}", process


async def _measure(
    service: Service, url: str, process: psutil.Process, audience: Audience, changes: int, heard: Heard
) -> None:
    tickets = [person["ticket"] for person in audience]
    numbers = count(1)
    # What the first sockets of a process load for good is no socket's own.
    first = await watch(url, tickets[:1] * 20)
    before = await _memory(process)
    async with (
        _changer(service) as changer,
        await AsyncConnection.connect(service.database_url, autocommit=True) as listener,
    ):
        await listener.execute(LISTEN)
        everybody = await watch(url, tickets)
        heard.memory.append((await _memory(process) - before) / len(everybody) / 1024)
        # Not sooner: the next ones would live in what these gave back.
        for watcher in first:
            watcher.close()
        # Without the listener's; the changer has none before the first change.
        heard.connections.append(_connections(service) - 1)
        for change in range(changes):
            person = change % len(audience)
            number = next(numbers)
            began, listened = await _change(changer, listener, audience[person]["job"], number)
            heard.listen.append(1000 * (listened - began))
            heard.one.append(1000 * (await everybody[person].hears(number) - began))
        told = [[job for job, _ in watcher.heard] for watcher in everybody]
        due = [[person["job"]] * len(range(place, changes, len(audience))) for place, person in enumerate(audience)]
        assert told == due, "somebody missed a change, heard it twice, or heard of another's job"
        for watcher in everybody:
            watcher.close()

        crowd = await watch(url, tickets[:1] * len(audience))
        for _ in range(changes):
            number = next(numbers)
            began, _ = await _change(changer, listener, audience[0]["job"], number)
            heard.each += [1000 * (await watcher.hears(number) - began) for watcher in crowd]
        assert {len(watcher.heard) for watcher in crowd} == {changes}, "somebody missed a change, or heard it twice"
        for watcher in crowd:
            watcher.close()


@asynccontextmanager
async def _changer(service: Service) -> AsyncIterator[Process]:
    words = [service.program("python"), WORK / "changer.py"]
    environment = service.environment("durable")
    process = await asyncio.create_subprocess_exec(*words, cwd=service.folder, env=environment, stdin=PIPE, stdout=PIPE)
    try:
        yield process
    finally:
        process.kill()
        await process.wait()


async def _change(changer: Process, listener: AsyncConnection, job: str, number: int) -> tuple[float, float]:
    """When the COMMIT began, and when a bare LISTEN heard of it."""
    assert changer.stdin is not None
    assert changer.stdout is not None
    async with asyncio.TaskGroup() as tasks:
        listening = tasks.create_task(_listen(listener))
        # It waits at its socket when the clock starts.
        await asyncio.sleep(0.01)
        changer.stdin.write(f"{job} {number}\n".encode())
        began = float(await changer.stdout.readline())
    return began, listening.result()


async def _listen(listener: AsyncConnection) -> float:
    async for _ in listener.notifies(stop_after=1):
        pass
    return perf_counter()


async def _memory(process: psutil.Process) -> int:
    """What is resident once the process rests."""
    await asyncio.sleep(1)
    return int(process.memory_info().rss)


def _connections(service: Service) -> int:
    with closing(psycopg.connect(service.database_url)) as connection:
        row = connection.execute(CONNECTIONS).fetchone()
    assert row is not None
    return int(row[0])


def _table(heard: dict[int, Heard], changes: int, rounds: int) -> str:
    lines = [
        f"{changes} changes in each of {rounds} rounds; ms from the beginning of COMMIT: median / p99.",
        "",
        "| sockets | one of them hears | ÷ a bare LISTEN | all hear | KiB for each | connections to PostgreSQL |",
        "|---|---|---|---|---|---|",
    ]
    for number, each in heard.items():
        ratio = median(one / listen for one, listen in zip(each.one, each.listen, strict=True))
        cells = [
            str(number),
            _two(each.one),
            f"{ratio:.1f}",
            _two(each.each),
            f"{median(each.memory):.0f}",
            str(max(each.connections)),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _two(milliseconds: list[float]) -> str:
    # Of fewer the greatest one.
    last = quantiles(milliseconds, n=100)[-1] if len(milliseconds) >= 100 else max(milliseconds)
    return f"{median(milliseconds):.1f} / {last:.1f}"


if __name__ == "__main__":
    main()
