"""The table of one run, and what helps to understand a failure."""

import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from uuid import UUID

from chaos_clients import Clients
from chaos_faults import Fault
from chaos_ledger import Account
from chaos_program import GRACE, until
from chaos_service import Service
from missing import Missing

# How long the service may take until it works again; then the next fault hits it all the same.
PATIENCE = 30


@dataclass
class Row:
    fault: str
    began: float
    ended: float
    accepted: int


@dataclass
class Report:
    name: str
    began: float = field(default_factory=time.monotonic)
    rows: list[Row] = field(default_factory=list)

    def hit(self, faults: tuple[Fault, ...], service: Service, clients: Clients) -> None:
        """One after the other, each when the service works."""
        for fault in faults:
            began = time.time()
            try:
                fault.hit(service)
            except Missing as missing:
                # It was there before.
                raise AssertionError(f"{fault.name}: {missing}") from missing
            row = Row(fault.name, began, time.time(), 0)
            with suppress(AssertionError):
                until(partial(_works_again, row.ended, service, clients), "works again", PATIENCE)
            row.accepted = len(clients.accepted)
            self.rows.append(row)

    def table(self, account: Account, service: Service, clients: Clients) -> str:
        """`again`: from the fault's end to the first effect of a job asked for after it; `all`: of each asked for before."""
        done = dict(service.ledger.effects())
        lines = [f"{self.name:<42} accepted   lasted    again      all  lost"]
        lost, before = set(account.lost), 0.0
        for row in self.rows:
            after = [done[job] for job, at in clients.accepted.items() if at > row.ended and job in done]
            # A job of long ago that an earlier fault delayed is on that fault's row.
            earlier = [done[job] for job, at in clients.accepted.items() if before < at <= row.ended and job in done]
            missed = sum(before < clients.accepted.get(job, 0) <= row.ended for job in lost)
            again = f"{max(0, min(after) - row.ended):.1f} s" if after else "never"
            caught_up = f"{max(0, max(earlier) - row.ended):.1f} s" if earlier else "-"
            lasted = f"{row.ended - row.began:.1f} s"
            lines.append(f"{row.fault:<42} {row.accepted:>8} {lasted:>8} {again:>8} {caught_up:>8} {missed:>5}")
            before = row.ended
        outstayed = [program.name for program in service.programs() if program.outstayed]
        if outstayed:
            lines.append(f"killed, {GRACE} s after a polite signal: {', '.join(outstayed)}")
        for program in service.programs():
            lines += [f"{program.name} ended by itself, and was started again: {words}" for words in program.last_words]
        seconds = time.monotonic() - self.began
        return "\n".join([*lines, f"{account}; {clients.refused} requests refused; {seconds:.0f} s", ""])


def _works_again(since: float, service: Service, clients: Clients) -> bool:
    service.restart_ended()
    new = {job for job, at in list(clients.accepted.items()) if at > since}
    return any(job in new for job, _ in service.ledger.effects())


def evidence(service: Service, ids: Collection[UUID]) -> str:
    """Of the first of these jobs the row and each line of a log that names it; then how each log ends."""
    parts = []
    logs = {log.name: log.read_text(errors="replace").splitlines() for log in service.logs()}
    for job in list(ids)[:5]:
        parts.append(service.ledger.describe(job))
        parts += [f"  {name}: {line}" for name, lines in logs.items() for line in lines if str(job) in line]
    for name, lines in logs.items():
        parts += [f"--- the end of {name}", *lines[-15:]]
    return "\n".join(parts)
