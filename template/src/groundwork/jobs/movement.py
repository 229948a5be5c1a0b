"""Whether jobs move: when a relay looked last, and how long the oldest job has waited that might run."""

from typing import Any

from sqlalchemy import ColumnElement, Float, cast, func, literal_column, select, true, union_all

from groundwork.jobs.indexed import PUBLISHED, QUEUE, WAITING
from groundwork.jobs.models import Job, Tick

__all__ = ["MOVEMENT", "complaint"]

# Seconds.
RELAY_SILENT = 30
WAITED_LONG = 300


def _age(time: ColumnElement[Any]) -> ColumnElement[float]:
    return cast(func.extract("epoch", func.clock_timestamp() - time), Float)


_looked = select(Tick.at).where(Tick.name == "relay").scalar_subquery()
# The first job of each queue that waits in the table, found queue by queue: anybody may ask, and there may be millions.
_first = select(QUEUE.label("queue"), Job.run_at).where(WAITING).order_by(QUEUE, Job.due_at).limit(literal_column("1"))
_firsts = _first.cte("firsts", recursive=True)
_next = _first.where(_firsts.c.queue < QUEUE).correlate(_firsts).lateral("next")
_firsts = _firsts.union_all(select(_next).select_from(_firsts.join(_next, true())))
# Of each queue only a few are published.
_may_run = union_all(select(_firsts.c.run_at), select(Job.run_at).where(PUBLISHED)).subquery()
_oldest = select(func.min(_may_run.c.run_at)).where(_may_run.c.run_at <= func.now()).scalar_subquery()
# One row: seconds since a relay looked (NULL: none ever did), seconds that the oldest job has waited.
MOVEMENT = select(_age(_looked), func.coalesce(_age(_oldest), 0.0))


def complaint(relay_seconds: float | None, waiting_seconds: float) -> str | None:
    """One sentence with the remedy, where jobs do not move."""
    if relay_seconds is None:
        return "No relay has run yet; start `app relay`, or with BROKER_URL=memory:// a worker."
    if relay_seconds > RELAY_SILENT:
        return f"No relay has looked for {relay_seconds:.0f} s; is `app relay` running?"
    if waiting_seconds > WAITED_LONG:
        return f"The oldest job has waited for {waiting_seconds:.0f} s; are there workers, and enough of them?"
    return None
