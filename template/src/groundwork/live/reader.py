"""One connection for the reads of all streams and sockets of a process, outside of every pool."""

from asyncio import Lock
from collections.abc import Mapping
from typing import Any, LiteralString

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row

from groundwork.data.server_settings import SERVER_SETTINGS
from groundwork.settings import CONNECT_ARGS, get_settings

__all__ = ["Reader", "connect"]


async def connect() -> AsyncConnection[DictRow]:
    """A connection in autocommit mode, whose rows are dictionaries."""
    url = get_settings().database_url
    connection = await AsyncConnection.connect(url, autocommit=True, row_factory=dict_row, **CONNECT_ARGS)
    # Each query is planned for its values: a plan that suits most owners reads all jobs of one who has a million.
    connection.prepare_threshold = None
    try:
        await connection.execute(SERVER_SETTINGS)
    except BaseException:
        # Also where the process stops meanwhile.
        await connection.close()
        raise
    return connection


class Reader:
    """Reads one query at a time; a connection that was lost is opened again."""

    def __init__(self) -> None:
        self._connection: AsyncConnection[DictRow] | None = None
        self._reading = Lock()

    async def read(self, query: LiteralString, values: Mapping[str, Any]) -> list[DictRow]:
        """The rows; raises psycopg.OperationalError where the database does not answer, also when asked again."""
        async with self._reading:
            try:
                return await self._read(query, values)
            except psycopg.OperationalError:
                self._connection = None
                return await self._read(query, values)

    async def _read(self, query: LiteralString, values: Mapping[str, Any]) -> list[DictRow]:
        if self._connection is None or self._connection.closed:
            self._connection = await connect()
        return await (await self._connection.execute(query, values)).fetchall()

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()
