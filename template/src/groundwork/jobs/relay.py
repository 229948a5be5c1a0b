"""Publishes jobs that are due, whose message was lost, or whose worker died. Any number may run.

In production it is a process of its own (`app relay`). With `memory://` as the broker it is a
thread of the worker and feeds that worker's own queue.

One that is frozen holds up no other: a look is single statements, each a transaction, which skip what another relay has
locked; and while it enqueues ticks, PostgreSQL ends a transaction that stands still for ten seconds.
"""

import faulthandler
import sys
from collections.abc import Iterable
from math import inf
from threading import Event, Thread
from time import monotonic
from typing import Any

import psycopg
import structlog
from celery import Celery
from celery.signals import worker_ready, worker_shutting_down
from sqlalchemy import Connection, exists, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert

from groundwork.configuration import configuration
from groundwork.data.server_settings import SERVER_SETTINGS
from groundwork.data.silence import PromptConnection
from groundwork.jobs.backlog import FORGOTTEN, relay_connection
from groundwork.jobs.entries import Entry, enqueue_ticks
from groundwork.jobs.models import CHANNEL, Tick
from groundwork.jobs.notices import pass_on
from groundwork.jobs.notify_queue import USAGE, warn_if_full
from groundwork.jobs.publishing import Look, Publisher
from groundwork.jobs.transitions import RECOVER
from groundwork.life import Life
from groundwork.settings import get_settings

__all__ = ["relay"]

# Seconds between two looks at the table when nobody sends NOTIFY: retries, lost messages, the schedule.
POLL = 1.0
# Seconds until the first look after one that found jobs: others may have been committed meanwhile without a NOTIFY, and
# workers have made room in a window that was full. Each further look that finds nothing waits twice as long.
SOON = 0.005
# Seconds at most for which jobs that keep coming are let gather.
BREATH = 0.05
# Seconds at most between two looks while the windows are full: fast workers empty them several times a second.
OFTEN = 0.1
log = structlog.get_logger(__name__)

_free = select(Tick.name).where(Tick.name == "relay").with_for_update(skip_locked=True).scalar_subquery()
LOOKED = update(Tick).where(Tick.name == _free).values(at=func.now()).returning(USAGE)
# It reads first, since to insert would wait for whoever holds the row.
_never = select(literal("relay")).where(~exists().where(Tick.name == "relay"))
FIRST_LOOK = insert(Tick).from_select(["name"], _never).on_conflict_do_nothing()


def relay(celery: Celery, schedule: Iterable[Entry], stop: Event, *, hung_after: float | None = None) -> None:
    """Publish due jobs, and enqueue those of the schedule, until `stop`; outlasts any absence of database and broker.

    With `hung_after`, in seconds, the process ends, and tells where it hung, when a look or a message takes longer:
    whoever started it starts it again.
    """
    alive, life = _Watch(hung_after), Life("relay")
    # Tasks say how many of their jobs go into a message.
    celery.loader.import_default_modules()
    forgotten = get_settings().in_memory_broker
    while not stop.is_set():
        alive()
        try:
            listening = PromptConnection.connect(autocommit=True, **get_settings().database_arguments)
            with listening as listener, relay_connection() as connection:
                listener.execute(SERVER_SETTINGS)
                listener.execute(f"LISTEN {CHANNEL}")
                if forgotten:
                    connection.execute(FORGOTTEN)
                    forgotten = False
                log.info("relay listens")
                publisher, pace, regularly = Publisher(celery, connection, alive), _Pace(listener, stop), -POLL
                while not stop.is_set():
                    alive()
                    began = monotonic()
                    if began - regularly >= POLL:
                        # Again, for it raises where a connection that is open has fallen silent.
                        listener.execute(f"LISTEN {CHANNEL}")
                        _look_regularly(connection, schedule, publisher)
                        life.show()
                        regularly = began
                    look = publisher.publish_due()
                    if not look.more:
                        pace.wait(look, monotonic() - began)
        except Exception as error:
            # Drivers and brokers have a dozen families of errors, and the one duty of this loop is
            # to go on: no job is lost while it waits, but none would run if it ended.
            log.warning("relay waits", error=repr(error))
            stop.wait(POLL)
    life.end()
    faulthandler.cancel_dump_traceback_later()


class _Pace:
    """How long a relay waits between two looks: not at all after a quiet time, and longer while jobs keep coming."""

    def __init__(self, listener: psycopg.Connection, stop: Event) -> None:
        self._listener, self._stop = listener, stop
        self._pause, self._gather = SOON, 0.0

    def wait(self, look: Look, seconds: float) -> None:
        """Wait after a look, which took so many seconds, for the next NOTIFY or a little longer than the last time."""
        if look.published:
            # Many jobs of one commit each share a look, and a message where their task allows it.
            self._stop.wait(self._gather if look.workers_wait else BREATH)
        self._pause = SOON if look.published else min(2 * self._pause, OFTEN if look.jobs_wait else POLL)
        began = monotonic()
        for _ in self._listener.notifies(timeout=self._pause, stop_after=1):
            pass
        keep_coming = look.published and monotonic() - began < SOON
        self._gather = min(max(2 * self._gather, seconds), BREATH) if keep_coming else 0.0


class _Watch:
    """Ends the process, and tells where it was, when it is not called for so many seconds."""

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._set_at = -inf

    def __call__(self) -> None:
        # To set it costs as much as half a message, for it starts a thread.
        if self._seconds and sys.__stderr__ and monotonic() > self._set_at + self._seconds / 10:
            faulthandler.dump_traceback_later(self._seconds, exit=True, file=sys.__stderr__)
            self._set_at = monotonic()


def _look_regularly(connection: Connection, schedule: Iterable[Entry], publisher: Publisher) -> None:
    """Show that a relay lives, enqueue the jobs of due entries, and take care of what died or was lost."""
    if (usage := connection.scalar(LOOKED)) is None:
        connection.execute(FIRST_LOOK)
    else:
        warn_if_full(connection, usage)
    enqueue_ticks(schedule)
    connection.execute(RECOVER)
    pass_on(connection)
    publisher.publish_lost()


_stop = Event()


@worker_ready.connect
def _feed_this_worker(sender: Any, **_: object) -> None:
    if get_settings().in_memory_broker:
        Thread(target=relay, args=(sender.app, configuration().schedule, _stop), name="relay", daemon=True).start()


@worker_shutting_down.connect
def _stop_feeding(**_: object) -> None:
    _stop.set()
