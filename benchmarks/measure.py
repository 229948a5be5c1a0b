"""One turn of one contender: enqueueing alone, draining, both at once, jobs at a steady pace, and single ones when idle."""

from dataclasses import dataclass
from time import time

import psycopg

from contenders import Contender
from entrants import Entrant
from finishes import finishes
from processes import running, until
from run_folder import RunFolder

__all__ = ["PACE", "Turn", "Wanted", "take_turn"]

# Jobs per second, at a steady pace and when idle.
PACE = 20
IDLE = 4


@dataclass(frozen=True)
class Wanted:
    """How many jobs each measurement has."""

    jobs: int
    paced: int
    idle: int


@dataclass(frozen=True)
class Turn:
    """Jobs per second, three times; and seconds from the client's commit or publish to what the name says.

    A task starts with its first line, and its job is finished when a listener hears of the commit of its effect.
    """

    enqueued: float
    drained: float
    through: float
    idle_starts: list[float]
    paced_starts: list[float]
    paced_finishes: list[float]


def take_turn(run: RunFolder, entrant: Entrant, wanted: Wanted) -> Turn:
    contender, service = entrant.contender, entrant.service
    with psycopg.connect(service.database_url, autocommit=True) as connection:
        _empty(connection, contender)
        alone = service.client(contender.module, wanted.jobs)
        with running(run, service, contender) as logs:

            def finish(expected: int) -> float:
                """When all jobs were finished; raises TimeoutError."""
                until(lambda: _finished(connection, contender, expected), logs)
                return time()

            def starts(asked_at: list[float]) -> list[float]:
                return [began_at - asked_at[number] for number, began_at in _effects(connection)]

            finish(wanted.jobs)
            drained = 0.9 * wanted.jobs / _last_nine_tenths(connection)
            _empty(connection, contender)
            both = service.client(contender.module, wanted.jobs)
            through = wanted.jobs / (finish(wanted.jobs) - both.began_at)
            _empty(connection, contender)
            asked_at = service.client(contender.module, wanted.idle, 1 / IDLE).asked_at
            finish(wanted.idle)
            idle_starts = starts(asked_at)
            _empty(connection, contender)
            with finishes(service.database_url) as finished_at:
                asked_at = service.client(contender.module, wanted.paced, 1 / PACE).asked_at
                finish(wanted.paced)
                until(lambda: finished_at.keys() >= set(range(wanted.paced)), logs)
            paced_starts = starts(asked_at)
            paced_finishes = [finished_at[number] - asked_at[number] for number in range(wanted.paced)]
    enqueued = wanted.jobs / (alone.ended_at - alone.began_at)
    return Turn(enqueued, drained, through, idle_starts, paced_starts, paced_finishes)


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
