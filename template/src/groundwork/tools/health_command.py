"""`app health`: probes for container platforms, and for alarms."""

from enum import StrEnum
from typing import Annotated

import typer

from groundwork.life import lives, this_worker

__all__ = ["health"]


class Part(StrEnum):
    WORKER = "worker"
    RELAY = "relay"
    JOBS = "jobs"


def health(
    part: Part,
    name: Annotated[str, typer.Option(help="Of the worker; the default is that of this machine or container.")] = "",
) -> None:
    """Exit code 1 when this machine's worker does not answer, no relay looks, or jobs do not move."""
    if lives(part, name):
        return
    # Only now: the drivers of broker and database cost ten times what a look at a file does, each time a probe asks.
    from groundwork.tools.health_questions import ask_jobs, ask_relay, ask_worker

    if part is Part.WORKER:
        ask_worker(name or this_worker())
    elif part is Part.RELAY:
        ask_relay()
    else:
        ask_jobs()
