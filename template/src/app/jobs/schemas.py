"""What clients see of a job."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, JsonValue

from app.jobs.models import Status


class Progress(BaseModel):
    done: int
    total: int
    note: str


class JobOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    task: str
    status: Status
    attempts: int
    progress: Progress | None
    result: JsonValue
    error: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
