"""One round of the benchmark of requests: every application starts, rests, and answers each kind of request in turns."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from time import perf_counter, sleep
from typing import TypeVar

import psutil

from applications import Application
from load import crowd
from private_servers import free_port
from processes import launched, until
from run_folder import RunFolder

__all__ = ["CONNECTIONS", "KINDS", "REST", "Turn", "in_turns", "mebibytes", "take_round"]

Each = TypeVar("Each")

KINDS = ("health", "current user", "insert and commit")
CONNECTIONS = 16
# Each load begins with so many seconds, and so many requests of each person, that nobody counts: connections and statements
# are made, and the service writes down who is there.
WARM_UP, WARM_UP_REQUESTS = 1.0, 5
# Seconds until a process rests.
REST = 2.0


@dataclass
class Turn:
    """What one application took in one round; CPU is that of its server's process, user and system."""

    first_milliseconds: float
    first_cpu_milliseconds: float
    # MiB that are resident before any load, and after all of it.
    rested: float = 0
    loaded: float = 0
    # By the kind of request.
    microseconds: dict[str, float] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)
    # Of a core, that the clients took at most.
    share: float = 0


@dataclass(frozen=True)
class _Server:
    application: Application
    process: psutil.Process
    port: int
    turn: Turn


def take_round(run: RunFolder, applications: list[Application], number: int, seconds: float) -> dict[str, Turn]:
    """The turn of each application, by its name. All serve at once, and one of them is asked at a time."""
    with ExitStack() as ends:
        servers = [ends.enter_context(_serving(run, each)) for each in in_turns(applications, number)]
        sleep(REST)
        for server in servers:
            server.turn.rested = mebibytes(server.process)
        for place, kind in enumerate(KINDS):
            for server in in_turns(servers, place):
                server.application.empty()
                _load(server, kind, seconds)
        sleep(REST)
        for server in servers:
            server.turn.loaded = mebibytes(server.process)
    return {server.application.name: server.turn for server in servers}


def in_turns(everybody: list[Each], number: int) -> list[Each]:
    """Another one is the first each time."""
    first = number % len(everybody)
    return everybody[first:] + everybody[:first]


def mebibytes(process: psutil.Process) -> float:
    return float(process.memory_info().rss) / 2**20


@contextmanager
def _serving(run: RunFolder, application: Application) -> Iterator[_Server]:
    """The server once it answers."""
    port = free_port()
    log = run.path / f"server-{port}.log"
    command = [*application.command, "--host", "127.0.0.1", "--port", str(port)]
    service = application.service
    began = perf_counter()
    with launched(run, service, command, log, service.variables) as process:
        until(lambda: _answers(port, application), [log], seconds=60, pause=0.002)
        lasted = perf_counter() - began
        yield _Server(application, process, port, Turn(1000 * lasted, 1000 * _cpu_seconds(process)))


def _answers(port: int, application: Application) -> bool:
    # A server listens when it is ready.
    with suppress(ConnectionRefusedError), crowd(port, 1) as clients:
        return clients.ask(application.requests("health"), 0).answered == 1
    return False


def _load(server: _Server, kind: str, seconds: float) -> None:
    requests, turn = server.application.requests(kind), server.turn
    with crowd(server.port, CONNECTIONS) as clients:
        clients.ask(requests, WARM_UP, WARM_UP_REQUESTS * len(requests))
        before = _cpu_seconds(server.process)
        load = clients.ask(requests, seconds)
        turn.microseconds[kind] = 1_000_000 * (_cpu_seconds(server.process) - before) / load.answered
    turn.rates[kind] = load.rate
    turn.share = max(turn.share, load.share)


def _cpu_seconds(process: psutil.Process) -> float:
    used = process.cpu_times()
    return float(used.user + used.system)
