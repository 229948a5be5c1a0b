"""Jobs wait in the table: relays publish a window of each queue; each statement reads a few rows, however many there are"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

QUEUE = sa.text("coalesce(queue, '')")
WAITING = sa.text("status = 'queued' AND published_at IS NULL")
PUBLISHED = sa.text("status = 'queued' AND published_at IS NOT NULL")
RUNNING = sa.text("status = 'running'")
OWNED = sa.text("owner_id IS NOT NULL")
ENDED_BADLY = sa.text("status IN ('failed', 'cancelled')")
FINISHED = sa.text("finished_at IS NOT NULL")


def upgrade() -> None:
    op.add_column("jobs", sa.Column("published_at", sa.DateTime(timezone=True)))
    op.create_index("jobs_waiting_idx", "jobs", [QUEUE, "due_at"], postgresql_where=WAITING)
    op.create_index("jobs_published_idx", "jobs", [QUEUE, "due_at"], postgresql_where=PUBLISHED)
    op.create_index("jobs_running_idx", "jobs", ["due_at"], postgresql_where=RUNNING)
    op.drop_index("jobs_due_at_idx", "jobs")
    # Those that people and the housekeeping read by: each reads a few rows, however many jobs there are.
    op.drop_index("jobs_owner_id_id_idx", "jobs")
    op.create_index("jobs_owner_id_status_id_idx", "jobs", ["owner_id", "status", "id"], postgresql_where=OWNED)
    op.create_index("jobs_status_id_idx", "jobs", ["status", "id"], postgresql_where=ENDED_BADLY)
    op.create_index("jobs_finished_at_idx", "jobs", ["finished_at"], postgresql_where=FINISHED)
    op.create_index("tokens_expires_at_idx", "tokens", ["expires_at"])
    op.execute("DROP TRIGGER jobs_notify ON jobs")
    # PostgreSQL lets transactions that send NOTIFY commit one after the other, each until it is on disk. So one at a
    # time sends it, at its end: others that commit meanwhile are found by the relay, which looks again soon after. Where
    # the queue of notifications is full PostgreSQL would refuse the commit: see groundwork/jobs/notify_queue.py.
    op.execute(
        """
        CREATE OR REPLACE FUNCTION jobs_notify() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF pg_notification_queue_usage() < 0.5 AND pg_try_advisory_xact_lock(hashtext('jobs')) THEN
                PERFORM pg_notify('jobs', '');
            END IF;
            RETURN NULL;
        END
        $$
        """
    )
    op.execute(
        """
        CREATE CONSTRAINT TRIGGER jobs_notify AFTER INSERT ON jobs DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW WHEN (NEW.due_at <= now()) EXECUTE FUNCTION jobs_notify()
        """
    )
    # Those who watch hear of a change from the process that made it, after the commit. A message of the level INFO goes to
    # the client of the transaction, whatever its settings are; groundwork/jobs/notices.py has the rest of the way.
    op.execute(
        """
        CREATE OR REPLACE FUNCTION jobs_changed() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            NEW.changed_at := clock_timestamp();
            RAISE INFO 'job_changes % %', NEW.owner_id, NEW.id;
            RETURN NEW;
        END
        $$
        """
    )


def downgrade() -> None:
    op.execute(
        """
        CREATE OR REPLACE FUNCTION jobs_changed() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            NEW.changed_at := clock_timestamp();
            PERFORM pg_notify('job_changes', NEW.owner_id || ' ' || NEW.id);
            RETURN NEW;
        END
        $$
        """
    )
    op.execute("DROP TRIGGER jobs_notify ON jobs")
    op.execute(
        """
        CREATE OR REPLACE FUNCTION jobs_notify() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM pg_notify('jobs', '');
            RETURN NULL;
        END
        $$
        """
    )
    op.execute("CREATE TRIGGER jobs_notify AFTER INSERT ON jobs FOR EACH STATEMENT EXECUTE FUNCTION jobs_notify()")
    op.drop_index("tokens_expires_at_idx", "tokens")
    op.drop_index("jobs_finished_at_idx", "jobs")
    op.drop_index("jobs_status_id_idx", "jobs")
    op.drop_index("jobs_owner_id_status_id_idx", "jobs")
    op.create_index("jobs_owner_id_id_idx", "jobs", ["owner_id", "id"], postgresql_where=OWNED)
    op.create_index("jobs_due_at_idx", "jobs", ["due_at"], postgresql_where=sa.text("due_at IS NOT NULL"))
    op.drop_index("jobs_running_idx", "jobs")
    op.drop_index("jobs_published_idx", "jobs")
    op.drop_index("jobs_waiting_idx", "jobs")
    op.drop_column("jobs", "published_at")
