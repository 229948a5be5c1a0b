"""What the database says of jobs and effects while it is hit, and the account at the end."""

import time
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import psycopg

# Of rules.py in the overlay.
BEHIND = "driver"
# The service has jobs of its own as well.
OURS = "FROM jobs WHERE task LIKE 'app.chaos.tasks.leave_effect%%'"


@dataclass(frozen=True)
class Account:
    """Each list holds ids: `lost` are accepted or known, and have no effect or no success.

    Jobs that break a rule are counted apart: they are to fail, and `kept` are those which did not, or left an effect.
    """

    accepted: int
    succeeded: int
    effects: int
    lost: list[UUID]
    doubled: list[UUID]
    broke: int = 0
    kept: list[UUID] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"accepted {self.accepted}, succeeded {self.succeeded}, effects {self.effects}, "
            f"lost {len(self.lost)}, doubled {len(self.doubled)}; {self.broke} broke a rule, kept {len(self.kept)}"
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

    def moved(self, began: float, ended: float) -> tuple[int, int]:
        """How many jobs without a queue of their own were asked for in this time, and how many had an effect in it."""
        query = (
            "SELECT count(DISTINCT id), count(made_at) FILTER (WHERE made_at < to_timestamp(%s)) "
            f"{OURS.replace(' WHERE', ' LEFT JOIN effects ON job_id = id WHERE')} AND queue IS NULL"
            " AND arguments->>'breaks' = '' AND created_at BETWEEN to_timestamp(%s) AND to_timestamp(%s)"
        )
        ((asked, done),) = self.rows(query, ended, began, ended)
        return asked, done

    def unfit(self, release: int) -> int:
        """How many wait for a worker whose release knows their arguments; `release` is the one that asked for them."""
        query = f"SELECT count(*) {OURS} AND status = 'queued' AND error LIKE 'ArgumentsUnfit%%'"
        return sum(
            count for (count,) in self.rows(f"{query} AND coalesce(arguments->>'release', '1') = %s", str(release))
        )

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
        jobs = self.rows(f"SELECT id, status, arguments->>'breaks', jsonb_array_length(history) {OURS}")
        effects = Counter(job for job, _ in self.effects())
        # What commits by the driver's own connection is kept; no attempt may repeat what another one ended as failed.
        allowed = {job: attempts * (way == BEHIND) for job, _, way, attempts in jobs if way}
        kept = {job for job, status, way, _ in jobs if way and (status != "failed" or effects[job] > allowed[job])}
        known = {job for job, _, way, _ in jobs if not way}
        succeeded = {job for job, status, way, _ in jobs if status == "succeeded" and not way}
        others = Counter({job: times for job, times in effects.items() if job not in allowed})
        account = _account({*accepted, *known} - allowed.keys(), succeeded, others)
        return replace(account, accepted=len(accepted), broke=len(allowed), kept=sorted(kept))

    def plain_account(self, accepted: Collection[UUID]) -> Account:
        """Where no row says what was wanted and what succeeded: the effect is the success."""
        effects = Counter(job for job, _ in self.effects())
        return _account(accepted, set(effects), effects)

    def describe(self, job: UUID) -> str:
        return f"{job}: {self.rows(f'SELECT to_jsonb(jobs) {OURS} AND id = %s', job) or 'no row'}"


def _account(wanted: Collection[UUID], succeeded: set[UUID], effects: Counter[UUID]) -> Account:
    return Account(
        accepted=len(wanted),
        succeeded=len(succeeded),
        effects=effects.total(),
        lost=sorted(set(wanted) - (succeeded & effects.keys())),
        # An effect without a job is one too many as well.
        doubled=sorted(job for job, times in effects.items() if times > 1 or job not in succeeded),
    )
