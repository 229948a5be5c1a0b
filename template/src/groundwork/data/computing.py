"""Requests that compute for long, as those that hash a password: a few at a time, beside all others."""

import os
from collections.abc import AsyncIterator

from fastapi import Depends, Request

from groundwork.settings import get_settings

__all__ = ["COMPUTES", "at_a_time"]


def at_a_time() -> int:
    """How many requests of one process compute at a time; the others wait without a thread and without a connection."""
    return min(os.cpu_count() or 1, get_settings().database_pool_size)


async def _turn(request: Request) -> AsyncIterator[None]:
    async with request.app.state.computing:
        # Its session takes no turn of the other requests.
        request.state.computes = True
        yield


COMPUTES = Depends(_turn, scope="function")
