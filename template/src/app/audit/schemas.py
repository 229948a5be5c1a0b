"""What administrators see of a security event."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, JsonValue

from app.audit.models import Kind


class AuditEventOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    kind: Kind
    user_id: UUID | None
    actor_id: UUID | None
    address: str
    device: str
    detail: dict[str, JsonValue]
    at: datetime
