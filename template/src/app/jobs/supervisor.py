"""What the main process of a worker does for the jobs of its pool: no job waits for a lease that need not."""

import os
import signal
from threading import Thread, Timer
from typing import Any

import structlog
from billiard.exceptions import TimeLimitExceeded, WorkerLostError
from celery.signals import task_failure, worker_ready, worker_shutting_down
from sqlalchemy.exc import SQLAlchemyError

from app.db import engine
from app.jobs.runner import JobTask
from app.jobs.transitions import GIVE_BACK, OUT_OF_TIME, WORKER_LOST
from app.settings import get_settings
from app.worker import worker_name

log = structlog.get_logger(__name__)

_pool: list[Any] = []


@worker_ready.connect
def _remember_the_pool(sender: Any, **_: object) -> None:
    _pool[:] = [sender.pool]


@task_failure.connect
def _write_down_what_ended_it(sender: Any, task_id: str, exception: BaseException, **_: object) -> None:
    """The pool killed the process at the hard time limit, or found it dead: it can't write this itself."""
    if not isinstance(sender, JobTask):
        return
    job = {"job_id": task_id, "me": worker_name()}
    if isinstance(exception, WorkerLostError):
        _write(WORKER_LOST, job)
    elif isinstance(exception, TimeLimitExceeded):
        limit = sender.time_limit or sender.app.conf.task_time_limit
        _write(OUT_OF_TIME, job | {"reason": f"It took longer than {limit} s, its hard limit."})


@worker_shutting_down.connect
def _bound_the_wait(how: str, **_: object) -> None:
    """At SIGTERM or Ctrl-C Celery waits for what runs: here is the end of its patience. At SIGQUIT it waits for nothing."""
    if how == "Cold":
        # Not here in the handler of a signal, which interrupts who knows what.
        Thread(target=_write, args=(GIVE_BACK, {"me": worker_name()})).start()
    if how == "Warm":
        seconds = get_settings().worker_stop_seconds
        timer = Timer(seconds, _stop_now)
        timer.daemon = True
        timer.start()


def _stop_now() -> None:
    # First the rows: from here on nothing that these attempts do is kept.
    _write(GIVE_BACK, {"me": worker_name()})
    if any(pool.signal_safe for pool in _pool):
        os.kill(os.getpid(), signal.SIGQUIT)
    # Threads cannot be ended. They end by themselves, where their job next looks at its row.


def _write(change: Any, values: dict[str, Any]) -> None:
    try:
        with engine().begin() as connection:
            count = connection.execute(change, values).rowcount
    except SQLAlchemyError as error:
        # The lease runs out by itself.
        log.warning("could not write down the end of an attempt", error=str(error))
    else:
        if count:
            log.info("attempts of this worker ended", jobs=count)
