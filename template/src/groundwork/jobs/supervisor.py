"""What the main process of a worker does for the jobs of its pool: no job waits for a lease that need not."""

import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from threading import Thread, Timer
from time import sleep
from typing import Any

import structlog
from billiard.exceptions import TimeLimitExceeded, WorkerLostError
from celery.signals import task_failure, worker_shutting_down
from celery.worker.state import active_requests
from sqlalchemy.exc import SQLAlchemyError

from groundwork.data.connections import engine
from groundwork.jobs.endings import tell_owner
from groundwork.jobs.task import JobTask
from groundwork.jobs.transitions import GIVE_BACK, OUT_OF_TIME, SEND_AGAIN, WORKER_LOST
from groundwork.jobs.worker import place
from groundwork.settings import get_settings

log = structlog.get_logger(__name__)

# What the end of a worker takes once its work has ended: closing connections above all.
LAST_SECONDS = 5


@task_failure.connect
def _write_down_what_ended_it(
    sender: Any, task_id: str, exception: BaseException, args: Sequence[str] = (), **_: object
) -> None:
    """The pool killed the process at the hard time limit, or found it dead: it can't write this itself."""
    if not isinstance(sender, JobTask):
        return
    here = {"me": place(task_id)}
    # Which one of many took too long nobody knows: they start again, each in a message of its own.
    if isinstance(exception, WorkerLostError) or (args and isinstance(exception, TimeLimitExceeded)):
        _write(WORKER_LOST, [here])
    elif isinstance(exception, TimeLimitExceeded):
        limit = sender.time_limit or sender.app.conf.task_time_limit
        _write(OUT_OF_TIME, [here | {"reason": f"It took longer than {limit} s, its hard limit."}])
    else:
        return
    _write(SEND_AGAIN, [{"job_id": job_id} for job_id in args])


@worker_shutting_down.connect
def _bound_the_wait(how: str, **_: object) -> None:
    """At SIGTERM or Ctrl-C Celery waits for what runs: here is the end of its patience. At SIGQUIT it waits for nothing."""
    if how == "Cold":
        # Not here in the handler of a signal, which interrupts who knows what.
        Thread(target=_give_back).start()
    if how == "Warm":
        seconds = get_settings().worker_stop_seconds
        timer = Timer(seconds, _end)
        timer.daemon = True
        timer.start()


def _end() -> None:
    # First the rows: from here on nothing that these attempts do is kept.
    _give_back()
    for request in tuple(active_requests):
        # Threads cannot be ended. They end by themselves, where their job next looks at its row.
        if request.worker_pid not in (None, os.getpid()):
            with suppress(ProcessLookupError):
                os.kill(request.worker_pid, signal.SIGKILL)
    # Now Celery's own stop has nothing to wait for. Whatever else holds it up, a silent broker say, does not for ever.
    sleep(LAST_SECONDS)
    log.warning("this worker did not come to its end by itself, and was ended")
    os._exit(1)


def _give_back() -> None:
    _write(GIVE_BACK, [{"me": place(None)}])
    # With what waits behind them in their messages.
    messages = [request for request in active_requests if isinstance(request.task, JobTask)]
    _write(SEND_AGAIN, [{"job_id": job_id} for request in messages for job_id in request.args])


def _write(change: Any, values: list[dict[str, Any]]) -> None:
    if not values:
        return
    try:
        with engine().begin() as connection:
            ended = connection.execute(change, values)
            count = ended.rowcount
            for job_id in ended.scalars() if ended.returns_rows else ():
                tell_owner(connection, job_id)
    except SQLAlchemyError as error:
        # The lease runs out by itself.
        log.warning("could not write down the end of an attempt", error=str(error))
    else:
        if count:
            log.info("attempts of this worker ended", jobs=count)
