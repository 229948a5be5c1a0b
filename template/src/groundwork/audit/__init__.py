"""The audit log: who did what to whom, written in the transaction of what happened."""

from groundwork.audit.models import AuditEvent, Kind
from groundwork.audit.recording import record

__all__ = ["AuditEvent", "Kind", "record"]
