"""Write a security event down, in the transaction of what it tells."""

from typing import Any
from uuid import UUID

from groundwork.audit.models import AuditEvent
from groundwork.data.tables import AnySession
from groundwork.http.client import Client

__all__ = ["record"]


def record(
    session: AnySession,
    kind: str,
    user_id: UUID | None,
    client: Client = Client(),  # noqa: B008
    *,
    by: UUID | None = None,
    **detail: Any,
) -> None:
    """Add an event to the caller's transaction.

    `kind` names what happened, `user_id` the account that it is about, `by` the administrator who did it, if one did.
    `detail` is stored as JSON and read by administrators: pass no password, secret or token.
    """
    event = AuditEvent(kind=kind, user_id=user_id, actor_id=by, address=client.address, device=client.device)
    event.detail = detail
    session.add(event)
