"""One connection for the reads of all streams and sockets of a process, outside of every pool."""

import socket
from asyncio import Lock, get_running_loop
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from time import monotonic
from typing import Any, LiteralString

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row

from groundwork.data.server_settings import SERVER_SETTINGS
from groundwork.settings import get_settings

__all__ = ["Reader", "answering", "connect"]

# Seconds that a database may take to answer; after that its connection is given up.
PATIENCE = 10.0


async def connect() -> AsyncConnection[DictRow]:
    """A connection in autocommit mode, whose rows are dictionaries."""
    arguments = get_settings().database_arguments
    connection = await AsyncConnection.connect(autocommit=True, row_factory=dict_row, **arguments)
    # Each query is planned for its values: a plan that suits most owners reads all jobs of one who has a million.
    connection.prepare_threshold = None
    try:
        with answering(connection):
            await connection.execute(SERVER_SETTINGS)
    except BaseException:
        # Also where the process stops meanwhile.
        await connection.close()
        raise
    return connection


@contextmanager
def answering(connection: AsyncConnection[Any]) -> Iterator[None]:
    """Raise psycopg.OperationalError inside where the database stays silent for too long."""
    # Nothing is cancelled: psycopg would ask the server, which is silent, to cancel the statement, and wait for it.
    cut = get_running_loop().call_later(PATIENCE, _cut, connection)
    try:
        yield
    finally:
        cut.cancel()


def _cut(connection: AsyncConnection[Any]) -> None:
    if connection.closed:
        return
    # Of a copy: the descriptor itself is the driver's.
    with socket.fromfd(connection.fileno(), socket.AF_INET, socket.SOCK_STREAM) as copy:
        copy.shutdown(socket.SHUT_RDWR)


class Reader:
    """Reads one query at a time; a connection that was lost is opened again."""

    def __init__(self) -> None:
        self._connection: AsyncConnection[DictRow] | None = None
        self._reading = Lock()
        self._failed_at = 0.0

    async def read(self, query: LiteralString, values: Mapping[str, Any], began: float | None = None) -> list[DictRow]:
        """The rows; raises psycopg.OperationalError where the database does not answer, also when asked again.

        `began` says since when somebody waits, by `monotonic`, if it was earlier than now.
        """
        began = began or monotonic()
        async with self._reading:
            if began < self._failed_at:
                # One stream after the other would wait for a database that is away.
                raise psycopg.OperationalError("the database did not answer another read")
            try:
                return await self._read(query, values)
            except psycopg.OperationalError:
                await self._close()
            try:
                return await self._read(query, values)
            except psycopg.OperationalError:
                await self._close()
                self._failed_at = monotonic()
                raise

    async def _read(self, query: LiteralString, values: Mapping[str, Any]) -> list[DictRow]:
        if self._connection is None or self._connection.closed:
            self._connection = await connect()
        with answering(self._connection):
            return await (await self._connection.execute(query, values)).fetchall()

    async def close(self) -> None:
        """Close the connection; the next read opens another one."""
        async with self._reading:
            await self._close()

    async def _close(self) -> None:
        if self._connection is not None:
            await self._connection.close()
            self._connection = None
