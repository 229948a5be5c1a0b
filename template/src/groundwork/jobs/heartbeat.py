"""Extends the leases of the jobs that run: in a prefork pool the main process does, for its children; elsewhere a thread.

A child could not while its task holds the interpreter's lock: in a regular expression, or in a library written in C.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Lock, Thread
from time import sleep
from typing import Any

import structlog
from sqlalchemy import Interval, String, Uuid, any_, bindparam, func, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import SQLAlchemyError

from groundwork.data.connections import engine
from groundwork.data.silence import answer_within
from groundwork.jobs.models import Job, Status
from groundwork.jobs.transitions import EXTEND
from groundwork.jobs.worker import in_child
from groundwork.settings import get_settings

__all__ = ["EXTEND_OF_MESSAGES", "extend", "heartbeat", "lease"]

log = structlog.get_logger(__name__)

_running: list[dict[str, Any]] = []
_starting = Lock()
_thread = Thread()

# The main process knows messages, no tokens. It waits for no row: who has locked one is about to end the attempt.
_theirs = (
    select(Job.id)
    .where(
        Job.id == any_(bindparam("job_ids", type_=ARRAY(Uuid))),
        Job.worker == any_(bindparam("places", type_=ARRAY(String))),
        Job.status == Status.RUNNING,
    )
    .with_for_update(skip_locked=True)
)
EXTEND_OF_MESSAGES = (
    update(Job).where(Job.id.in_(_theirs)).values(due_at=func.now() + bindparam("lease", type_=Interval))
)


def lease() -> timedelta:
    """How long a silent worker is believed to live."""
    return timedelta(seconds=get_settings().job_lease_seconds)


@contextmanager
def heartbeat(*attempts: dict[str, Any]) -> Iterator[None]:
    """Each names its job and its token."""
    if in_child():
        yield
        return
    _running.extend(attempts)
    _start()
    try:
        yield
    finally:
        for attempt in attempts:
            _running.remove(attempt)


def _start() -> None:
    """At the first job, and so in the process that runs it."""
    global _thread
    with _starting:
        if not _thread.is_alive():
            _thread = Thread(target=_beat, args=(lease(),), name="heartbeat", daemon=True)
            _thread.start()


def _beat(longer: timedelta) -> None:
    while True:
        sleep(longer.total_seconds() / 3)
        if now_running := [mine | {"lease": longer} for mine in tuple(_running)]:
            extend(EXTEND, now_running)


def extend(change: Any, values: Any) -> None:
    """Write it, and where the database does not answer in time write it once more on another connection."""
    for _ in range(2):
        try:
            with engine().connect() as connection:
                answer_within(connection, lease().total_seconds() / 3)
                connection.execute(change, values)
                connection.commit()
        except SQLAlchemyError as error:
            log.warning("heartbeat missed", error=str(error))
        else:
            return
