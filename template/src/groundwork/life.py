"""Signs of life: files in memory that a worker and a relay touch, and that a probe on the same machine looks at.

A probe asks each half minute in each container; to ask the broker or the database it would load their drivers first.
Where a sign is missing, old, or not to be trusted, the probe asks as before: nothing depends on these files.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from socket import gethostname
from stat import S_ISREG
from time import time

__all__ = ["EVERY", "Life", "lives", "this_worker"]

# Seconds between two signs of a worker, and for which a sign is believed.
EVERY = 5.0
BELIEVED = 20.0
# What tells two services of one machine apart.
OURS = ("BROKER_URL", "DATABASE_URL", "DIRECT_DATABASE_URL", "JOB_QUEUE", "SECRETS_DIR")


class Life:
    """The sign of life of one part of this service on this machine; of a worker by its name."""

    def __init__(self, part: str, name: str = "") -> None:
        # /dev/shm is in memory, and can be written where nothing else can: in a container that is read-only. Where it is
        # not, on macOS, there is a TMPDIR. Others may write there: so no link is followed, and no file of theirs is used.
        folders = [os.environ.get("TMPDIR", ""), "/dev/shm"]  # noqa: S108 # See `_opened`.
        folder = next((folder for folder in folders if os.access(folder, os.W_OK | os.X_OK)), "/nowhere")
        service = repr([__file__, os.getcwd(), sys.prefix, *map(os.environ.get, OURS)])
        self._service = blake2b(service.encode(), digest_size=16).hexdigest()
        self._path = Path(folder, f"groundwork-{os.geteuid()}-{part}-{name.replace('/', '_')}")

    def show(self) -> None:
        """Leave a sign. Where that cannot be done, a full disk for one, there is none."""
        with suppress(OSError), self._opened(os.O_WRONLY | os.O_CREAT) as (file, is_ours, _):
            if is_ours:
                os.write(file, f"{os.getpid():<20} {self._service}".encode())

    def end(self) -> None:
        """Take the sign away."""
        with suppress(OSError):
            self._path.unlink()

    def seen(self) -> bool:
        """Whether the process that left the sign lives, and left it just now."""
        try:
            with self._opened(os.O_RDONLY) as (file, is_ours, left_at):
                process, service = os.read(file, 100).decode().split() if is_ours else ("", "")
            # A signal 0 only asks whether there is such a process.
            os.kill(int(process), 0)
        except (OSError, ValueError):
            return False
        return service == self._service and 0 <= time() - left_at < BELIEVED

    @contextmanager
    def _opened(self, way: int) -> Iterator[tuple[int, bool, float]]:
        """The file, whether it is ours, and when it was written: what others put there is neither followed nor waited for."""
        file = os.open(self._path, way | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
        try:
            found = os.fstat(file)
            yield file, S_ISREG(found.st_mode) and found.st_uid == os.geteuid(), found.st_mtime
        finally:
            os.close(file)


def lives(part: str, name: str = "") -> bool:
    """Whether `worker`, by default that of this machine, or `relay` left a sign just now."""
    return part in {"worker", "relay"} and Life(part, (name or this_worker()) if part == "worker" else "").seen()


def this_worker() -> str:
    """As Celery names the worker of a machine or container."""
    return f"celery@{gethostname()}"
