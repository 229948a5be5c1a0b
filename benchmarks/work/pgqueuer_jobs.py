"""PgQueuer with asyncpg, its fastest driver: a connection for the manager, and a pool for the tasks' own work.

Jobs are enqueued in the client's own transaction. Finished ones are deleted after the transactions of their effects,
several at a time: a worker that dies between the two repeats the effects.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from time import time

import asyncpg
import psycopg
import uvloop
from pgqueuer import Job, PgQueuer, run
from pgqueuer.db import AsyncpgDriver, SyncPsycopgDriver
from pgqueuer.queries import SyncQueries

from effect import POSITIONAL, effect

__all__ = ["main", "submit"]

URL = os.environ["DATABASE_URL"]
# It drained faster with 50 than with 25 and its default of 10.
BATCH_SIZE = 50


@asynccontextmanager
async def main() -> AsyncIterator[PgQueuer]:
    async with asyncpg.create_pool(URL) as pool:
        manager = PgQueuer(AsyncpgDriver(await asyncpg.connect(URL)))

        @manager.entrypoint("insert")
        async def insert(job: Job) -> None:
            await pool.execute(POSITIONAL, *effect(int(job.payload or b"")).values())

        print("pgqueuer listens", flush=True)
        yield manager


def submit(number: int) -> float:
    connection = _connection()
    with connection.transaction():
        SyncQueries(SyncPsycopgDriver(connection)).enqueue("insert", str(number).encode())
        return time()


@cache
def _connection() -> psycopg.Connection:
    return psycopg.connect(URL, autocommit=True)


if __name__ == "__main__":
    # As `pgq run` does, which fails with typer 0.29.
    uvloop.run(run(main, batch_size=BATCH_SIZE))
