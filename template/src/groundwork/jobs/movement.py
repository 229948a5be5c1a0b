"""Whether jobs move: when a relay looked last, and how long the oldest job has waited that might run."""

from typing import Any

from sqlalchemy import ColumnElement, Float, cast, func, select

from groundwork.jobs.models import Job, Status, Tick

__all__ = ["MOVEMENT", "complaint"]

# Seconds.
RELAY_SILENT = 30
WAITED_LONG = 300


def _age(time: ColumnElement[Any]) -> ColumnElement[float]:
    return cast(func.extract("epoch", func.clock_timestamp() - time), Float)


_looked = select(Tick.at).where(Tick.name == "relay").scalar_subquery()
_oldest = (
    select(func.min(Job.run_at))
    .where(Job.due_at.is_not(None), Job.status == Status.QUEUED, Job.run_at <= func.now())
    .scalar_subquery()
)
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
