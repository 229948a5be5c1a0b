"""Publishes jobs that are due, whose message was lost, or whose worker died. Any number may run.

In production it is a process of its own (`app relay`). With `memory://` as the broker it is a
thread of the worker and feeds that worker's own queue.
"""

from datetime import timedelta
from threading import Event, Thread

import psycopg
import structlog
from celery.signals import worker_ready, worker_shutting_down
from sqlalchemy import bindparam, case, func, select, update

from app.db import engine
from app.jobs.models import CHANNEL, Job, Status
from app.settings import get_settings
from app.worker import celery

__all__ = ["publish_due", "relay"]

BATCH = 100
# Seconds between two looks at the table when nobody sends NOTIFY: retries, lost messages.
POLL = 1.0
# A message that no worker has answered after this time is published again, less and less often.
PATIENCE = timedelta(seconds=30)
LONGEST_PATIENCE = timedelta(minutes=10)
log = structlog.get_logger(__name__)

due = (
    select(Job.id)
    .where(Job.due_at <= func.now())
    .order_by(Job.due_at)
    .limit(BATCH)
    .with_for_update(skip_locked=True)
    .cte("due")
)
waited = func.least(func.now() - Job.run_at, LONGEST_PATIENCE)
lease_ran_out = Job.status == Status.RUNNING
TAKE = (
    update(Job)
    .where(Job.id == due.c.id)
    .values(
        status=Status.QUEUED,
        token=None,
        run_at=case((lease_ran_out, func.now()), else_=Job.run_at),
        due_at=func.now() + case((lease_ran_out, PATIENCE), else_=func.greatest(PATIENCE, waited)),
    )
    .returning(Job.id, Job.task, Job.due_at)
)
# Only rows that are as TAKE left them: the message may have arrived although sending it failed.
PUT_BACK = (
    update(Job)
    .where(Job.id == bindparam("job_id"), Job.due_at == bindparam("looked_at"), Job.status == Status.QUEUED)
    .values(due_at=func.now())
)
# Messages in the memory of a process are gone with it: its successor publishes them at once.
FORGOTTEN = update(Job).where(Job.status == Status.QUEUED, Job.run_at <= func.now()).values(due_at=func.now())


def publish_due() -> int:
    """Publish one batch of due jobs; returns how many."""
    with engine().begin() as connection:
        taken = connection.execute(TAKE).all()
    # Only now: a worker faster than we are must find the row as it will be.
    sent = 0
    try:
        with celery.producer_pool.acquire(block=True) as producer:
            for row in taken:
                celery.send_task(row.task, task_id=str(row.id), producer=producer)
                sent += 1
    finally:
        if unsent := [{"job_id": row.id, "looked_at": row.due_at} for row in taken[sent:]]:
            with engine().begin() as connection:
                connection.execute(PUT_BACK, unsent)
    return len(taken)


def relay(stop: Event) -> None:
    """Publish until `stop`, through any absence of the database or the broker."""
    while not stop.is_set():
        try:
            with psycopg.connect(get_settings().database_url, autocommit=True) as listener:
                listener.execute(f"LISTEN {CHANNEL}")
                if get_settings().in_memory_broker:
                    with engine().begin() as connection:
                        connection.execute(FORGOTTEN)
                log.info("relay listens")
                while not stop.is_set():
                    if publish_due() < BATCH:
                        for _ in listener.notifies(timeout=POLL, stop_after=1):
                            pass
        except Exception as error:
            # Drivers and brokers have a dozen families of errors, and the one duty of this loop is
            # to go on: no job is lost while it waits, but none would run if it ended.
            log.warning("relay waits", error=repr(error))
            stop.wait(POLL)


_stop = Event()


@worker_ready.connect
def _feed_this_worker(**_: object) -> None:
    if get_settings().in_memory_broker:
        Thread(target=relay, args=(_stop,), name="relay", daemon=True).start()


@worker_shutting_down.connect
def _stop_feeding(**_: object) -> None:
    _stop.set()
