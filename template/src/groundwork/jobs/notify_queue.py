"""The queue of notifications, which all databases of a server share.

A session that listens, in any of them, and does not end its transaction keeps all that has been sent since. Where the
queue is full PostgreSQL refuses each commit with a NOTIFY in it, and it stays full after that session has ended, until
somebody asks how full it is: then PostgreSQL looks what everybody has read. So the triggers of the jobs table ask, and
send nothing while it is more than half full, when relays find jobs by looking once a second; and a relay says why.
"""

from time import monotonic

import structlog
from sqlalchemy import Connection, func, text

__all__ = ["USAGE", "warn_if_full"]

log = structlog.get_logger(__name__)

# From 0 to 1.
USAGE = func.pg_notification_queue_usage()
# As in the triggers.
FULL = 0.5
# Seconds between two warnings.
AGAIN = 60
# PostgreSQL does not show who listens, nor other users' transactions to those who may not see them.
OLDEST = text(
    """
    SELECT pid, datname, usename, application_name, state,
    round(extract(epoch FROM clock_timestamp() - xact_start))::int AS seconds
    FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND xact_start IS NOT NULL
    ORDER BY xact_start LIMIT 1
    """
)

_told = float("-inf")


def warn_if_full(connection: Connection, usage: float) -> None:
    """Log which session may be the one that keeps the queue full."""
    global _told
    if usage < FULL or monotonic() - _told < AGAIN:
        return
    _told = monotonic()
    oldest = connection.execute(OLDEST).mappings().one_or_none()
    log.warning(
        "the NOTIFY queue of PostgreSQL is filling up, and jobs start up to a second late; the session that listens and "
        "does not end its transaction is most likely this one, see pg_terminate_backend()",
        percent=round(100 * usage),
        **(oldest or {"pid": None}),
    )
