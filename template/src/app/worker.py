"""The Celery application and its configuration. It knows no feature."""

import pkgutil
from threading import Event
from typing import Any

from celery import Celery, Task
from celery.signals import setup_logging, worker_init, worker_process_init

import app
from app.broker import BROKER_SETTINGS
from app.db import engine
from app.log import configure_logging
from app.settings import get_settings

__all__ = ["celery"]

_inside_a_worker = Event()


class PlainTask(Task[..., Any]):
    """The base of every task; without a broker only the worker itself would see its message."""

    def apply_async(self, *args: Any, **kwargs: Any) -> Any:
        if get_settings().in_memory_broker and not _inside_a_worker.is_set():
            raise RuntimeError(f"{self.name}.delay() needs a broker, and BROKER_URL is memory://; use enqueue().")
        return super().apply_async(*args, **kwargs)


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
        "worker_soft_shutdown_timeout": 10,
        "worker_enable_soft_shutdown_on_idle": True,
        # Publishing is bounded in time: the relay tries again by itself.
        "task_publish_retry_policy": {"max_retries": 1, "interval_start": 0.1},
        # The relay feeds the worker of its own process when there is no broker server.
        "include": ["app.jobs.relay"],
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
def _remember_where_we_are(**_: object) -> None:
    _inside_a_worker.set()


@worker_process_init.connect
def _forget_inherited_connections(**_: object) -> None:
    # close=False: the sockets belong to the parent process, which still uses them.
    engine().dispose(close=False)
