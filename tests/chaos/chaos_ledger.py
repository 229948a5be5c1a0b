"""What the database says of jobs and effects while it is hit, and the account at the end."""

import time
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg

# The service has jobs of its own as well.
OURS = "FROM jobs WHERE task LIKE 'app.chaos.tasks.leave_effect%%'"


@dataclass(frozen=True)
class Account:
    """Each set holds ids: `lost` are accepted or known, and have no effect or no success."""

    accepted: int
    succeeded: int
    effects: int
    lost: list[UUID]
    doubled: list[UUID]

    def __str__(self) -> str:
        return (
            f"accepted {self.accepted}, succeeded {self.succeeded}, effects {self.effects}, "
            f"lost {len(self.lost)}, doubled {len(self.doubled)}"
        )


@dataclass(frozen=True)
class Ledger:
    url: str

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Nothing while the database is away."""
        try:
            with psycopg.connect(self.url, autocommit=True, connect_timeout=3) as connection:
                return connection.execute(query.encode(), parameters).fetchall()
        except psycopg.OperationalError:
            return []

    def effects(self) -> list[tuple[UUID, float]]:
        """Of each effect the job and the time."""
        return [(job, float(at)) for job, at in self.rows("SELECT job_id, extract(epoch FROM made_at) FROM effects")]

    def queued(self, since: float) -> list[UUID]:
        """Those that were asked for since then."""
        query = f"SELECT id {OURS} AND status = 'queued' AND created_at >= to_timestamp(%s)"
        return [job for (job,) in self.rows(query, since)]

    def running(self) -> list[tuple[UUID, int]]:
        """The jobs that said which process works on them, and the process; those that began last first."""
        query = f"SELECT id, progress->>'note' {OURS} AND status = 'running' AND progress IS NOT NULL"
        return [(job, int(pid)) for job, pid in self.rows(f"{query} ORDER BY started_at DESC")]

    def is_running(self, job: UUID) -> bool:
        return self.rows(f"SELECT id {OURS} AND id = %s AND status = 'running'", job) != []

    def all_finished(self) -> bool:
        return self.rows(f"SELECT count(*) {OURS} AND status IN ('queued', 'running')") == [(0,)]

    def quiet(self, seconds: float = 5) -> bool:
        """No effect is made any more: all that a queue without a table can say."""
        times = [at for _, at in self.effects()]
        return bool(times) and time.time() - max(times) > seconds

    def account(self, accepted: Collection[UUID]) -> Account:
        """Of all jobs: also of those whose reply was lost."""
        jobs = dict(self.rows(f"SELECT id, status {OURS}"))
        return _account(accepted, set(jobs), {job for job, status in jobs.items() if status == "succeeded"}, self)

    def plain_account(self, accepted: Collection[UUID]) -> Account:
        """Where no row says what was wanted and what succeeded: the effect is the success."""
        return _account(accepted, set(), {job for job, _ in self.effects()}, self)

    def describe(self, job: UUID) -> str:
        return f"{job}: {self.rows(f'SELECT to_jsonb(jobs) {OURS} AND id = %s', job) or 'no row'}"


def _account(accepted: Collection[UUID], known: set[UUID], succeeded: set[UUID], ledger: Ledger) -> Account:
    effects = Counter(job for job, _ in ledger.effects())
    return Account(
        accepted=len(accepted),
        succeeded=len(succeeded),
        effects=effects.total(),
        lost=sorted({*accepted, *known} - (succeeded & effects.keys())),
        # An effect without a job is one too many as well.
        doubled=sorted(job for job, times in effects.items() if times > 1 or job not in succeeded),
    )
