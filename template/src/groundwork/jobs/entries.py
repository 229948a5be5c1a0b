"""Entries of the schedule. Every relay looks at them; the database decides which relay enqueues the job of a tick."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from celery.schedules import crontab
from sqlalchemy import func, literal, select, text, true, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from groundwork.data.connections import prompt_engine
from groundwork.jobs.enqueueing import enqueue
from groundwork.jobs.models import Tick
from groundwork.jobs.task import JobTask

log = structlog.get_logger(__name__)

__all__ = ["Entry", "crontab", "enqueue_ticks", "every"]


# Entry("...", task, every(minutes=5)); a crontab's times are in UTC.
every = timedelta
# Names of entries whose tick could not be enqueued: said once, not at each look.
_broken: set[str] = set()


WINDOWS = [timedelta(hours=1), timedelta(days=1), timedelta(days=32), timedelta(days=36_525)]
_one = select(literal(1)).subquery()
# The time of the database, and each tick: at least one row.
TICKS = select(func.now().label("now"), Tick.name, Tick.at).select_from(_one.outerjoin(Tick, true()))


@dataclass(frozen=True)
class Entry:
    """A task that is enqueued with `arguments` at each tick of `when`: `every(minutes=5)`, or a `crontab` in UTC.

    The database remembers the last tick by `name`: an entry with a new name starts with its next tick. Ticks that were
    missed are enqueued once.
    """

    name: str
    task: JobTask
    when: timedelta | crontab
    arguments: dict[str, Any] = field(default_factory=dict)

    def newest_tick(self, last: datetime, now: datetime) -> datetime | None:
        """The latest tick after `last` and not after `now`: many that were missed run once."""
        if isinstance(self.when, timedelta):
            missed = (now - last) // self.when
            return last + missed * self.when if missed > 0 else None
        # From near to far: the crontab of a minute has 86,400 ticks in 60 days, and that of a year may have none.
        for window in WINDOWS:
            start = max(last, now - window)
            if newest := _newest(self.when, start, now):
                return newest
            if start == last:
                break
        return None


def _newest(when: crontab, last: datetime, now: datetime) -> datetime | None:
    newest, tick = None, _next(when, last)
    while tick <= now:
        newest, tick = tick, _next(when, tick)
    return newest


def _next(when: crontab, tick: datetime) -> datetime:
    start, step, _ = when.remaining_delta(tick.astimezone(UTC))
    following: datetime = start + step
    return following


def enqueue_ticks(entries: Iterable[Entry]) -> int:
    """Enqueue the jobs of the ticks that are due; returns how many. What another relay enqueues meanwhile is left to it."""
    made = 0
    with prompt_engine().execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        rows = connection.execute(TICKS).all()
    now, last = rows[0].now, {row.name: row.at for row in rows}
    if not (due := [entry for entry in entries if _is_due(entry, last.get(_tick_name(entry)), now)]):
        return 0
    with Session(prompt_engine()) as session, session.begin():
        # What a relay holds that is frozen here is free again soon.
        session.execute(text("SET LOCAL idle_in_transaction_session_timeout = '10s'"))
        for entry in due:
            try:
                with session.begin_nested():
                    made += _enqueue_tick(session, entry, last.get(_tick_name(entry)), now)
                _broken.discard(entry.name)
            except Exception as error:
                if isinstance(error, DBAPIError) and error.connection_invalidated:
                    raise
                # Nothing that is wrong with one entry keeps the relay from everything else.
                if entry.name not in _broken:
                    log.exception("an entry of the schedule cannot be enqueued", entry=entry.name)
                _broken.add(entry.name)
    return made


def _is_due(entry: Entry, last: datetime | None, now: datetime) -> bool:
    try:
        return last is None or entry.newest_tick(last, now) is not None
    except Exception:
        # Told where it is enqueued, once.
        return True


def _tick_name(entry: Entry) -> str:
    return f"schedule: {entry.name}"


def _enqueue_tick(session: Session, entry: Entry, last: datetime | None, now: datetime) -> bool:
    name = _tick_name(entry)
    if last is None:
        session.execute(insert(Tick).values(name=name).on_conflict_do_nothing())
        return False
    if (tick := entry.newest_tick(last, now)) is None:
        return False
    # Another relay that has it enqueues the job, or dies and leaves it for the next look.
    free = select(Tick.name).where(Tick.name == name, Tick.at == last).with_for_update(skip_locked=True)
    moved = update(Tick).where(Tick.name == free.scalar_subquery()).values(at=tick).returning(Tick.name)
    if session.execute(moved).one_or_none() is None:
        return False
    enqueue(session, entry.task, unique_key=f"{name} {tick.isoformat()}", **entry.arguments)
    return True
