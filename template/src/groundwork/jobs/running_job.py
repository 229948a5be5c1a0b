"""A job as its task sees it, and the ways in which an attempt ends early."""

import json
import re
from datetime import datetime
from time import monotonic
from typing import Any
from uuid import UUID

from pydantic_core import PydanticSerializationError, to_jsonable_python
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from groundwork.data.connections import prompt_engine
from groundwork.jobs.heartbeat import lease
from groundwork.jobs.models import Job
from groundwork.jobs.transitions import PROGRESS

__all__ = ["Final", "JobCancelled", "LeaseLost", "RunningJob", "as_json", "as_text"]

MAX_RESULT_BYTES = 64 * 1024
# Seconds between two writes of progress, or two looks whether somebody cancelled the job.
OFTEN_ENOUGH = 0.25
# As JSON has it; after another backslash it is the text of these six characters.
NUL = re.compile(r"(?<!\\)(\\\\)*\\u0000")
# Of a note, and of the words about an error.
MAX_CHARACTERS = 2000


class LeaseLost(Exception):
    """Another attempt owns the job by now: nothing that this one did is kept."""


class JobCancelled(Exception):
    """Somebody cancelled the job; the writes of this attempt are rolled back. Let it pass through the task."""


class Final(Exception):
    """Trying again would not help; its words are for the job's owner."""


class RunningJob:
    """A job, as its task sees it: `id`, `attempt` (from 1), `created_at`, and `session`.

    The writes of `session` are committed together with the result of the task. A task that commits it, or closes or
    rolls it back after it wrote, fails with TaskFault, and nothing of it is kept; before the first write, `close()` gives
    the connection back to the database while the task waits for something slow.
    """

    def __init__(self, job_id: UUID, attempt: int, created_at: datetime, token: UUID, session: Session) -> None:
        self.id = job_id
        self.attempt = attempt
        self.created_at = created_at
        self.session = session
        self._mine = {"job_id": job_id, "my_token": token}
        self._written = self._looked = -OFTEN_ENOUGH

    def progress(self, done: int, total: int, note: str = "") -> None:
        """Show clients that `done` of `total` parts are done, with a `note`; extends the lease.

        Written in a transaction of its own: the first call, the last, and at most four a second. Raises JobCancelled.
        """
        if done < total and monotonic() - self._written < OFTEN_ENOUGH:
            return
        seen = {"done": int(done), "total": int(total), "note": as_text(note)}
        with prompt_engine().begin() as connection:
            row = connection.execute(PROGRESS, self._mine | {"seen": seen, "lease": lease()}).one_or_none()
        self._written = self._looked = monotonic()
        _go_on(row[0] if row else None)

    def check_cancelled(self) -> None:
        """Raise JobCancelled if somebody cancelled the job. Call it where a long job can stop; it asks four times a second."""
        if monotonic() - self._looked < OFTEN_ENOUGH:
            return
        asked = select(Job.cancel_requested_at.is_not(None)).where(
            Job.id == self._mine["job_id"], Job.token == self._mine["my_token"]
        )
        with prompt_engine().begin() as connection:
            cancelled = connection.scalar(asked)
        self._looked = monotonic()
        _go_on(cancelled)

    def forget_arguments(self) -> None:
        """Empty the arguments of the row if the job succeeds. Call it last, for what must not be kept, as an address."""
        self.session.execute(update(Job).where(Job.id == self._mine["job_id"]).values(arguments={}))


def _go_on(cancelled: bool | None) -> None:
    if cancelled is None:
        raise LeaseLost
    if cancelled:
        raise JobCancelled


def as_json(outcome: Any) -> Any:
    """What the row keeps of a result; raises Final."""
    try:
        kept = to_jsonable_python(outcome)
        text = json.dumps(kept, allow_nan=False, ensure_ascii=False)
        size = len(text.encode())
        if NUL.search(text):
            raise ValueError("PostgreSQL keeps no text with a NUL character")
    except (PydanticSerializationError, ValueError) as error:
        raise Final(f"Its result is not JSON: {error}") from error
    if size > MAX_RESULT_BYTES:
        raise Final(f"Its result has {size} bytes, and a job keeps {MAX_RESULT_BYTES}: store it, and return its id.")
    return kept


def as_text(note: str) -> str:
    """What the row keeps of it: no NUL, no half of a character, MAX_CHARACTERS at most."""
    return note[:MAX_CHARACTERS].replace("\0", "").encode("utf-8", "replace").decode()
