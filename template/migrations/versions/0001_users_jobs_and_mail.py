"""Users and their sign-ins, jobs with the trigger that wakes the relays, and what became of mail"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("password_hash", sa.String(), nullable=False),
        sa.Column("admin", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("verified_at", sa.DateTime(timezone=True)),
        sa.Column("last_seen_at", sa.DateTime(timezone=True)),
        sa.Column("deactivated_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="users_pkey"),
        sa.UniqueConstraint("email", name="users_email_key"),
    )
    op.create_table(
        "sign_ins",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("device", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("refreshed_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="sign_ins_pkey"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="sign_ins_user_id_fkey", ondelete="CASCADE"),
    )
    op.create_table(
        "tokens",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("sign_in_id", sa.Uuid()),
        sa.Column("email", sa.String()),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("hash", name="tokens_pkey"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="tokens_user_id_fkey", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["sign_in_id"], ["sign_ins.id"], name="tokens_sign_in_id_fkey", ondelete="CASCADE"),
    )
    op.create_table(
        "rate_limits",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name="rate_limits_pkey"),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "audit_events",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("user_id", sa.Uuid()),
        sa.Column("actor_id", sa.Uuid()),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("device", sa.String(), nullable=False),
        sa.Column("detail", postgresql.JSONB(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="audit_events_pkey"),
    )
    op.create_table(
        "jobs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("task", sa.String(), nullable=False),
        sa.Column("arguments", postgresql.JSONB(), nullable=False),
        sa.Column("queue", sa.String()),
        sa.Column("unique_key", sa.String()),
        sa.Column("owner_id", sa.Uuid()),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("run_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), server_default=sa.func.now()),
        sa.Column("token", sa.Uuid()),
        sa.Column("worker", sa.String()),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("crashes", sa.Integer(), nullable=False),
        sa.Column("cancel_requested_at", sa.DateTime(timezone=True)),
        sa.Column("progress", postgresql.JSONB()),
        sa.Column("result", postgresql.JSONB()),
        sa.Column("error", sa.String()),
        sa.Column("history", postgresql.JSONB(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True)),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="jobs_pkey"),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name="jobs_owner_id_fkey", ondelete="SET NULL"),
        sa.CheckConstraint(
            "(due_at IS NULL) = (status IN ('succeeded', 'failed', 'cancelled'))", name=op.f("jobs_finished_check")
        ),
    )
    op.create_table(
        "ticks",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="ticks_pkey"),
    )
    op.create_table(
        "mail_events",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("message_id", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="mail_events_pkey"),
    )
    op.create_table(
        "suppressed_addresses",
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("email", name="suppressed_addresses_pkey"),
    )
    op.create_index("sign_ins_user_id_idx", "sign_ins", ["user_id"])
    op.create_index("tokens_user_id_idx", "tokens", ["user_id"])
    op.create_index("tokens_sign_in_id_idx", "tokens", ["sign_in_id"])
    op.create_index("audit_events_user_id_id_idx", "audit_events", ["user_id", "id"])
    op.create_index("audit_events_at_idx", "audit_events", ["at"])
    op.create_index("mail_events_message_id_idx", "mail_events", ["message_id"])
    op.create_index("mail_events_received_at_idx", "mail_events", ["received_at"])
    op.create_index("jobs_due_at_idx", "jobs", ["due_at"], postgresql_where=sa.text("due_at IS NOT NULL"))
    op.create_index(
        "jobs_owner_id_id_idx", "jobs", ["owner_id", "id"], postgresql_where=sa.text("owner_id IS NOT NULL")
    )
    op.create_index(
        "jobs_unique_key_key", "jobs", ["unique_key"], unique=True, postgresql_where=sa.text("unique_key IS NOT NULL")
    )
    # At commit PostgreSQL wakes every relay that listens: once, however many rows were inserted.
    op.execute(
        """
        CREATE FUNCTION jobs_notify() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM pg_notify('jobs', '');
            RETURN NULL;
        END
        $$
        """
    )
    op.execute("CREATE TRIGGER jobs_notify AFTER INSERT ON jobs FOR EACH STATEMENT EXECUTE FUNCTION jobs_notify()")
    # And those who watch: at commit too, so that nobody hears of what was rolled back. Jobs of nobody pay nothing.
    op.execute(
        """
        CREATE FUNCTION jobs_changed() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            NEW.changed_at := clock_timestamp();
            PERFORM pg_notify('job_changes', NEW.owner_id || ' ' || NEW.id);
            RETURN NEW;
        END
        $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER jobs_changed BEFORE INSERT OR UPDATE OF status, progress, run_at, cancel_requested_at ON jobs
        FOR EACH ROW WHEN (NEW.owner_id IS NOT NULL) EXECUTE FUNCTION jobs_changed()
        """
    )


def downgrade() -> None:
    op.drop_table("suppressed_addresses")
    op.drop_table("mail_events")
    op.drop_table("ticks")
    op.drop_table("jobs")
    op.execute("DROP FUNCTION jobs_notify")
    op.execute("DROP FUNCTION jobs_changed")
    op.drop_table("audit_events")
    op.drop_table("rate_limits")
    op.drop_table("tokens")
    op.drop_table("sign_ins")
    op.drop_table("users")
