"""Oban's function job, run by its command line, as its guide to production recommends.

Jobs are enqueued in the client's own transaction, and marked as completed after the transactions of their effects, several
at a time: a worker that dies between the two repeats the effects.
"""

from asyncio import Runner
from functools import cache
from time import time
from typing import Any

from oban import Oban, job

from effect import INSERT, effect
from pool import open_pool

__all__ = ["insert", "submit"]


@job(queue="default")
async def insert(number: int) -> None:
    async with (await open_pool()).connection() as connection:
        await connection.execute(INSERT, effect(number))


def submit(number: int) -> float:
    return _runner().run(_submit(number))


async def _submit(number: int) -> float:
    pool = await open_pool()
    # Committed at the end of the block.
    async with pool.connection() as connection:
        # Not `insert.enqueue`, which wraps a function's arguments twice in 0.7.0.
        await _instance(pool).enqueue(insert.new(number), conn=connection)
        return time()


@cache
def _runner() -> Runner:
    return Runner()


@cache
def _instance(pool: Any) -> Oban:
    return Oban(pool=pool)
