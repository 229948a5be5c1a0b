"""Publishes jobs that are due, whose message was lost, or whose worker died. Any number may run.

In production it is a process of its own (`app relay`). With `memory://` as the broker it is a
thread of the worker and feeds that worker's own queue.

One that is frozen holds up no other: a look is single statements, each a transaction, which skip what another relay has
locked; and while it enqueues ticks, PostgreSQL ends a transaction that stands still for ten seconds.
"""

import faulthandler
import sys
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from functools import partial
from itertools import repeat
from threading import Event, Thread
from time import monotonic
from typing import Any
from uuid import uuid4

import psycopg
import structlog
from celery import Celery
from celery.signals import worker_ready, worker_shutting_down
from sqlalchemy import Connection, exists, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert

from groundwork.configuration import configuration
from groundwork.data.connections import engine
from groundwork.data.server_settings import SERVER_SETTINGS
from groundwork.jobs.entries import Entry, enqueue_ticks
from groundwork.jobs.models import CHANNEL, Tick
from groundwork.jobs.transitions import FORGOTTEN, PUT_BACK, TAKE
from groundwork.settings import CONNECT_ARGS, get_settings

__all__ = ["publish_due", "relay"]

BATCH = 100
# Seconds between two looks at the table when nobody sends NOTIFY: retries, lost messages, the schedule.
POLL = 1.0
# Seconds between two looks while jobs keep coming: one look then takes all of them.
BREATH = 0.05
STAND_BACK = timedelta(seconds=5)
log = structlog.get_logger(__name__)

_free = select(Tick.name).where(Tick.name == "relay").with_for_update(skip_locked=True).scalar_subquery()
LOOKED = update(Tick).where(Tick.name == _free).values(at=func.now())
# It reads first, since to insert would wait for whoever holds the row.
_never = select(literal("relay")).where(~exists().where(Tick.name == "relay"))
FIRST_LOOK = insert(Tick).from_select(["name"], _never).on_conflict_do_nothing()


def _statements() -> Connection:
    """A connection each of whose statements is a transaction."""
    return engine().execution_options(isolation_level="AUTOCOMMIT").connect()


def publish_due(celery: Celery, alive: Callable[[], None] = lambda: None) -> int:
    """Publish one batch of due jobs, and call `alive` before each message; returns how many were taken."""
    patience = timedelta(seconds=get_settings().job_patience_seconds)
    with _statements() as connection:
        taken = connection.execute(TAKE, {"batch": BATCH, "patience": patience}).all()
    # Only now: a worker faster than we are must find the row as it will be.
    unsent = deque(_messages(celery, [row for row in taken if row.ready]))
    try:
        with celery.producer_pool.acquire(block=True) as producer:
            while unsent:
                alive()
                first, *others = rows = unsent[0]
                if first.task not in celery.tasks:
                    # Sent all the same: a worker of a newer version may know it.
                    log.warning("no tasks.py has this task, and no worker may", task=first.task, job_id=str(first.id))
                # None leaves it to Celery's own routing; a process that feeds itself has one queue.
                queue = None if get_settings().in_memory_broker else first.queue
                # One job is the message; a message of many has an id of its own.
                message_id, ids = (uuid4(), [str(row.id) for row in rows]) if others else (first.id, [])
                celery.send_task(first.task, args=ids, task_id=str(message_id), producer=producer, queue=queue)
                unsent.popleft()
    finally:
        # The one that could not be sent stands back: its queue alone may be what is wrong, and others wait behind it.
        pauses = [STAND_BACK, *repeat(timedelta(0), len(unsent))]
        messages = zip(unsent, pauses, strict=False)
        if rows := [
            {"job_id": row.id, "looked_at": row.due_at, "pause": pause} for rows, pause in messages for row in rows
        ]:
            with _statements() as connection:
                connection.execute(PUT_BACK, rows)
    return len(taken)


def _messages(celery: Celery, rows: Iterable[Any]) -> Iterator[list[Any]]:
    """The jobs of each message: one job, or as many of one task and queue as the task's `batch_size` allows."""
    kinds = defaultdict(list)
    # The oldest first: an id begins with its time.
    for row in sorted(rows, key=lambda row: row.id):
        if row.crashes:
            # Its worker or its connection died. Whether it was the cause shows when nothing else is there.
            yield [row]
        else:
            kinds[row.task, row.queue].append(row)
    for (name, _), alike in kinds.items():
        size = getattr(celery.tasks.get(name), "batch_size", 1)
        yield from (alike[start : start + size] for start in range(0, len(alike), size))


def relay(celery: Celery, schedule: Iterable[Entry], stop: Event, *, hung_after: float | None = None) -> None:
    """Publish due jobs, and enqueue those of the schedule, until `stop`; outlasts any absence of database and broker.

    With `hung_after`, in seconds, the process ends, and tells where it hung, when a look or a message takes longer:
    whoever started it starts it again.
    """
    alive = partial(_watch, hung_after)
    # Tasks say how many of their jobs go into a message.
    celery.loader.import_default_modules()
    forgotten = get_settings().in_memory_broker
    while not stop.is_set():
        alive()
        try:
            with psycopg.connect(get_settings().database_url, autocommit=True, **CONNECT_ARGS) as listener:
                listener.execute(SERVER_SETTINGS)
                listener.execute(f"LISTEN {CHANNEL}")
                if forgotten:
                    with engine().begin() as connection:
                        connection.execute(FORGOTTEN)
                    forgotten = False
                log.info("relay listens")
                regularly = -POLL
                while not stop.is_set():
                    alive()
                    looked = monotonic()
                    if looked - regularly >= POLL:
                        _look_regularly(schedule)
                        regularly = looked
                    if publish_due(celery, alive) < BATCH:
                        for _ in listener.notifies(timeout=POLL, stop_after=1):
                            pass
                        # After a quiet time it is over already: a single job is published at once.
                        stop.wait(max(0, looked + BREATH - monotonic()))
        except Exception as error:
            # Drivers and brokers have a dozen families of errors, and the one duty of this loop is
            # to go on: no job is lost while it waits, but none would run if it ended.
            log.warning("relay waits", error=repr(error))
            stop.wait(POLL)
    faulthandler.cancel_dump_traceback_later()


def _watch(seconds: float | None) -> None:
    if seconds and sys.__stderr__:
        faulthandler.dump_traceback_later(seconds, exit=True, file=sys.__stderr__)


def _look_regularly(schedule: Iterable[Entry]) -> None:
    """Show that a relay lives, and enqueue the jobs of due entries."""
    with _statements() as connection:
        if connection.execute(LOOKED).rowcount == 0:
            connection.execute(FIRST_LOOK)
    enqueue_ticks(schedule)


_stop = Event()


@worker_ready.connect
def _feed_this_worker(sender: Any, **_: object) -> None:
    if get_settings().in_memory_broker:
        Thread(target=relay, args=(sender.app, configuration().schedule, _stop), name="relay", daemon=True).start()


@worker_shutting_down.connect
def _stop_feeding(**_: object) -> None:
    _stop.set()
