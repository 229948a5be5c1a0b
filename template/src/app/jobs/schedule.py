"""Jobs that come back regularly. Every relay looks at the schedule; the database decides which of them makes a tick's job."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from celery.schedules import crontab
from pydantic import ValidationError
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.db import new_session
from app.jobs.enqueue import enqueue
from app.jobs.models import Tick
from app.jobs.runner import JobTask

log = structlog.get_logger(__name__)

__all__ = ["Entry", "crontab", "enqueue_ticks", "every"]


# Entry("...", task, every(minutes=5)); a crontab's times are in UTC.
every = timedelta


@dataclass(frozen=True)
class Entry:
    """`name` is what the database remembers: a new name is a new entry, which starts with its next tick."""

    name: str
    task: JobTask
    when: timedelta | crontab
    arguments: dict[str, Any] = field(default_factory=dict)

    def newest_tick(self, last: datetime, now: datetime) -> datetime | None:
        """The latest tick after `last` and not after `now`: many that were missed run once."""
        if isinstance(self.when, timedelta):
            missed = (now - last) // self.when
            return last + missed * self.when if missed else None
        newest, tick = None, _next(self.when, last)
        while tick <= now:
            newest, tick = tick, _next(self.when, tick)
        return newest


def _next(when: crontab, tick: datetime) -> datetime:
    start, step, _ = when.remaining_delta(tick.astimezone(UTC))
    following: datetime = start + step
    return following


def enqueue_ticks(entries: Iterable[Entry]) -> int:
    """Enqueue the jobs of the ticks that are due; returns how many. What another relay enqueues meanwhile is left to it."""
    made = 0
    with new_session() as session, session.begin():
        now = session.scalars(select(func.now())).one()
        last = {tick.name: tick.at for tick in session.scalars(select(Tick))}
        for entry in entries:
            name = f"schedule: {entry.name}"
            if name not in last:
                session.execute(insert(Tick).values(name=name).on_conflict_do_nothing())
            elif tick := entry.newest_tick(last[name], now):
                move = update(Tick).where(Tick.name == name, Tick.at == last[name]).values(at=tick)
                if session.execute(move.returning(Tick.name)).one_or_none():
                    made += _enqueue(session, entry, f"{name} {tick.isoformat()}")
    return made


def _enqueue(session: Session, entry: Entry, unique_key: str) -> bool:
    try:
        with session.begin_nested():
            enqueue(session, entry.task, unique_key=unique_key, **entry.arguments)
    except (TypeError, ValidationError, IntegrityError):
        # Nothing that is wrong with one entry keeps the relay from everything else.
        log.exception("this entry of the schedule cannot be enqueued", name=entry.name)
        return False
    return True
