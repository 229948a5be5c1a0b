"""Tells watchers which jobs have changed: after the commit, many changes at once, and only while somebody watches.

A trigger reports each change of a job with an owner to the client of the transaction, as a message of PostgreSQL. The
changes are kept with the connection, and are passed on when it goes back to its pool, which it does after the commit.
One thread of the process sends them. A change that was rolled back may be sent too: hubs read the row.

A process that dies between the commit and the notice loses the notice; streams find the change at their heartbeat.
"""

import atexit
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from threading import Event, Lock, Thread
from time import monotonic, sleep
from typing import Any

import structlog
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import Pool

from groundwork.data.connections import engine
from groundwork.jobs.models import CHANGES

__all__ = ["apart", "pass_on"]

log = structlog.get_logger(__name__)

# Seconds between two notices of a process, and between two looks whether somebody watches.
PAUSE = 0.02
LOOK = 1.0
# Changes that wait, at most; and those of one notice, whose text has less than 8,000 bytes.
MOST = 10_000
TOGETHER = 100

# One row for each notice; none where nobody watches, for hubs that listen share the lock of their channel. PostgreSQL
# locks the whole database until the commit of a notice: this one does not wait for the disk.
NOTIFY = text(
    """
    SELECT set_config('synchronous_commit', 'off', true), pg_notify(:channel, lines)
    FROM unnest(CAST(:payloads AS text[])) AS lines
    WHERE (SELECT NOT pg_try_advisory_xact_lock(hashtext(:channel)))
    """
)


class _Sender:
    """The changes of this process that were committed and not sent yet, and the thread that sends them."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew, after a fork: neither threads nor locks survive it."""
        self._changes: set[str] = set()
        self._changing, self._sending, self._awake = Lock(), Lock(), Event()
        self._thread = Thread()

    def add(self, changes: set[str]) -> None:
        with self._changing:
            if len(self._changes) < MOST:
                self._changes |= changes
            if not self._thread.is_alive():
                self._thread = Thread(target=self._run, name="notices", daemon=True)
                self._thread.start()
        self._awake.set()

    def _run(self) -> None:
        while True:
            self._awake.wait()
            self._awake.clear()
            began = monotonic()
            with self._sending:
                watched = self._send()
            # What changes meanwhile is sent then. Who begins to watch meanwhile reads it in the snapshot.
            sleep(max(0, began + (PAUSE if watched else LOOK) - monotonic()))

    def _send(self) -> bool:
        """Returns whether somebody watches."""
        with self._changing:
            changes, self._changes = list(self._changes), set()
        if not changes:
            return False
        payloads = ["\n".join(changes[first : first + TOGETHER]) for first in range(0, len(changes), TOGETHER)]
        try:
            with engine().execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
                sent = connection.execute(NOTIFY, {"channel": CHANGES, "payloads": payloads})
                return sent.rowcount > 0
        except SQLAlchemyError as error:
            log.warning("changes of jobs were not sent to those who watch", jobs=len(changes), error=str(error))
            return False

    @contextmanager
    def apart(self) -> Iterator[None]:
        with self._sending:
            with self._changing:
                self._changes.clear()
            yield

    def finish(self) -> None:
        """Send the rest, before a short process ends, and wait for what the thread sends."""
        if self._sending.acquire(timeout=LOOK) and self._changes:
            self._send()


_sender = _Sender()
os.register_at_fork(after_in_child=_sender.forget)
atexit.register(_sender.finish)


@event.listens_for(Pool, "connect")
def _keep_changes(connection: Any, record: Any) -> None:
    add_handler = getattr(connection, "add_notice_handler", None)
    if add_handler is None:
        # Of another driver, so of another database of the service's owner.
        return
    changes: set[str] = record.info.setdefault(CHANGES, set())

    def keep(message: Any) -> None:
        channel, _, change = (message.message_primary or "").partition(" ")
        if channel == CHANGES and len(changes) < MOST:
            changes.add(change)

    add_handler(keep)


@event.listens_for(Pool, "checkin")
def _pass_on_at_the_end(_connection: Any, record: Any) -> None:
    _pass_on(record.info)


def apart() -> AbstractContextManager[None]:
    """Forget what was not sent, and send nothing meanwhile; for tests that change the database."""
    return _sender.apart()


def pass_on(connection: Connection) -> None:
    """Let watchers know what was committed on a connection that does not go back to its pool yet."""
    if not connection.invalidated:
        _pass_on(connection.info)


def _pass_on(info: Any) -> None:
    if changes := info.get(CHANGES):
        _sender.add(changes.copy())
        changes.clear()
