"""psycopg's pool of a process with coroutines, for the tasks' own work."""

import os
from functools import cache

from psycopg_pool import AsyncConnectionPool

__all__ = ["open_pool"]


@cache
def _make_pool() -> AsyncConnectionPool:
    return AsyncConnectionPool(os.environ["DATABASE_URL"], max_size=10, open=False)


async def open_pool() -> AsyncConnectionPool:
    pool = _make_pool()
    await pool.open()
    return pool
