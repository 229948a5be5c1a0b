"""The folder of one test run, shared by its processes; what the run makes outside of it is noted before it is made.

So a later run can take away what a killed one left behind, and nothing else.
"""

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import disk_usage, rmtree
from tempfile import gettempdir

import psutil

PREFIX = "groundwork-tests-"
# Linux's folder in memory; in a container it may have room for next to nothing.
MEMORY, ROOM = Path("/dev/shm"), 2 * 1024**3
# How to take away each kind of thing, by the name it is noted under.
Cleaners = dict[str, Callable[..., None]]


class RunFolder:
    """One for each run of pytest; xdist's workers share it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def make(cls) -> "RunFolder":
        folder = cls(Path(gettempdir()) / f"{PREFIX}{os.getpid()}")
        folder.path.mkdir(mode=0o755)
        return folder

    def note(self, kind: str, **what: str | int | float) -> None:
        with (self.path / "notes").open("a") as notes:
            notes.write(json.dumps({"kind": kind, **what}) + "\n")

    def shared(self, name: str, make: Callable[[], str]) -> str:
        """What the first process that needs it makes for all of them."""
        with locked(self.path / f"{name}.lock"):
            file = self.path / name
            if not file.exists():
                file.write_text(make())
            return file.read_text()

    def memory(self) -> Path:
        """For files that are soon forgotten: in memory where there is room, else on the disk as all of it."""
        return Path(self.shared("in-memory", self._make_memory))

    def _make_memory(self) -> str:
        roomy = os.access(MEMORY, os.W_OK) and disk_usage(MEMORY).free > ROOM
        folder = MEMORY / self.path.name if roomy else self.path / "memory"
        self.note("folder", path=str(folder))
        folder.mkdir(mode=0o755)
        return str(folder)

    def remove(self, cleaners: Cleaners) -> None:
        """Take away all that was noted, last first, then the folder."""
        notes = self.path / "notes"
        for line in reversed(notes.read_text().splitlines() if notes.exists() else []):
            what = json.loads(line)
            try:
                cleaners[what.pop("kind")](**what)
            except Exception as error:
                # A server that is gone has taken the thing along; whatever else it is, the rest is cleaned up too.
                print(f"Could not take away {line}: {error}")
        rmtree(self.path, ignore_errors=True)


@contextmanager
def locked(file: Path) -> Iterator[None]:
    with file.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def sweep(cleaners: Cleaners) -> list[Path]:
    """Clean up after runs that were killed; returns their folders."""
    dead = []
    for path in Path(gettempdir()).glob(f"{PREFIX}[0-9]*"):
        pid = int(path.name.removeprefix(PREFIX))
        # Our own number was somebody else's before.
        alive = psutil.pid_exists(pid) and pid != os.getpid()
        if path.stat().st_uid == os.getuid() and not alive:
            RunFolder(path).remove(cleaners)
            dead.append(path)
    return dead


def note_process(run: RunFolder, process: psutil.Process) -> None:
    run.note("process", pid=process.pid, created=process.create_time())


def end_process(pid: int, created: float) -> None:
    # The number may be free or belong to somebody else by now.
    if psutil.pid_exists(pid) and (process := psutil.Process(pid)).create_time() == created:
        family = [process, *process.children(recursive=True)]
        process.terminate()
        _, left = psutil.wait_procs(family, timeout=10)
        for each in left:
            each.kill()
