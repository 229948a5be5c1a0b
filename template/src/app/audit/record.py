"""Write a security event down, in the transaction of what it tells."""

from typing import Any
from uuid import UUID

from app.audit.models import AuditEvent, Kind
from app.client import Client
from app.db import AnySession

__all__ = ["Kind", "record"]


def record(
    session: AnySession,
    kind: Kind,
    user_id: UUID | None,
    client: Client = Client(),  # noqa: B008
    *,
    by: UUID | None = None,
    **detail: Any,
) -> None:
    """`by`: the administrator who did it. `detail` is JSON: no secret, no password, no token."""
    event = AuditEvent(kind=kind, user_id=user_id, actor_id=by, address=client.address, device=client.device)
    event.detail = detail
    session.add(event)
