"""A contender's processes: started in order, ended by their own numbers."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep

import psutil

from contenders import Contender, Program
from run_folder import RunFolder, end_process, note_process, sweep
from service import Service
from services import CLEANERS

__all__ = ["launched", "run_folder", "running", "started", "until"]

Process = subprocess.Popen[bytes]


@contextmanager
def running(run: RunFolder, service: Service, contender: Contender) -> Iterator[list[Path]]:
    """The contender's programs, ready to work; yields their logs."""
    with ExitStack() as ends:
        logs: list[Path] = []
        for number, program in enumerate(contender.programs):
            logs.append(run.path / f"{contender.module}-{number}.log")
            ends.enter_context(started(run, service, program, logs[-1], service.environment(contender.module)))
        yield logs


@contextmanager
def started(
    run: RunFolder, service: Service, program: Program, log: Path, environment: dict[str, str]
) -> Iterator[psutil.Process]:
    """The program once it has said that it is ready; it ends with the block."""
    with launched(run, service, program.words, log, environment) as process:
        until(lambda: program.ready in log.read_text(), [log], seconds=60)
        yield process


@contextmanager
def launched(
    run: RunFolder, service: Service, command: Sequence[str], log: Path, environment: dict[str, str]
) -> Iterator[psutil.Process]:
    """A process of the service's environment, from its first moment; it ends with the block."""
    words: list[str | Path] = [service.program(command[0]), *command[1:]]
    with log.open("wb") as output:
        process = subprocess.Popen(
            words,
            cwd=service.folder,
            env=environment,
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    try:
        watched = psutil.Process(process.pid)
        note_process(run, watched)
        yield watched
    finally:
        _end(process)


@contextmanager
def run_folder() -> Iterator[RunFolder]:
    """A benchmark's own; what a killed one left is taken away first."""
    cleaners = CLEANERS | {"process": _end_if_alive}
    sweep(cleaners)
    run = RunFolder.make()
    try:
        yield run
    finally:
        run.remove(cleaners)


def until(condition: Callable[[], bool], logs: list[Path], seconds: float = 180, pause: float = 0.02) -> None:
    """Wait; the ends of the logs are the message when it takes too long."""
    deadline = monotonic() + seconds
    while not condition():
        if monotonic() > deadline:
            raise TimeoutError("\n".join(f"{log.name}: ...{log.read_text()[-3000:]}" for log in logs))
        sleep(pause)


def _end_if_alive(pid: int, created: float) -> None:
    """What a run that was killed has left behind; one that was not has ended them itself."""
    with suppress(psutil.NoSuchProcess):
        end_process(pid, created)


def _end(process: Process) -> None:
    """Politely; after a quarter of a minute not so."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(15)
    # Its children are of its session, and of nobody else's.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
