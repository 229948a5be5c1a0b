"""A real worker process, and what a test does to it."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from socket import gethostname
from threading import Event, Thread
from time import monotonic, sleep
from typing import Any

import psutil

from groundwork.configuration import configuration
from groundwork.jobs.relay import relay
from groundwork.settings import get_settings

__all__ = ["SetVariable", "Worker", "remove_queue", "until", "working"]

SetVariable = Callable[[str, str], None]


@contextmanager
def working(log: Path, modules: Sequence[str] = ()) -> Iterator["Worker"]:
    """A worker process. Its relay is a thread of the tests on a real broker, and of the worker on none."""
    in_memory = get_settings().in_memory_broker
    worker = Worker("threads" if in_memory else "prefork", log, modules)
    stop = Event()
    publishing = Thread(target=relay, args=(configuration().celery, configuration().schedule, stop))
    if not in_memory:
        publishing.start()
    try:
        yield worker
    finally:
        stop.set()
        worker.end()
        if not in_memory:
            publishing.join()


@dataclass
class Worker:
    """A worker process of the service; `modules` have tasks beside those of the service."""

    pool: str
    log: Path
    modules: Sequence[str] = ()
    # Long, for nothing is to wait for one, and short enough for what has to.
    lease_seconds: int = 20
    process: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        """Of its own: suites may run side by side on one broker."""
        return f"{get_settings().job_queue}@{gethostname()}"

    def start(self) -> None:
        """Unless it lives."""
        if self.process is None or self.process.poll() is not None:
            worker = [
                "celery",
                "-q",
                "-A",
                f"{configuration().package}.worker",
                "worker",
                "--without-gossip",
                "--without-mingle",
            ]
            words = [sys.executable, "-m", *worker, "-n", self.name, "-P", self.pool, "-c", "2", "-l", "info"]
            words += [word for module in self.modules for word in ("--include", module)]
            # Where the tests find their modules, the worker finds them too.
            environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
            environment["JOB_LEASE_SECONDS"] = str(self.lease_seconds)
            with self.log.open("ab") as output:
                self.process = subprocess.Popen(
                    words, stdout=output, stderr=output, env=environment, start_new_session=True
                )

    def kill(self) -> None:
        """As the kernel does when memory runs out: it takes the process that does the work."""
        assert self.process is not None
        main = psutil.Process(self.process.pid)
        # The children of a prefork pool; a pool of threads is the worker itself.
        working = main.children() or [main]
        for process in working:
            process.kill()
        psutil.wait_procs(working)

    def stop(self) -> None:
        """As a container platform does, and wait until it has ended."""
        assert self.process is not None
        self.process.terminate()
        self.process.wait(20)

    def end(self) -> None:
        """Politely; after a quarter of a minute not so."""
        if self.process is None:
            return
        self.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(15)
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)


def remove_queue() -> None:
    """Delete the queues of this run from the broker."""
    celery = configuration().celery
    with celery.connection_for_write() as connection:
        for queue in celery.amqp.queues.consume_from.values():
            bound = queue.bind(connection.default_channel)
            # In memory only a declared queue can be deleted.
            bound.declare()
            bound.delete()
            queue.exchange.bind(connection.default_channel).delete()
    celery.close()


def until(condition: Callable[[], object], seconds: float = 30) -> Any:
    """Wait for a condition, and return its value; fails after `seconds`."""
    deadline = monotonic() + seconds
    while not (value := condition()):
        assert monotonic() < deadline, "It did not happen in time; the worker's log is below."
        sleep(0.1)
    return value
