"""A rolling deploy in which the arguments of a task change, with the mistake that people make, and then without."""

import signal
from collections.abc import Sequence

from chaos_program import Program, until
from chaos_service import Service

# How many jobs meet a worker of a release that does not know their arguments.
SOME = 3
# What each release has in its tasks.py, and what the next one has there instead.
FIRST, SECOND, THIRD = (
    ("MORE: dict[str, int] = {}", 'breaks: str = "")'),
    ('MORE = {"release": 2}', 'breaks: str = "", *, release: int)'),
    ('MORE = {"release": 3}', 'breaks: str = "", *, release: int = 1)'),
)


def rolling_deploy(service: Service) -> None:
    """In the second release the new argument has no default, so neither it nor the first one knows the jobs of the other.

    Such a job is tried again after a minute, while other faults hit; by then all workers have the third release.
    """
    others, newer = service.workers[::2], service.workers[1::2] or [service.worker()]
    _change(service, FIRST, SECOND)
    _deploy([*service.relays[:1], *newer])
    until(lambda: service.ledger.unfit(1) >= SOME, "workers of the second release refuse jobs of the first")
    _deploy([service.api])
    until(lambda: service.ledger.unfit(2) >= SOME, "workers of the first release refuse jobs of the second")
    _change(service, SECOND, THIRD)
    _deploy([*others, *newer])


def _change(service: Service, earlier: Sequence[str], later: Sequence[str]) -> None:
    tasks = service.project / "src/app/chaos/tasks.py"
    source = tasks.read_text()
    for before, after in zip(earlier, later, strict=True):
        assert before in source
        source = source.replace(before, after)
    tasks.write_text(source)


def _deploy(programs: Sequence[Program]) -> None:
    """SIGTERM in mid-load, while other programs go on."""
    running = [program for program in programs if program.process is not None]
    for program in running:
        program.tell(signal.SIGTERM)
    for program in running:
        program.await_end()
    for program in programs:
        program.start()
