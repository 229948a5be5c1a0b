"""Who takes part: the processes of each, and how one sees that all its jobs are finished."""

from dataclasses import dataclass
from pathlib import Path

__all__ = ["CONTENDERS", "OTHERS", "OURS", "WORK", "Contender", "Program"]

PROCESSES = 2
# The modules of the contenders.
WORK = Path(__file__).parent / "work"


@dataclass(frozen=True)
class Program:
    """A command of the service's environment, and what it logs when it is ready."""

    words: tuple[str, ...]
    ready: str


@dataclass(frozen=True)
class Contender:
    """`module` is one of work/. `programs` start in this order, each when the one before is ready."""

    name: str
    module: str
    programs: tuple[Program, ...]
    tables: str
    unfinished: str


def _celery(module: str) -> Program:
    # As the service's compose.yaml starts it.
    options = f"--without-gossip --without-mingle -l info -c {PROCESSES} -n {module}@%h".split()
    return Program(("celery", "-q", "-A", module, "worker", *options), " ready.")


# Several at a time, as suits coroutines: 4 did as well as 8 and 16, and better than its default of 1.
_PEER = Program(("procrastinate", "-v", "-a", "peer.app", "worker", "-c", "4"), "Starting worker")


def _durable(name: str, module: str) -> Contender:
    relay = Program(("python", str(WORK / "relay.py"), module), "relay listens")
    return Contender(
        name, module, (_celery(module), relay), "jobs", "SELECT count(*) FROM jobs WHERE due_at IS NOT NULL"
    )


OURS = (_durable("durable job", "durable"), _durable("durable job, up to 25 in a message", "handfuls"))
OTHERS = (
    Contender("plain Celery, safe", "plain", (_celery("plain"),), "", "SELECT 0"),
    Contender(
        "procrastinate",
        "peer",
        (_PEER,) * PROCESSES,
        "procrastinate_jobs",
        "SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')",
    ),
)
CONTENDERS = OURS + OTHERS
