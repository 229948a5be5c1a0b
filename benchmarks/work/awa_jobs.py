"""Awa's worker with a coroutine for each job.

Jobs are enqueued in the client's own transaction by its bridge, and completed after the transactions of their effects,
several at a time: a worker that dies between the two repeats the effects.
"""

import asyncio
import os
import sys
from dataclasses import dataclass
from functools import cache
from time import time
from typing import Any

import awa
import psycopg
from awa.bridge import insert_job_sync

from effect import INSERT, effect
from pool import open_pool

__all__ = ["submit"]

URL = os.environ["DATABASE_URL"]
# Of each process; 50 drained faster than 4 and 10.
WORKERS = 50


@dataclass
class Insert:
    number: int


async def main() -> None:
    client = awa.AsyncClient(URL)

    @client.task(Insert, queue="default")
    async def insert(job: Any) -> None:
        async with (await open_pool()).connection() as connection:
            await connection.execute(INSERT, effect(job.args.number))

    await client.start([("default", WORKERS)])
    print("awa listens", flush=True)
    await asyncio.Event().wait()


def submit(number: int) -> float:
    # Committed at the end of the block.
    with _connection().transaction():
        insert_job_sync(_connection(), Insert(number))
        return time()


@cache
def _connection() -> psycopg.Connection:
    return psycopg.connect(URL, autocommit=True)


if __name__ == "__main__":
    if "migrate" in sys.argv:
        client = awa.Client(URL)
        client.migrate()
        # Its newer storage, which it recommends. With the older one, jobs of the bridge wait for the next poll.
        client.install_queue_storage()
    else:
        asyncio.run(main())
