"""Sends the messages of due jobs to the broker: a window of each queue, and again those that are probably lost."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from itertools import chain
from time import monotonic
from typing import Any, NamedTuple
from uuid import uuid4

import structlog
from celery import Celery
from sqlalchemy import Connection

from groundwork.jobs.backlog import (
    COUNT_PUBLISHED,
    LOOK,
    PUBLISH,
    PUT_BACK,
    ROUTE,
    SEND_AGAIN,
    TAKE_OVERDUE,
    relay_connection,
)
from groundwork.jobs.broker_queues import broker_is_away, messages_in, named_queue, queue_of
from groundwork.settings import get_settings

__all__ = ["Look", "Publisher", "publish_due"]

# Jobs of a queue that are published and not claimed, at most; workers take them long before the next look.
WINDOW = 500
# Jobs of a queue that one look publishes at most, so that no other queue waits for long.
BATCH = 100
# Unclaimed jobs of a queue that keep its workers busy until the next look: others that come meanwhile may gather.
ENOUGH = 10
# Seconds for which a queue that refused a message is left alone.
STAND_BACK = 5.0
log = structlog.get_logger(__name__)


class Look(NamedTuple):
    """How many jobs were published, whether more can be at once, whether workers wait, and whether jobs do."""

    published: int
    more: bool
    workers_wait: bool
    jobs_wait: bool


def publish_due(celery: Celery) -> int:
    """Publish once what is due; returns how many jobs."""
    with relay_connection() as connection:
        return Publisher(celery, connection).publish_due().published


class Publisher:
    """Publishes jobs for as long as `connection` lives; calls `alive` before each message."""

    def __init__(self, celery: Celery, connection: Connection, alive: Callable[[], None] = lambda: None) -> None:
        self._celery = celery
        self._connection = connection
        self._alive = alive
        # Queues that refused a message, and when they are tried again.
        self._refusing: dict[str, float] = {}

    def publish_due(self) -> Look:
        """Publish the due jobs for which the windows have room, a batch of each queue at most."""
        found = self._connection.execute(LOOK, {"window": WINDOW}).all()
        rooms = {row.queue: min(BATCH, WINDOW - row.published) for row in found if not self._refuses(row.queue)}
        # Only where there is some room: to look for each job would cost more than to send it.
        if not (rooms := {queue: room for queue, room in rooms.items() if room >= min(BATCH, WINDOW // 3)}):
            return Look(0, more=False, workers_wait=False, jobs_wait=bool(found))
        taken = {"queues": list(rooms), "rooms": list(rooms.values()), "patience": _patience()}
        # A worker faster than this relay finds the row as it is now.
        rows = self._connection.execute(PUBLISH, taken).all()
        sent = self._send(rows)
        workers_wait = any(row.published < ENOUGH for row in found if row.queue in rooms)
        return Look(len(rows), sent >= BATCH, workers_wait, jobs_wait=True)

    def publish_lost(self) -> int:
        """Publish again what no worker has claimed in time, where the broker has fewer messages than there are such jobs.

        The oldest first, and never more than are missing, so that messages do not pile up in a queue without workers.
        """
        published: defaultdict[str, int] = defaultdict(int)
        overdue = set()
        for row in self._connection.execute(COUNT_PUBLISHED):
            published[name := queue_of(self._celery, row)] += row.published
            if row.overdue:
                overdue.add(name)
        if not overdue:
            return 0
        missing = {name: published[name] - messages_in(self._celery, name) for name in overdue}
        lost = []
        for row in self._connection.execute(TAKE_OVERDUE, {"patience": _patience()}).all():
            if missing.get(name := queue_of(self._celery, row), 0) > 0:
                missing[name] -= 1
                lost.append(row.id)
        return self._send(self._connection.execute(SEND_AGAIN, {"ids": lost, "patience": _patience()}).all())

    def _send(self, rows: Sequence[Any]) -> int:
        """Send the messages of these jobs; returns how many jobs those of the longest queue were.

        What a queue refuses waits in the table again, and others are sent. Raises what says that the broker is away.
        """
        queues: defaultdict[str, list[Any]] = defaultdict(list)
        for row in rows:
            queues[row.queue or ""].append(row)
        queues[""] = self._route(queues[""])
        unsent = {row.id: row.due_at for row in chain.from_iterable(queues.values())}
        try:
            # The shortest first: a single job does not wait for a hundred of another queue.
            for queue, waiting in sorted(queues.items(), key=lambda item: len(item[1])):
                try:
                    with self._celery.producer_pool.acquire(block=True) as producer:
                        for message in _messages(self._celery, waiting):
                            self._alive()
                            self._publish(message, producer)
                            for row in message:
                                del unsent[row.id]
                except Exception as error:
                    if broker_is_away(self._celery, error):
                        raise
                    self._refusing[queue] = monotonic() + STAND_BACK
                    log.warning("a queue refuses messages; its jobs wait", queue=queue or None, error=repr(error))
        finally:
            if unsent:
                self._connection.execute(PUT_BACK, {"ids": list(unsent), "taken": list(unsent.values())})
        return max(map(len, queues.values()), default=0)

    def _publish(self, message: Sequence[Any], producer: Any) -> None:
        first, *others = message
        if first.task not in self._celery.tasks:
            # Sent all the same: a worker of a newer version may know it.
            log.warning("no tasks.py has this task, and no worker may", task=first.task, job_id=str(first.id))
        # One job is the message; a message of many has an id of its own.
        message_id, ids = (uuid4(), [str(row.id) for row in message]) if others else (first.id, [])
        queue = named_queue(first)
        self._celery.send_task(first.task, args=ids, task_id=str(message_id), producer=producer, queue=queue)

    def _route(self, rows: list[Any]) -> list[Any]:
        """Those of the default queue; the others go on to wait in the queue that Celery's `task_routes` name."""
        if not self._celery.conf.task_routes or get_settings().in_memory_broker:
            return rows
        default = self._celery.conf.task_default_queue
        elsewhere = defaultdict(list)
        for row in rows:
            if (name := queue_of(self._celery, row)) != default:
                elsewhere[name].append(row)
        for name, some in elsewhere.items():
            self._connection.execute(PUT_BACK, {"ids": [row.id for row in some], "taken": [row.due_at for row in some]})
            self._connection.execute(ROUTE, {"queue": name, "ids": [row.id for row in some]})
        return [row for row in rows if queue_of(self._celery, row) == default]

    def _refuses(self, queue: str) -> bool:
        return self._refusing.get(queue, 0) > monotonic()


def _patience() -> timedelta:
    return timedelta(seconds=get_settings().job_patience_seconds)


def _messages(celery: Celery, rows: Iterable[Any]) -> Iterator[list[Any]]:
    """The jobs of each message: one job, or as many of one task and queue as the task's `batch_size` allows."""
    alike = defaultdict(list)
    # The oldest first: an id begins with its time.
    for row in sorted(rows, key=lambda row: row.id):
        if row.crashes:
            # Its worker or its connection died. Whether it was the cause shows when nothing else is there.
            yield [row]
        else:
            alike[row.task].append(row)
    for name, some in alike.items():
        size = getattr(celery.tasks.get(name), "batch_size", 1)
        yield from (some[start : start + size] for start in range(0, len(some), size))
