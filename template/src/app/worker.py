"""The Celery application and its configuration. It knows no feature."""

import gc
import os
import pkgutil
from functools import lru_cache
from socket import gethostname
from typing import Any
from uuid import uuid4

import structlog
from celery import Celery, Task
from celery.signals import setup_logging, worker_init, worker_process_init
from kombu import Connection
from kombu.exceptions import LimitExceeded, OperationalError
from kombu.pools import producers

import app
from app.broker import BROKER_SETTINGS, IMPATIENT
from app.db import engine
from app.log import configure_logging
from app.settings import get_settings

__all__ = ["celery", "place", "try_delay", "worker_name"]

log = structlog.get_logger(__name__)

# Set in the main process of a worker, and inherited by the processes of its pool.
_worker: list[str] = []


def worker_name() -> str:
    """The worker that this process belongs to, by its main process; outside of one, this process."""
    return _worker[0] if _worker else f"{gethostname()}:{os.getpid()}"


def place(message_id: str | None) -> str:
    """Where the attempt of a message is made; it begins with the worker's name."""
    return f"{worker_name()}/{message_id or ''}"


class PlainTask(Task[..., Any]):
    """The base of every task; without a broker only a worker itself would see a message."""

    def apply_async(self, *args: Any, **kwargs: Any) -> Any:
        if get_settings().in_memory_broker and not _worker:
            # In development: at once and here. What it raises stays here too, as in a worker.
            return self.apply(args[0] if args else kwargs.get("args"), args[1] if args[1:] else kwargs.get("kwargs"))
        if _worker:
            return super().apply_async(*args, **kwargs)
        # A request waits for a broker that hangs: for a few seconds only.
        with producers[_impatient_connection()].acquire(block=True, timeout=3) as producer:
            return super().apply_async(*args, **(kwargs | {"producer": producer}))


@lru_cache
def _impatient_connection() -> Connection:
    return celery.connection_for_write(transport_options=IMPATIENT)


def try_delay(task: Task[..., Any], *args: Any, **kwargs: Any) -> None:
    """`task.delay()` for BackgroundTasks: the reply is on its way, and what the broker does not take is dropped."""
    try:
        task.delay(*args, **kwargs)
    except (LimitExceeded, OperationalError) as error:
        log.warning("not sent to the broker, and dropped", task=task.name, error=str(error))


celery = Celery("app", task_cls=PlainTask)
# Each package of `app` may have a tasks.py: adding a feature folder is enough.
celery.autodiscover_tasks([f"app.{module.name}" for module in pkgutil.iter_modules(app.__path__) if module.ispkg])


def _configuration() -> dict[str, Any]:
    settings = get_settings()
    configuration = {
        "broker_url": settings.broker_url,
        "task_default_queue": settings.job_queue,
        # The row is the result.
        "task_ignore_result": True,
        # For plain tasks: acknowledged after the work, so a dying worker gives the message back. A
        # job needs neither, see JobTask.
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "worker_prefetch_multiplier": 1,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "worker_cancel_long_running_tasks_on_connection_loss": True,
        # What hangs in a prefork pool is ended: a job would extend its own lease for ever. A task may name its own limits.
        "task_soft_time_limit": 1800,
        "task_time_limit": 1860,
        # A process of the pool that died is noticed after so many seconds.
        "worker_lost_wait": 1,
        # Publishing is bounded in time: the relay tries again by itself, and `.delay()` gives up.
        "task_publish_retry_policy": {"max_retries": 1, "interval_start": 0.1},
        # What a worker itself does for jobs; the relay feeds the worker of its own process when there is no broker.
        "include": ["app.jobs.supervisor", "app.jobs.relay"],
    }
    if settings.in_memory_broker:
        return configuration | {
            "worker_enable_remote_control": False,
            "worker_timer_precision": 0.1,
            "broker_transport_options": {"polling_interval": 0.05},
        }
    return configuration | BROKER_SETTINGS


# A function, so that importing a task needs no environment.
celery.add_defaults(_configuration)


@setup_logging.connect
def _configure_logging(**_: object) -> None:
    configure_logging()


@worker_init.connect
def _remember_where_we_are(sender: Any, **_: object) -> None:
    _worker[:] = [f"{sender.hostname}:{uuid4().hex[:8]}"]
    # The garbage collector leaves alone what is loaded by now: the pool goes on sharing its memory, and ends sooner.
    gc.freeze()


@worker_process_init.connect
def _forget_inherited_connections(**_: object) -> None:
    # close=False: the sockets belong to the parent process, which still uses them.
    engine().dispose(close=False)
