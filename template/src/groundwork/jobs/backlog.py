"""The backlog stays in the table: the statements by which a relay publishes a window of each queue.

So a long backlog fills no broker, delays no other queue, and a message is sent again only when it is probably lost.
The statements are text, since each has to use an index of models.py whatever the table's statistics say.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, text

from groundwork.data.connections import prompt_engine

__all__ = [
    "COUNT_PUBLISHED",
    "FORGOTTEN",
    "LOOK",
    "PUBLISH",
    "PUT_BACK",
    "ROUTE",
    "SEND_AGAIN",
    "TAKE_OVERDUE",
    "relay_connection",
]

# For the session of a relay: no plan from a time when the table was small, and no wait for the disk. A change that a
# crash of the server takes back did no harm: the relay makes it again.
SESSION = text("SELECT set_config('enable_seqscan', 'off', false), set_config('synchronous_commit', 'off', false)")

# Each queue with due jobs, and how many of its jobs are published and not claimed, up to `window`.
LOOK = text("""
    WITH RECURSIVE waiting (queue) AS (
        (SELECT coalesce(queue, '') FROM jobs WHERE status = 'queued' AND published_at IS NULL ORDER BY 1 LIMIT 1)
        UNION ALL
        SELECT (
            SELECT coalesce(jobs.queue, '') FROM jobs
            WHERE status = 'queued' AND published_at IS NULL AND coalesce(jobs.queue, '') > waiting.queue
            ORDER BY 1 LIMIT 1
        )
        FROM waiting WHERE waiting.queue IS NOT NULL
    )
    SELECT queue, (
        SELECT count(*) FROM (
            SELECT FROM jobs
            WHERE status = 'queued' AND published_at IS NOT NULL AND coalesce(jobs.queue, '') = waiting.queue
            LIMIT :window
        ) AS published
    ) AS published
    FROM waiting
    WHERE queue IS NOT NULL AND EXISTS (
        SELECT FROM jobs
        WHERE status = 'queued' AND published_at IS NULL AND coalesce(jobs.queue, '') = waiting.queue AND due_at <= now()
    )
""")
# The jobs that have waited longest, up to `rooms` of each of the `queues`. What another relay has is left to it.
PUBLISH = text("""
    WITH due AS MATERIALIZED (
        SELECT longest.id
        FROM unnest(CAST(:queues AS text[]), CAST(:rooms AS integer[])) AS open (queue, room), LATERAL (
            SELECT id FROM jobs
            WHERE status = 'queued' AND published_at IS NULL AND coalesce(jobs.queue, '') = open.queue
            AND due_at <= now()
            ORDER BY due_at LIMIT open.room FOR UPDATE SKIP LOCKED
        ) AS longest
    )
    UPDATE jobs SET published_at = now(), due_at = now() + :patience FROM due WHERE jobs.id = due.id
    RETURNING jobs.id, jobs.task, jobs.queue, jobs.crashes, jobs.due_at
""")
# Jobs that are published and not claimed, and how many of them should have been claimed by now.
COUNT_PUBLISHED = text("""
    SELECT queue, task, count(*) AS published, count(*) FILTER (WHERE due_at <= now()) AS overdue
    FROM jobs WHERE status = 'queued' AND published_at IS NOT NULL GROUP BY queue, task
""")
# Those, the oldest first. A relay looks at them again after a while.
TAKE_OVERDUE = text("""
    WITH overdue AS MATERIALIZED (
        SELECT id FROM jobs WHERE status = 'queued' AND published_at IS NOT NULL AND due_at <= now()
        FOR UPDATE SKIP LOCKED
    ), taken AS (
        UPDATE jobs SET due_at = now() + :patience FROM overdue WHERE jobs.id = overdue.id
        RETURNING jobs.id, jobs.task, jobs.queue, jobs.published_at
    )
    SELECT * FROM taken ORDER BY published_at, id
""")
# Those that are sent again: later and later, for no worker may know their task.
SEND_AGAIN = text("""
    UPDATE jobs SET due_at = now() + greatest(:patience, least(now() - published_at, interval '10 minutes'))
    WHERE id = ANY(CAST(:ids AS uuid[])) AND status = 'queued' AND published_at IS NOT NULL
    RETURNING id, task, queue, crashes, due_at
""")
# What could not be sent waits in the table again. Only rows that are as they were taken: the message may have arrived
# although sending it failed.
PUT_BACK = text("""
    UPDATE jobs SET published_at = NULL, due_at = run_at
    FROM unnest(CAST(:ids AS uuid[]), CAST(:taken AS timestamptz[])) AS unsent (id, taken)
    WHERE jobs.id = unsent.id AND jobs.due_at = unsent.taken AND status = 'queued'
""")
# Celery's `task_routes` send these elsewhere: they wait in that queue, with a window of its own.
ROUTE = text("UPDATE jobs SET queue = :queue WHERE id = ANY(CAST(:ids AS uuid[])) AND status = 'queued'")
# Messages in the memory of a process are gone with it, and so are the attempts that it made.
FORGOTTEN = text("""
    UPDATE jobs SET published_at = NULL, due_at = now()
    WHERE status IN ('queued', 'running') AND due_at IS NOT NULL AND run_at <= now()
""")


@contextmanager
def relay_connection() -> Iterator[Connection]:
    """A connection each of whose statements is a transaction, and which is nobody else's."""
    with prompt_engine().execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        # It has settings of its own, so it does not go back to the pool.
        connection.detach()
        connection.execute(SESSION)
        yield connection
