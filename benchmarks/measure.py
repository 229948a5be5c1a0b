"""One turn of one contender: enqueueing alone, draining, both at once, and the latency of a job when idle."""

from dataclasses import dataclass
from time import time

import psycopg

from contenders import Contender
from processes import running, until
from run_folder import RunFolder
from service import Service

__all__ = ["Turn", "take_turn"]

PAUSE = 0.05


@dataclass(frozen=True)
class Turn:
    """Jobs per second, three times, and seconds from the client's commit or publish to the task's first line."""

    enqueued: float
    drained: float
    through: float
    latencies: list[float]


def take_turn(run: RunFolder, service: Service, contender: Contender, jobs: int, idle_jobs: int) -> Turn:
    with psycopg.connect(service.database_url, autocommit=True) as connection:
        _empty(connection, contender)
        alone = service.client(contender.module, jobs)
        with running(run, service, contender) as logs:

            def finish(expected: int) -> float:
                """When all jobs were finished; raises TimeoutError."""
                until(lambda: _finished(connection, contender, expected), logs)
                return time()

            finish(jobs)
            drained = 0.9 * jobs / _last_nine_tenths(connection)
            _empty(connection, contender)
            both = service.client(contender.module, jobs)
            through = jobs / (finish(jobs) - both.began_at)
            _empty(connection, contender)
            asked_at = service.client(contender.module, idle_jobs, PAUSE).asked_at
            finish(idle_jobs)
            latencies = [began_at - asked_at[number] for number, began_at in _effects(connection)]
    return Turn(jobs / (alone.ended_at - alone.began_at), drained, through, latencies)


def _empty(connection: psycopg.Connection, contender: Contender) -> None:
    tables = ", ".join(filter(None, ["effects", contender.tables]))
    connection.execute(f"TRUNCATE {tables} CASCADE".encode())


def _finished(connection: psycopg.Connection, contender: Contender, expected: int) -> bool:
    """Every effect is there, once, and no job is left."""
    counted = connection.execute("SELECT count(*), count(DISTINCT number) FROM effects WHERE number >= 0").fetchone()
    assert counted is not None
    if counted[0] < expected:
        return False
    if counted != (expected, expected):
        raise RuntimeError(f"{contender.name}: {expected} jobs had {counted[0]} effects, {counted[1]} different ones")
    return connection.execute(contender.unfinished.encode()).fetchone() == (0,)


def _last_nine_tenths(connection: psycopg.Connection) -> float:
    """Seconds that they took; during the first tenth processes and caches were warming up."""
    tenth = "percentile_disc(0.1) WITHIN GROUP (ORDER BY began_at)"
    query = f"SELECT max(began_at) - {tenth} FROM effects WHERE number >= 0"
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return float(row[0])


def _effects(connection: psycopg.Connection) -> list[tuple[int, float]]:
    return connection.execute("SELECT number, began_at FROM effects WHERE number >= 0").fetchall()
