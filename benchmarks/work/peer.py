"""procrastinate as its documentation shows it, with a pool for the tasks' own work.

It marks the job as done in a transaction after that of the effect: a worker that dies between the two repeats the effect.
"""

import os
from functools import cache
from time import time

from procrastinate import App, PsycopgConnector
from psycopg_pool import AsyncConnectionPool

from effect import INSERT, effect

__all__ = ["app", "submit"]

URL = os.environ["DATABASE_URL"]
app = App(connector=PsycopgConnector(conninfo=URL))


@app.task
async def insert(number: int) -> None:
    async with (await _pool()).connection() as connection:
        await connection.execute(INSERT, effect(number))


def submit(number: int) -> float:
    _open()
    asked_at = time()
    insert.defer(number=number)
    return asked_at


@cache
def _open() -> None:
    app.open()


@cache
def _make_pool() -> AsyncConnectionPool:
    return AsyncConnectionPool(URL, open=False)


async def _pool() -> AsyncConnectionPool:
    pool = _make_pool()
    await pool.open()
    return pool
