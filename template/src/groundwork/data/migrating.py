"""What keeps migrations apart: those of two processes from each other, and this service's tables from those of others."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from time import sleep
from typing import Any

import structlog
from alembic.config import Config
from alembic.operations.ops import MigrationScript
from alembic.script import ScriptDirectory
from sqlalchemy import text

from groundwork.data.connections import prompt_engine
from groundwork.data.tables import Base

__all__ = ["follow_all", "one_at_a_time", "our_tables"]

log = structlog.get_logger(__name__)

# Seconds between two looks whether another process still migrates.
PAUSE = 0.2
TRY = text("SELECT pg_try_advisory_xact_lock(hashtext('alembic'))")
# A migration may take hours, while the transaction with the lock stands still. transaction_timeout is PostgreSQL 17's.
FOR_HOURS = text(
    """
    SELECT set_config(name, '0', true) FROM pg_settings
    WHERE name IN ('idle_in_transaction_session_timeout', 'transaction_timeout')
    """
)
# How migrations create tables; a partition goes with its table.
CREATED = re.compile(
    r"""create_table\(\s*(?:table_name\s*=\s*)?["']([^"']+)"""
    r"""|rename_table\(\s*["'][^"']+["'],\s*(?:new_table_name\s*=\s*)?["']([^"']+)"""
    r"""|CREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?(?:"?\w+"?\.)?"?(\w+)\b"?(?!\s+PARTITION\s+OF)""",
    re.IGNORECASE,
)


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Wait until no other process migrates this database, and let others wait meanwhile.

    The lock is that of a transaction with a connection of its own: it outlasts the commits of the migrations, and a
    pooler cannot keep it. Whoever waits does so outside of a transaction, which CREATE INDEX CONCURRENTLY would wait for.
    """
    with prompt_engine().connect() as connection:
        # At a stricter level its snapshot would hold up the same statement.
        connection.execution_options(isolation_level="READ COMMITTED")
        waits = False
        while not connection.scalar(TRY):
            connection.rollback()
            if not waits:
                log.warning("another process migrates this database; this one waits for it")
            waits = True
            sleep(PAUSE)
        connection.execute(FOR_HOURS)
        yield


def our_tables(config: Config) -> Callable[[str | None, str, Any], bool]:
    """For Alembic's `include_name`: tables that have a model here, or that a migration of this service created by name.

    Tables of others in the same database have neither: autogenerate neither reads nor drops them.
    """

    @cache
    def ours() -> set[str]:
        known = {table.name for table in Base.metadata.tables.values()}
        for script in ScriptDirectory.from_config(config).walk_revisions():
            for names in CREATED.findall(Path(script.path).read_text("utf-8")):
                known |= set(filter(None, names))
        return known

    return lambda name, kind, _: kind != "table" or name in ours()


def follow_all(_: object, __: object, directives: Sequence[MigrationScript]) -> None:
    """A new revision follows every head: the service's own, and what an update of the template brought beside it."""
    for script in directives:
        # Unless somebody named one with --head.
        if script.head in {None, "head"}:
            script.head = "heads"
