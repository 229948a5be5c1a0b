"""Requests that compute for long, as those that hash a password: a few at a time, beside all others."""

from collections.abc import AsyncIterator

from fastapi import Depends, Request

from groundwork.processors import processors
from groundwork.settings import get_settings

__all__ = ["COMPUTES", "at_a_time"]


def at_a_time() -> int:
    """How many requests of one process compute at a time; the others wait without a thread and without a connection."""
    return min(processors(), get_settings().database_pool_size)


async def _turn(request: Request) -> AsyncIterator[None]:
    async with request.app.state.computing:
        # Its session takes no turn of the other requests.
        request.state.computes = True
        yield


COMPUTES = Depends(_turn, scope="function")
