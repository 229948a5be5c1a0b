"""What `app doctor` asks of PostgreSQL, by the connections that the service uses."""

import asyncio
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import psycopg
from sqlalchemy import Engine, NullPool, create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from groundwork.data.connections import engine
from groundwork.live.reader import answering, connect
from groundwork.settings import Settings
from groundwork.tools.finding import Finding
from groundwork.tools.rights import lack
from groundwork.urls import place_of

__all__ = ["durability", "examine_database"]

# Seconds within which a notification arrives, if it does.
HEARD_WITHIN = 5.0
STATE = text(
    """
    SELECT current_setting('server_version'), pg_is_in_recovery(), current_setting('transaction_read_only'),
    array_to_string(current_schemas(false), ', '), current_setting('server_encoding'),
    current_setting('transaction_isolation')
    """
)


def examine_database(settings: Settings) -> Iterator[Finding]:
    """Up to the first that is not good."""
    for check in (_answers, _hears, _rights):
        yield (finding := check(settings))
        if not finding.good:
            return


def _ways(settings: Settings) -> Iterator[tuple[str, str, Engine]]:
    """By what the service reaches its database: the name of the setting, the place, and an engine."""
    if settings.direct_database_url:
        yield "DIRECT_DATABASE_URL", place_of(settings.direct_database_url), engine()
        requests = create_engine("postgresql+psycopg://", connect_args=settings.request_arguments, poolclass=NullPool)
        yield "DATABASE_URL", place_of(settings.database_url), requests
    else:
        yield "DATABASE_URL", place_of(settings.database_url), engine()


def _answers(settings: Settings) -> Finding:
    says, seen = "", None
    for name, place, way in _ways(settings):
        try:
            with way.connect() as connection:
                version, standby, read_only, schemas, encoding, isolation = connection.execute(STATE).one()
        except SQLAlchemyError as error:
            # The server's words, after those of psycopg about which address was tried.
            reason = str(getattr(error, "orig", error)).rpartition("failed: ")[2].partition("\n")[0]
            return Finding("database", False, f"no connection to {place}: {reason}", f"start it, or correct {name}")
        if standby:
            remedy = f"let {name} lead to the primary; with several servers add ?target_session_attrs=read-write"
            return Finding("database", False, f"{place} is a standby, where nothing can be written", remedy)
        if read_only == "on":
            remedy = "set it to off, for the server, the database and the role"
            return Finding("database", False, f"{place} has default_transaction_read_only = on", remedy)
        if encoding != "UTF8":
            says = f"{place} has the encoding {encoding}, and not every text can be kept in it"
            remedy = "make another with CREATE DATABASE ... ENCODING 'UTF8', and move the data"
            return Finding("database", False, says, remedy)
        if isolation != "read committed":
            remedy = "set it to 'read committed', for the server, the database and the role"
            return Finding("database", False, f"{place} has default_transaction_isolation = {isolation!r}", remedy)
        if seen not in {None, schemas}:
            says = f"web requests see the schema {schemas!r} through {place}, and everything else {seen!r}"
            remedy = "a pooler may leave out options of the URL: write ALTER ROLE ... SET search_path = ..."
            return Finding("database", False, says, remedy)
        seen = schemas
        says = f"{says}, for web requests through {place}" if says else f"PostgreSQL {version} at {place}"
    return Finding("database", True, says)


def durability(settings: Settings) -> Finding:
    """What a crash of the server, or of its machine, may take."""
    known = _defaults()
    if off := [name for name in ("fsync", "full_page_writes") if known[name] == "off"]:
        says = f"{' and '.join(off)} = off: a crash of the machine may destroy the whole database"
        remedy = "set it to on; each commit then waits for the disk"
        return Finding("durability", settings.environment != "production", says, remedy)
    says = "a commit is on the disk"
    if known["synchronous_commit"] == "off":
        says += ", for this service: synchronous_commit = off by default, and its connections set it to on"
    if standbys := known["synchronous_standby_names"]:
        return Finding("durability", True, f"{says}, and on {standbys}; while these are away nothing commits")
    return Finding("durability", True, f"{says} of one server; a failover to another may lose the last commits")


def _defaults() -> dict[str, str]:
    """The settings of PostgreSQL with which a session of this database and role begins."""
    with engine().connect() as connection:
        rows = connection.execute(text("SELECT name, reset_val FROM pg_settings"))
        return {str(name): str(value) for name, value in rows}


def _hears(settings: Settings) -> Finding:
    """Whether what a web request commits is heard by the relay and the streams."""
    try:
        return _heard_by_all(settings)
    except psycopg.Error as error:
        says = f"notifications do not arrive: {str(error).strip()}"
        return Finding("sessions", False, says, "see the log of PostgreSQL, or of the pooler")


def _heard_by_all(settings: Settings) -> Finding:
    if asyncio.run(_heard(settings.request_arguments)):
        return Finding("sessions", True, "notifications arrive")
    if not settings.direct_database_url:
        says = "notifications do not arrive: DATABASE_URL leads to a pooler in transaction mode, most likely"
        return Finding("sessions", False, says, "set DIRECT_DATABASE_URL to PostgreSQL itself")
    if asyncio.run(_heard(settings.database_arguments)):
        says = "DATABASE_URL and DIRECT_DATABASE_URL lead to two databases"
        return Finding("sessions", False, says, "let both lead to the same one")
    says = "notifications do not arrive: DIRECT_DATABASE_URL leads to a pooler in transaction mode, most likely"
    return Finding("sessions", False, says, "let it lead to PostgreSQL itself, or to a pooler in session mode")


async def _heard(arguments: dict[str, Any]) -> bool:
    """Whether a connection of the hub hears what one with these arguments sends."""
    listener, channel = await connect(), f"doctor_{uuid4().hex}"
    try:
        with answering(listener):
            await listener.execute(f"LISTEN {channel}".encode())
        # Another one: a pooler delivers what a session sends to itself.
        async with await psycopg.AsyncConnection.connect(autocommit=True, **arguments) as sender:
            with answering(sender):
                await sender.execute(f"NOTIFY {channel}".encode())
        return bool([note async for note in listener.notifies(timeout=HEARD_WITHIN, stop_after=1)])
    finally:
        await listener.close()


def _rights(settings: Settings) -> Finding:
    for _, _, way in _ways(settings):
        with way.connect() as connection:
            missing = lack(connection, creating=False)
        if missing:
            return Finding("rights", False, missing.says, missing.remedy)
    return Finding("rights", True, "those that the service needs")
