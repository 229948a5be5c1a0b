"""The session of a job, as its task has it: only the runner commits it."""

from psycopg.pq import TransactionStatus
from sqlalchemy import event
from sqlalchemy.orm import Session, SessionTransaction

from groundwork.jobs.one_transaction import COMMIT, LOSS, Guard, guard_of, status_of

__all__ = ["JobSession"]


class JobSession(Session):
    """The session of a job: the runner commits it, and what the task wrote is not rolled back by mistake."""

    def rollback(self) -> None:
        self._keep("rolls back")
        super().rollback()

    def close(self) -> None:
        self._keep("closes")
        super().close()

    def reset(self) -> None:
        self._keep("resets")
        super().reset()

    def invalidate(self) -> None:
        self._keep("invalidates")
        super().invalidate()

    def _keep(self, verb: str) -> None:
        guard = guard_of(self.bind)
        if guard and not guard.ending and (self._unwritten() or self._wrote(guard)):
            raise guard.refuse(f"The task {verb} job.session after it wrote. {LOSS}")

    def _unwritten(self) -> bool:
        return bool(self.new or self.deleted) or any(self.is_modified(each) for each in self.dirty)

    def _wrote(self, guard: Guard) -> bool:
        if guard.wrote or guard.shared or not self.in_transaction():
            return guard.wrote
        connection = self.connection()
        if connection.invalidated or status_of(connection) != TransactionStatus.INTRANS:
            return False
        # A SELECT may call a function that writes.
        return connection.exec_driver_sql("SELECT pg_current_xact_id_if_assigned()").scalar() is not None


@event.listens_for(JobSession, "before_commit")
def _commits_session(session: Session) -> None:
    guard = guard_of(session.bind)
    if guard and not guard.ending and not session.in_nested_transaction():
        raise guard.refuse(f"The task commits job.session. {COMMIT}")


@event.listens_for(JobSession, "after_soft_rollback")
def _rolls_back_session(session: Session, ended: SessionTransaction) -> None:
    # In a shared transaction the session's own one is a savepoint, whose end its connection does not tell from others.
    guard = guard_of(session.bind)
    if guard and not guard.ending and guard.wrote and ended.parent is None:
        guard.refuse(f"The task rolls back job.session after it wrote. {LOSS}")
