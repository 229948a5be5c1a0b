"""Extends the leases of the jobs that this process runs, for as long as it lives: one thread for all of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Lock, Thread
from time import sleep
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from groundwork.data.connections import engine
from groundwork.jobs.transitions import EXTEND
from groundwork.settings import get_settings

__all__ = ["heartbeat", "lease"]

log = structlog.get_logger(__name__)

_running: list[dict[str, Any]] = []
_starting = Lock()
_thread = Thread()


def lease() -> timedelta:
    """How long a silent worker is believed to live."""
    return timedelta(seconds=get_settings().job_lease_seconds)


@contextmanager
def heartbeat(*attempts: dict[str, Any]) -> Iterator[None]:
    """Each names its job and its token."""
    _running.extend(attempts)
    _start()
    try:
        yield
    finally:
        for attempt in attempts:
            _running.remove(attempt)


def _start() -> None:
    """At the first job, and so in the process that runs it: a thread does not survive the fork of a prefork pool."""
    global _thread
    with _starting:
        if not _thread.is_alive():
            period = lease().total_seconds() / 3
            _thread = Thread(target=_beat, args=(period,), name="heartbeat", daemon=True)
            _thread.start()


def _beat(period: float) -> None:
    while True:
        sleep(period)
        if not (now_running := [mine | {"lease": lease()} for mine in tuple(_running)]):
            continue
        try:
            with engine().begin() as connection:
                connection.execute(EXTEND, now_running)
        except SQLAlchemyError as error:
            log.warning("heartbeat missed", error=str(error))
