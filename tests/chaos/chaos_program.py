"""A program that faults hit: started, killed, stopped, frozen and started again; in the end nothing of it is left."""

import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from time import monotonic, sleep
from typing import TypeVar

import psutil

Found = TypeVar("Found")
# As compose.yaml's stop_grace_period of the worker.
GRACE = 20


@dataclass
class Program:
    """`launch` starts its main process and returns when others may use it."""

    name: str
    launch: "Callable[[], subprocess.Popen[bytes]]"
    process: "subprocess.Popen[bytes] | None" = None
    # Children of a main process that was killed: they may outlive it.
    orphans: list[psutil.Process] = field(default_factory=list)
    # It took longer than GRACE to end.
    outstayed: bool = False
    # The last line of its log at each time that it ended though nobody had ended it.
    last_words: list[str] = field(default_factory=list)

    def start(self) -> None:
        self.process = self.launch()

    def status(self) -> int:
        """Of one that ends by itself."""
        self.start()
        assert self.process is not None
        return self.process.wait()

    def family(self) -> list[psutil.Process]:
        """The main process first. None of an ended one: its number may be somebody else's by now."""
        if self.process is None or self.process.poll() is not None:
            return []
        with suppress(psutil.NoSuchProcess):
            main = psutil.Process(self.process.pid)
            return [main, *main.children(recursive=True)]
        return []

    def kill(self) -> None:
        """`kill -9` of the main process alone."""
        assert self.process is not None
        self.orphans += self.family()[1:]
        self.process.kill()
        self.process.wait()

    def tell(self, number: signal.Signals) -> None:
        """A signal to the main process, which may end by it."""
        assert self.process is not None
        self.orphans += self.family()[1:]
        self.process.send_signal(number)

    def await_end(self) -> None:
        """As an orchestrator does: for a while."""
        assert self.process is not None
        try:
            self.process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self.outstayed = True
            self.end()

    def end(self) -> None:
        """`kill -9` of all that is left of it, also of what is frozen."""
        left = [*self.orphans, *self.family()]
        for process in left:
            # By its number and the time it began: the number may be somebody else's by now.
            with suppress(psutil.NoSuchProcess):
                process.kill()
        if self.process is not None:
            self.process.wait()
        psutil.wait_procs(left, timeout=10)
        self.orphans.clear()


def frozen(*programs: Program) -> AbstractContextManager[None]:
    """SIGSTOP to all their processes, and SIGCONT at the end: what a paused machine sees."""
    return stopped(*(process for program in programs for process in program.family()))


@contextmanager
def stopped(*processes: psutil.Process) -> Iterator[None]:
    try:
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.suspend()
        yield
    finally:
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.resume()


def until(condition: Callable[[], Found | None], what: str, seconds: float = 30) -> Found:
    """The first value that counts as true; AssertionError names what did not happen."""
    deadline = monotonic() + seconds
    while not (value := condition()):
        assert monotonic() < deadline, f"{what}: not within {seconds:.0f} s"
        sleep(0.05)
    return value
