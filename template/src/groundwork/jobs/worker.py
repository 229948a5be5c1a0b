"""The Celery application of the service: its configuration, and what every process of a worker does when it starts."""

import gc
import os
from collections.abc import Mapping
from functools import lru_cache
from socket import gethostname
from typing import Any
from uuid import uuid4

import structlog
from celery import Celery, Task
from celery.signals import import_modules, setup_logging, worker_init, worker_process_init
from kombu import Connection
from kombu.exceptions import LimitExceeded, OperationalError
from kombu.pools import producers

from groundwork.broker import IMPATIENT, celery_settings
from groundwork.broker_urls import STRONGER
from groundwork.configuration import configuration
from groundwork.data.connections import engine
from groundwork.jobs.broker_queues import QueuesWithMail
from groundwork.log import configure_logging
from groundwork.settings import get_settings

__all__ = ["in_child", "make_celery", "place", "try_delay", "worker_name"]

log = structlog.get_logger(__name__)

# What a worker itself does for jobs; the relay feeds the worker of its own process when there is no broker. And what each
# process of its pool would load otherwise, for itself.
INCLUDED = [
    *("groundwork.jobs.supervisor", "groundwork.jobs.sign_of_life", "groundwork.jobs.relay"),
    "groundwork.mail.template_engine",
]

# Set in the main process of a worker, and inherited by the processes of its pool.
_worker: list[str] = []
_main_process: list[int] = []


def make_celery(renamed_tasks: Mapping[str, str]) -> Celery:
    """The Celery application, which finds the `tasks.py` of each feature.

    `renamed_tasks` maps names that tasks had to the names that they have, of single tasks or of whole modules: jobs
    that were enqueued under an earlier name still run.
    """
    package = configuration().package
    # Without Celery's fixups: what they do for Django loads the worker's code into the API.
    celery: Celery = Celery(package, task_cls=PlainTask, amqp=QueuesWithMail, fixups=[])
    # In every thread: the tasks of the groundwork ask for the application that is the default there.
    celery.set_default()
    celery.autodiscover_tasks([f"{package}.{feature.name}" for feature in configuration().features])

    @import_modules.connect(sender=celery, weak=False)
    def keep_earlier_names(**_: object) -> None:
        _register_earlier_names(celery, renamed_tasks)

    # A function, so that importing a task needs no environment.
    celery.add_defaults(_configuration)
    return celery


def _register_earlier_names(celery: Celery, renamed_tasks: Mapping[str, str]) -> None:
    for earlier, present in renamed_tasks.items():
        for name, task in list(celery.tasks.items()):
            twin = earlier + name.removeprefix(present)
            if (name == present or name.startswith(f"{present}.")) and twin not in celery.tasks:
                celery.register_task(type(task.__name__, (type(task),), {"name": twin})())


def worker_name() -> str:
    """The worker that this process belongs to, by its main process; outside of one, this process."""
    return _worker[0] if _worker else f"{gethostname()}:{os.getpid()}"


def in_child() -> bool:
    """Whether this is a process of a prefork pool, whose main process answers for it."""
    return bool(_main_process) and _main_process[0] != os.getpid()


def place(message_id: str | None) -> str:
    """Where the attempt of a message is made; it begins with the worker's name."""
    return f"{worker_name()}/{message_id or ''}"


class PlainTask(Task[..., Any]):
    """The base of every task. With `memory://` only a worker itself would receive a message."""

    def apply_async(self, *args: Any, **kwargs: Any) -> Any:
        if get_settings().in_memory_broker and not _worker:
            # In development: at once and here. What it raises stays here too, as in a worker.
            return self.apply(args[0] if args else kwargs.get("args"), args[1] if args[1:] else kwargs.get("kwargs"))
        if _worker:
            return super().apply_async(*args, **kwargs)
        # A request waits for a broker that hangs: for a few seconds only.
        with producers[_impatient_connection(self.app)].acquire(block=True, timeout=3) as producer:
            return super().apply_async(*args, **(kwargs | {"producer": producer}))


@lru_cache
def _impatient_connection(celery: Celery) -> Connection:
    return celery.connection_for_write(transport_options=IMPATIENT)


def try_delay(task: Task[..., Any], *args: Any, **kwargs: Any) -> None:
    """`task.delay(*args, **kwargs)` for BackgroundTasks: where the broker does not take the message, it is dropped.

    For plain tasks, whose work may be lost. It waits for the broker for up to about three seconds, so never call it in
    a coroutine.
    """
    try:
        task.delay(*args, **kwargs)
    except (LimitExceeded, OperationalError) as error:
        log.warning("not sent to the broker, and dropped", task=task.name, error=str(error))


def _configuration() -> dict[str, Any]:
    settings = get_settings()
    # The command `celery` copies BROKER_URL there, with all of its parameters, and would believe it more than what follows.
    for name in STRONGER:
        os.environ.pop(name, None)
    defaults = {
        "task_default_queue": settings.job_queue,
        # The row is the result.
        "task_ignore_result": True,
        # For plain tasks: acknowledged after the work, so a dying worker gives the message back. A
        # job needs neither, see JobTask.
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "worker_prefetch_multiplier": 1,
        # By the processors that it may use, not by those of the machine: `-c` says another number.
        "worker_concurrency": "auto",
        "worker_consumer": "groundwork.jobs.consumer:CarefulConsumer",
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
        "include": INCLUDED,
    }
    if settings.in_memory_broker:
        return defaults | {
            "broker_url": settings.broker_url,
            "worker_enable_remote_control": False,
            "worker_timer_precision": 0.1,
            "broker_transport_options": {"polling_interval": 0.05},
        }
    return defaults | celery_settings(settings.broker_url)


@setup_logging.connect
def _configure_logging(**_: object) -> None:
    configure_logging()


@worker_init.connect
def _remember_where_we_are(sender: Any, **_: object) -> None:
    _worker[:] = [f"{sender.hostname}:{uuid4().hex[:8]}"]
    _main_process[:] = [os.getpid()]
    # The garbage collector leaves alone what is loaded by now: the pool goes on sharing its memory, and ends sooner.
    gc.freeze()


@worker_process_init.connect
def _forget_inherited_connections(**_: object) -> None:
    # close=False: the sockets belong to the parent process, which still uses them.
    engine().dispose(close=False)
