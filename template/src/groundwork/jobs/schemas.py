"""What clients see of a job."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Header
from pydantic import BaseModel, ConfigDict, JsonValue

from groundwork.jobs.models import Status

# For routes that make jobs: a client that did not see the reply may send its request again.
IdempotencyKey = Annotated[str | None, Header(min_length=1, max_length=255)]


class Progress(BaseModel):
    done: int
    total: int
    note: str


class FailedAttempt(BaseModel):
    started_at: datetime
    ended_at: datetime
    error: str


class JobOut(BaseModel):
    """A job, as clients receive it. `result` is what the task returned, `history` has the failed attempts."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    task: str
    status: Status
    attempts: int
    progress: Progress | None
    result: JsonValue
    error: str | None
    history: list[FailedAttempt]
    run_at: datetime
    cancel_requested_at: datetime | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
