"""One attempt at a job: run its task, and commit the effect and the result together, or write down why it ended."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import structlog
from celery.exceptions import Ignore, Retry, SoftTimeLimitExceeded
from pydantic import ValidationError
from sqlalchemy import Connection
from sqlalchemy.orm import Session

from groundwork.data.connections import prompt_engine
from groundwork.jobs.endings import costs_nothing, database_lost, ended_by_database, seconds_until_retry, tell_owner
from groundwork.jobs.heartbeat import heartbeat, lease
from groundwork.jobs.job_session import JobSession
from groundwork.jobs.notices import pass_on
from groundwork.jobs.one_transaction import BEHIND, TaskFault, guarded
from groundwork.jobs.running_job import Final, JobCancelled, LeaseLost, RunningJob, as_json, as_text
from groundwork.jobs.transitions import CLAIM, FAIL, OF_OTHER_TASKS, RETRY, STILL_MINE, STOP_CANCELLED, SUCCEED
from groundwork.jobs.worker import place

if TYPE_CHECKING:
    from groundwork.jobs.task import JobTask

__all__ = ["Attempt", "claim", "not_kept"]

log = structlog.get_logger(__name__)


class ArgumentsUnfit(Exception):
    """The row has arguments of another version of its task: a worker of that version, or the next one, will run it."""

    retry_after = 60
    spends_attempt = False


@dataclass(frozen=True)
class Attempt:
    """An attempt at a job that this process has claimed; `row` is what CLAIM returned."""

    task: "JobTask"
    row: Any
    token: UUID
    began: float = field(default_factory=monotonic)

    @property
    def mine(self) -> dict[str, Any]:
        return {"job_id": self.row.id, "my_token": self.token}

    @property
    def mark(self) -> str:
        return self.token.hex

    def work(self, session: Session) -> dict[str, Any]:
        """Run the task; returns the parameters of SUCCEED."""
        row = self.row
        with structlog.contextvars.bound_contextvars(job_id=str(row.id)):
            if row.cancelled:
                raise JobCancelled
            if row.crashes >= self.task.max_crashes:
                raise Final(f"Its worker or its database connection died {row.crashes} times; the logs may tell why.")
            job = RunningJob(row.id, row.attempts, row.created_at, self.token, session)
            try:
                arguments = dict(self.task.arguments.model_validate(row.arguments))
            except ValidationError as error:
                raise ArgumentsUnfit(self.task.name) from error
            return self.mine | {"outcome": as_json(self.task.run(job, **arguments)), "mark": self.mark}

    def alone(self, connection: Connection) -> None:
        """Run in a transaction of its own. Raises Celery's Ignore where the lease is lost, Retry, or the error."""
        try:
            with heartbeat(self.mine), guarded(connection, self.mark) as guard:
                session = JobSession(connection, expire_on_commit=False)
                try:
                    said = self.work(session)
                    session.flush()
                    guard.check(connection)
                    guard.ending = True
                    # The effect and the result, or neither: token and mark decide in the same transaction.
                    if connection.execute(SUCCEED, said).rowcount == 0:
                        raise not_kept([self], connection)
                    connection.commit()
                finally:
                    guard.ending = True
                    session.close()
        except LeaseLost:
            log.warning("job given to another worker", job_id=str(self.row.id))
            raise Ignore from None
        except Exception as error:
            self.end_badly(error)
        self.tell()

    def tell(self) -> None:
        """One line for a job; the row has the rest."""
        seconds = round(monotonic() - self.began, 3)
        log.info(
            "job succeeded", job_id=str(self.row.id), task=self.task.name, attempt=self.row.attempts, seconds=seconds
        )

    def end_badly(self, error: Exception) -> None:
        """Write down the error, on another connection: that of the attempt may be what broke."""
        # Those that died with their worker or their connection do not count.
        attempt = self.row.attempts - self.row.crashes
        final, reason = _judge(self.task, attempt, error)
        if unspent := costs_nothing(error, self.row.created_at):
            final = False
        wait = 0 if final else seconds_until_retry(error, attempt, self.task.retry_backoff, self.task.retry_backoff_max)
        told = self.mine | {"reason": as_text(reason)}
        with prompt_engine().begin() as connection:
            cancelled = connection.execute(STOP_CANCELLED, self.mine).rowcount
            if not cancelled and final:
                if connection.execute(FAIL, told).rowcount:
                    tell_owner(connection, self.row.id)
            elif not cancelled:
                counted = {"unspent": int(unspent), "lost": int(database_lost(error))}
                connection.execute(RETRY, told | counted | {"delay": timedelta(seconds=wait)})
        if cancelled:
            log.info("job cancelled", job_id=str(self.row.id), task=self.task.name)
            raise Ignore
        if final:
            # Celery logs the traceback of what is raised here.
            log.error("job failed", job_id=str(self.row.id), task=self.task.name, reason=reason, error=repr(error))
            raise error
        log.warning(
            "job will be tried again",
            job_id=str(self.row.id),
            task=self.task.name,
            reason=reason,
            seconds=round(wait, 1),
            exc_info=error,
        )
        raise Retry(exc=error, when=datetime.now(UTC) + timedelta(seconds=wait))


def claim(task: "JobTask", job_ids: Sequence[UUID], connection: Connection) -> list[Attempt]:
    """Begin an attempt at each job that may run; jobs that ended, run elsewhere, wait or have another task are left out.

    A message may be delivered twice.
    """
    token = uuid4()
    these = {"job_ids": job_ids, "its_task": task.name}
    claim = these | {"new_token": token, "me": place(task.request.id), "lease": lease()}
    # One statement is one transaction, and one round trip: nothing began one before.
    rows = connection.execute(CLAIM, claim).all()
    connection.commit()
    pass_on(connection)
    if len(rows) < len(job_ids):
        for job_id in connection.scalars(OF_OTHER_TASKS, these):
            log.error("a message names another task than its job, and is dropped", job_id=str(job_id), task=task.name)
        connection.rollback()
    # The oldest first.
    return [Attempt(task, row, token) for row in sorted(rows, key=lambda row: row.id)]


def not_kept(attempts: Sequence[Attempt], connection: Connection) -> Exception:
    """Why SUCCEED did not change the row of each."""
    mine = [connection.execute(STILL_MINE, attempt.mine).first() for attempt in attempts]
    return TaskFault(BEHIND) if all(mine) else LeaseLost()


def _judge(task: "JobTask", attempt: int, error: Exception) -> tuple[bool, str]:
    """Whether this is the end, and what the owner reads: the words of an error that nobody expected stay in the log."""
    if isinstance(error, SoftTimeLimitExceeded):
        return True, f"It took longer than {task.soft_time_limit or task.app.conf.task_soft_time_limit} s, its limit."
    if isinstance(error, TaskFault):
        return True, "Its task has a fault that another attempt would not mend; the log has the details."
    if isinstance(error, (Final, *task.dont_autoretry_for)):
        return True, str(error)
    final = attempt >= task.max_attempts and not database_lost(error)
    ended = ended_by_database(error)
    words = f"{ended} ended attempt {attempt}" if ended else f"{type(error).__name__} in attempt {attempt}"
    return final, f"{words}; the log has the details."
