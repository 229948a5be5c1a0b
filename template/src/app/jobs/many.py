"""One message with many short jobs, run one after another."""

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from uuid import UUID

import structlog
from celery.exceptions import Ignore, Retry

from app.db import engine
from app.jobs.transitions import SEND_AGAIN
from app.settings import get_settings

__all__ = ["Stopped", "run_many"]

log = structlog.get_logger(__name__)


class Stopped(Ignore):
    """Another attempt has the job: this worker was given up, or is asked to stop."""


def run_many(run: Callable[[UUID], None], jobs: list[UUID]) -> None:
    """However one ends, those behind it have nothing to do with it.

    After JOB_PATIENCE_SECONDS the relay takes the message for lost, so what it has left is sent again.
    """
    until = monotonic() + get_settings().job_patience_seconds
    waiting = deque(jobs)
    with suppress(Stopped):
        while waiting and monotonic() < until:
            _run_one(run, waiting.popleft())
    if rest := [{"job_id": job_id} for job_id in waiting]:
        with engine().begin() as connection:
            connection.execute(SEND_AGAIN, rest)


def _run_one(run: Callable[[UUID], None], job_id: UUID) -> None:
    try:
        run(job_id)
    except Stopped:
        raise
    except (Ignore, Retry):
        pass
    except Exception as error:
        # Of a message with one job Celery logs it.
        log.error("in a message of many jobs", job_id=str(job_id), exc_info=error)
