"""procrastinate as its documentation shows it, with a pool for the tasks' own work.

It marks the job as done in a transaction after that of the effect: a worker that dies between the two repeats the effect.
"""

import os
from functools import cache
from time import time

from procrastinate import App, PsycopgConnector

from effect import INSERT, effect
from pool import open_pool

__all__ = ["app", "submit"]

app = App(connector=PsycopgConnector(conninfo=os.environ["DATABASE_URL"]))


@app.task
async def insert(number: int) -> None:
    async with (await open_pool()).connection() as connection:
        await connection.execute(INSERT, effect(number))


def submit(number: int) -> float:
    _open()
    asked_at = time()
    insert.defer(number=number)
    return asked_at


@cache
def _open() -> None:
    app.open()
