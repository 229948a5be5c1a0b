"""What clients send and see of a report."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class NewReport(BaseModel):
    days: Annotated[int, Field(ge=1, le=366)] = 14


class ReportOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    signups: dict[date, int]
    created_at: datetime
