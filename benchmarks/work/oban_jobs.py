"""Oban by its command line, as its guide to production recommends; enqueued in the client's own transaction.

It marks jobs as completed after the transactions of their effects, several at a time: a worker that dies between repeats them.
"""

from asyncio import Runner
from functools import cache
from time import time
from typing import Any

from oban import Oban, worker

from effect import INSERT, effect
from pool import open_pool

__all__ = ["Insert", "submit"]


@worker(queue="default")
class Insert:
    async def process(self, job: Any) -> None:
        async with (await open_pool()).connection() as connection:
            await connection.execute(INSERT, effect(job.args["number"]))


def submit(number: int) -> float:
    return _runner().run(_submit(number))


async def _submit(number: int) -> float:
    pool = await open_pool()
    _instance(pool)
    # Committed at the end of the block.
    async with pool.connection() as connection:
        await Insert.enqueue({"number": number}, conn=connection)
        return time()


@cache
def _runner() -> Runner:
    return Runner()


@cache
def _instance(pool: Any) -> Oban:
    return Oban(pool=pool)
