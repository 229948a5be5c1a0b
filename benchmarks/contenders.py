"""Who takes part: the processes of each, and how one sees that all its jobs are finished."""

from dataclasses import dataclass

__all__ = ["CONTENDERS", "Contender", "Program"]

PROCESSES = 2


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

CONTENDERS = (
    Contender(
        "durable job",
        "durable",
        (_celery("durable"), Program(("app", "relay"), "relay listens")),
        "jobs",
        "SELECT count(*) FROM jobs WHERE due_at IS NOT NULL",
    ),
    Contender("plain Celery, safe", "plain", (_celery("plain"),), "", "SELECT 0"),
    Contender(
        "procrastinate",
        "peer",
        (_PEER,) * PROCESSES,
        "procrastinate_jobs",
        "SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')",
    ),
)
