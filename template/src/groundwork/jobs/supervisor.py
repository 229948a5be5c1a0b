"""What the main process of a worker does for the jobs of its pool: no job waits for a lease that need not."""

import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from threading import Lock, Thread, Timer
from time import sleep
from typing import Any
from uuid import UUID

import structlog
from billiard.exceptions import TimeLimitExceeded, WorkerLostError
from celery.concurrency.prefork import TaskPool
from celery.signals import task_failure, worker_ready, worker_shutting_down
from celery.worker.request import Request
from celery.worker.state import active_requests
from sqlalchemy.exc import SQLAlchemyError

from groundwork.data.connections import prompt_engine
from groundwork.jobs.endings import tell_owner
from groundwork.jobs.heartbeat import EXTEND_OF_MESSAGES, extend, lease
from groundwork.jobs.task import JobTask
from groundwork.jobs.transitions import GIVE_BACK, OUT_OF_TIME, SEND_AGAIN, WORKER_LOST
from groundwork.jobs.worker import place
from groundwork.settings import get_settings

__all__ = ["extend_leases"]

log = structlog.get_logger(__name__)

# What the end of a worker takes once its work has ended: closing connections above all.
LAST_SECONDS = 5

# Held while a thread of the main process writes: a child that is forked meanwhile would inherit its locks, held for ever.
_writing = Lock()


@worker_ready.connect
def _answer_for_children(sender: Any, **_: object) -> None:
    """Where there are any. One that hangs is ended by the hard time limit, and one that died is missed by the pool."""
    if isinstance(sender.pool, TaskPool):
        os.register_at_fork(before=_writing.acquire, after_in_parent=_writing.release, after_in_child=_writing.release)
        Thread(target=_answer, name="heartbeat", daemon=True).start()


def _answer() -> None:
    while True:
        sleep(lease().total_seconds() / 3)
        with _writing:
            extend_leases()


def extend_leases() -> None:
    """Extend those of the messages that children work on. An attempt whose end could not be written is none of them."""
    messages = _messages()
    job_ids = [UUID(job_id) for request in messages for job_id in _jobs(request)]
    places = [place(request.id) for request in messages]
    if messages:
        extend(EXTEND_OF_MESSAGES, {"job_ids": job_ids, "places": places, "lease": lease()})


def _messages() -> list[Request]:
    """The messages with jobs that are worked on."""
    while True:
        try:
            return [request for request in active_requests if isinstance(request.task, JobTask)]
        except RuntimeError:
            # Another thread began or ended one meanwhile.
            continue


def _jobs(request: Request) -> Sequence[str]:
    return request.args or [request.id]


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
    _write(SEND_AGAIN, [{"job_id": job_id} for request in _messages() for job_id in request.args])


def _write(change: Any, values: list[dict[str, Any]]) -> None:
    if not values:
        return
    try:
        with prompt_engine().begin() as connection:
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
