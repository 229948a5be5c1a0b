"""Who takes part: the processes of each, and how one sees that all its jobs are finished."""

from dataclasses import dataclass
from pathlib import Path

__all__ = ["OURS", "PLAIN", "PROCESSES", "WORK", "Contender", "Package", "Program"]

PROCESSES = 2
# The modules of the contenders.
WORK = Path(__file__).parent / "work"


@dataclass(frozen=True)
class Program:
    """A command of the contender's environment, and what it logs when it is ready."""

    words: tuple[str, ...]
    ready: str


@dataclass(frozen=True)
class Package:
    """A package with an environment of its own: what is installed, and the commands that make its tables."""

    name: str
    requirements: tuple[str, ...]
    setup: tuple[tuple[str, ...], ...]
    # The variable in which its commands expect the database's URL.
    url_variable: str = "DATABASE_URL"
    # Where it is another than the one of the rendered service.
    python: str = ""


@dataclass(frozen=True)
class Contender:
    """`module` is one of work/. `programs` start in this order, each when the one before is ready.

    Without a `package` it runs in the environment of the rendered service.
    """

    name: str
    module: str
    programs: tuple[Program, ...]
    tables: str
    unfinished: str
    package: Package | None = None


def _celery(module: str) -> Program:
    # As the service's compose.yaml starts it.
    options = f"--without-gossip --without-mingle -l info -c {PROCESSES} -n {module}@%h".split()
    return Program(("celery", "-q", "-A", module, "worker", *options), " ready.")


def _durable(name: str, module: str) -> Contender:
    # As a module, so that another version of the template finds its own modules first.
    relay = Program(("python", "-m", "relay", module), "relay listens")
    return Contender(
        name, module, (_celery(module), relay), "jobs", "SELECT count(*) FROM jobs WHERE due_at IS NOT NULL"
    )


OURS = (_durable("durable job", "durable"), _durable("durable job, up to 25 in a message", "handfuls"))
PLAIN = Contender("plain Celery, safe", "plain", (_celery("plain"),), "", "SELECT 0")
