"""Publishes jobs that are due, whose message was lost, or whose worker died. Any number may run.

In production it is a process of its own (`app relay`). With `memory://` as the broker it is a
thread of the worker and feeds that worker's own queue.
"""

from datetime import timedelta
from itertools import repeat
from threading import Event, Thread
from time import monotonic

import psycopg
import structlog
from celery.signals import worker_ready, worker_shutting_down
from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert

from app.db import engine
from app.jobs.models import CHANNEL, Tick
from app.jobs.schedule import enqueue_ticks
from app.jobs.transitions import FORGOTTEN, PUT_BACK, TAKE
from app.schedule import SCHEDULE
from app.settings import CONNECT_ARGS, get_settings
from app.worker import celery

__all__ = ["publish_due", "relay"]

BATCH = 100
# Seconds between two looks at the table when nobody sends NOTIFY: retries, lost messages, the schedule.
POLL = 1.0
# Seconds between two looks while jobs keep coming: one look then takes all of them.
BREATH = 0.01
STAND_BACK = timedelta(seconds=5)
log = structlog.get_logger(__name__)

LOOKED = insert(Tick).values(name="relay").on_conflict_do_update(index_elements=["name"], set_={"at": func.now()})


def publish_due() -> int:
    """Publish one batch of due jobs; returns how many were taken."""
    patience = timedelta(seconds=get_settings().job_patience_seconds)
    with engine().begin() as connection:
        taken = connection.execute(TAKE, {"batch": BATCH, "patience": patience}).all()
    # Only now: a worker faster than we are must find the row as it will be.
    ready = [row for row in taken if row.ready]
    sent = 0
    try:
        with celery.producer_pool.acquire(block=True) as producer:
            for row in ready:
                # None leaves it to Celery's own routing; a process that feeds itself has one queue.
                queue = None if get_settings().in_memory_broker else row.queue
                celery.send_task(row.task, task_id=str(row.id), producer=producer, queue=queue)
                sent += 1
    finally:
        # The one that could not be sent stands back: its queue alone may be what is wrong, and others wait behind it.
        pauses = [STAND_BACK, *repeat(timedelta(0), len(ready))]
        rows = zip(ready[sent:], pauses, strict=False)
        if unsent := [{"job_id": row.id, "looked_at": row.due_at, "pause": pause} for row, pause in rows]:
            with engine().begin() as connection:
                connection.execute(PUT_BACK, unsent)
    return len(taken)


def relay(stop: Event) -> None:
    """Publish until `stop`, through any absence of the database or the broker."""
    forgotten = get_settings().in_memory_broker
    while not stop.is_set():
        try:
            with psycopg.connect(get_settings().database_url, autocommit=True, **CONNECT_ARGS) as listener:
                listener.execute(f"LISTEN {CHANNEL}")
                if forgotten:
                    with engine().begin() as connection:
                        connection.execute(FORGOTTEN)
                    forgotten = False
                log.info("relay listens")
                regularly = -POLL
                while not stop.is_set():
                    looked = monotonic()
                    if looked - regularly >= POLL:
                        _look_regularly()
                        regularly = looked
                    if publish_due() < BATCH:
                        for _ in listener.notifies(timeout=POLL, stop_after=1):
                            pass
                        # After a quiet time it is over already: a single job is published at once.
                        stop.wait(max(0, looked + BREATH - monotonic()))
        except Exception as error:
            # Drivers and brokers have a dozen families of errors, and the one duty of this loop is
            # to go on: no job is lost while it waits, but none would run if it ended.
            log.warning("relay waits", error=repr(error))
            stop.wait(POLL)


def _look_regularly() -> None:
    """Show that a relay lives, and see to the schedule."""
    with engine().begin() as connection:
        connection.execute(LOOKED)
    enqueue_ticks(SCHEDULE)


_stop = Event()


@worker_ready.connect
def _feed_this_worker(**_: object) -> None:
    if get_settings().in_memory_broker:
        Thread(target=relay, args=(_stop,), name="relay", daemon=True).start()


@worker_shutting_down.connect
def _stop_feeding(**_: object) -> None:
    _stop.set()
