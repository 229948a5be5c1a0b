"""The jobs of people who watch, as the database has them: a snapshot, and the present state of some jobs."""

from asyncio import Lock
from collections.abc import Sequence
from time import monotonic, time
from typing import Any, LiteralString
from uuid import UUID

import structlog
from psycopg.rows import DictRow
from psycopg.sql import SQL
from pydantic import ValidationError

from groundwork.jobs.schemas import JobOut
from groundwork.live.reader import Reader
from groundwork.live.subscription import Change

__all__ = ["Feed"]

log = structlog.get_logger(__name__)

# Jobs of a snapshot that are read together: others may read what has changed in between.
TOGETHER = 100
COLUMNS = SQL(", ").join(SQL(name) for name in ["changed_at", *JobOut.model_fields])


def _with_columns(query: LiteralString) -> LiteralString:
    return SQL(query).format(COLUMNS).as_string()


OF_IDS = _with_columns("SELECT {} FROM jobs WHERE id = ANY(%(ids)s)")
# Each part is read by an index and bounded, since all streams share a connection: the jobs that run or wait, the newest
# that have ended, and what has ended since the client was here last, among the owner's 300 newest of each state and among
# the 20,000 that were the last of all to end. A minute more, as transactions that began earlier may have been committed
# later.
SNAPSHOT: LiteralString = """
    SELECT id FROM jobs WHERE owner_id = %(owner)s AND id = ANY (ARRAY (
        SELECT %(only)s::uuid
        UNION
        SELECT part.id FROM (VALUES ('running', 300), ('queued', 200), ('succeeded', 20), ('failed', 20), ('cancelled', 20))
        AS state (name, most), LATERAL (
            SELECT id FROM jobs WHERE %(only)s::uuid IS NULL AND owner_id = %(owner)s AND status BETWEEN name AND name
            ORDER BY status DESC, id DESC LIMIT most
        ) AS part
        UNION
        SELECT recent.id FROM (VALUES ('succeeded'), ('failed'), ('cancelled')) AS state (name), LATERAL (
            SELECT id, changed_at FROM jobs WHERE %(only)s::uuid IS NULL AND %(since)s > 0
            AND owner_id = %(owner)s AND status BETWEEN name AND name ORDER BY status DESC, id DESC LIMIT 300
        ) AS recent WHERE changed_at > to_timestamp(%(since)s / 1e6) - interval '1 minute'
        UNION
        (SELECT ended.id FROM (
            SELECT id, owner_id FROM jobs WHERE %(only)s::uuid IS NULL AND %(since)s > 0
            AND finished_at > to_timestamp(%(since)s / 1e6) - interval '1 minute' ORDER BY finished_at DESC LIMIT 20000
        ) AS ended WHERE owner_id = %(owner)s LIMIT 500)
    )) ORDER BY id DESC
"""
# What no notice told of: the process that changed it died, or could not send. The jobs that a stream knows, and those
# that are new: forward from the first one, since PostgreSQL walks backwards through all older ones too.
NEWS = _with_columns(
    """
    SELECT {} FROM jobs WHERE owner_id = %(owner)s AND id = ANY (ARRAY (
        SELECT unnest(%(known)s::uuid[])
        UNION
        SELECT new.id FROM (VALUES ('running'), ('queued'), ('succeeded'), ('failed'), ('cancelled')) AS state (name), LATERAL (
            SELECT id FROM jobs WHERE %(only)s::uuid IS NULL AND owner_id = %(owner)s
            AND (status, id) > (name, %(after)s) AND status <= name ORDER BY status, id LIMIT 100
        ) AS new
    ))
    """
)


class Feed:
    """Reads by one connection that all streams of this process share."""

    def __init__(self) -> None:
        self._reader, self._snapshots = Reader(), Lock()

    async def snapshot(self, owner: UUID, only: UUID | None, since: int) -> list[Change]:
        """The jobs that somebody who opens a stream sees first; `since` is the newest version that they know."""
        began = monotonic()
        # One after the other, each a part at a time: a heavy one keeps nobody from hearing what has changed.
        async with self._snapshots:
            rows = await self._reader.read(SNAPSHOT, {"owner": owner, "only": only, "since": since}, began)
            ids, changes = [row["id"] for row in rows], list[Change]()
            for first in range(0, len(ids), TOGETHER):
                changes += await self.changes(ids[first : first + TOGETHER])
            return changes

    async def news(self, owner: UUID, only: UUID | None, known: Sequence[UUID], seconds: int) -> list[Change]:
        """The present states of known jobs, and of those that were enqueued in the last seconds."""
        # Ids are UUIDv7: they begin with the time, in milliseconds.
        after = UUID(int=int((time() - seconds) * 1000) << 80)
        asked = {"owner": owner, "only": only, "known": [only] if only else list(known), "after": after}
        return _changes(await self._reader.read(NEWS, asked))

    async def changes(self, ids: Sequence[UUID]) -> list[Change]:
        """The present states of these jobs."""
        return _changes(await self._reader.read(OF_IDS, {"ids": list(ids)}))

    async def owner_of(self, sign_in_id: UUID, still_signed_in: str) -> UUID | None:
        """The user of a sign-in, None once it has ended."""
        rows = await self._reader.read(still_signed_in, {"id": sign_in_id})
        return rows[0]["id"] if rows else None

    async def signed_in(self, sign_in_ids: Sequence[UUID], still_signed_in: str) -> set[UUID]:
        """Those of these sign-ins that have not ended."""
        rows = await self._reader.read(_of_many(still_signed_in), {"ids": list(sign_in_ids)})
        return {row["sign_in_id"] for row in rows}

    async def close(self) -> None:
        """Close the connection; the next read opens another one."""
        await self._reader.close()


def _of_many(still_signed_in: Any) -> LiteralString:
    """The query of People, for each of `ids`."""
    person = still_signed_in.strip().rstrip(";").replace("%(id)s", "asked.sign_in_id")
    each = SQL("SELECT sign_in_id FROM unnest(%(ids)s::uuid[]) AS asked (sign_in_id), LATERAL ({}) AS person")
    return each.format(SQL(person)).as_string()


def _changes(rows: Sequence[DictRow]) -> list[Change]:
    """The newest first, without those that another version wrote, or a person, in a way that clients do not know."""
    changes = []
    for row in sorted(rows, key=lambda row: row["id"], reverse=True):
        try:
            changes.append(_change(row))
        except ValidationError as error:
            log.warning("a job cannot be shown", job_id=str(row["id"]), error=str(error))
    return changes


def _change(row: DictRow) -> Change:
    version = int(row["changed_at"].timestamp() * 1_000_000)
    return Change(row["id"], version, JobOut.model_validate(row).model_dump_json(), row["finished_at"] is not None)
