"""Processes of the service, for tests that need the real thing."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from app.db import engine
from app.worker import celery

Process = subprocess.Popen[bytes]


@contextmanager
def running(command: list[str], environment: dict[str, str], log: Path) -> Iterator[Process]:
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            env=environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(15)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def kill(process: Process) -> None:
    """As the kernel does when memory runs out: the process and its children, at once."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def remove_queue(broker_url: str) -> None:
    queue = celery.amqp.queues[celery.conf.task_default_queue]
    with celery.connection_for_write(broker_url) as connection:
        queue.bind(connection.default_channel).delete()
        queue.exchange.bind(connection.default_channel).delete()


def cut_connections() -> None:
    """As a restart of PostgreSQL does: every connection to the database ends, our own pool's too."""
    with engine().connect() as connection:
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    engine().dispose()


def until(condition: Callable[[], object], seconds: float = 30) -> Any:
    deadline = monotonic() + seconds
    while not (value := condition()):
        assert monotonic() < deadline, "It did not happen in time; the worker's log is below."
        sleep(0.05)
    return value
