"""A registration is no account: only users who have proven their address have a password"""

from collections.abc import Sequence
from secrets import token_urlsafe

import sqlalchemy as sa
from alembic import op
from pwdlib import PasswordHash

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "registrations",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("password_hash", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("hash", name="registrations_pkey"),
    )
    op.create_index("registrations_email_idx", "registrations", ["email"])
    op.create_index("registrations_expires_at_idx", "registrations", ["expires_at"])
    # Links that verify go on working, with the password that was registered.
    op.execute(
        """
        INSERT INTO registrations (hash, email, password_hash, created_at, expires_at)
        SELECT hash, users.email, password_hash, created_at, expires_at FROM tokens JOIN users ON users.id = user_id
        WHERE purpose = 'verify' AND used_at IS NULL AND tokens.email = users.email AND password_hash <> ''
            AND verified_at IS NULL AND deactivated_at IS NULL
        """
    )
    op.execute(
        """
        DELETE FROM tokens USING users
        WHERE users.id = user_id AND (purpose = 'verify' OR purpose = 'change-email' AND verified_at IS NULL)
        """
    )
    # Users who have not proven their address keep what is theirs, and get in by a mailed link.
    op.execute(
        """
        UPDATE sign_ins SET ended_at = now() FROM users
        WHERE users.id = user_id AND verified_at IS NULL AND ended_at IS NULL
        """
    )
    op.alter_column("users", "password_hash", nullable=True)
    op.execute("UPDATE users SET password_hash = NULL WHERE verified_at IS NULL OR password_hash = ''")
    op.create_check_constraint(
        op.f("users_password_check"),
        "users",
        "password_hash <> '' AND verified_at IS NOT NULL OR password_hash IS NULL",
    )
    op.alter_column("tokens", "user_id", nullable=True)


def downgrade() -> None:
    op.execute("DELETE FROM tokens WHERE user_id IS NULL")
    op.alter_column("tokens", "user_id", nullable=False)
    op.drop_constraint("users_password_check", "users")
    # A password that nobody has.
    nobodys = PasswordHash.recommended().hash(token_urlsafe())
    locked = sa.text("UPDATE users SET password_hash = :nobodys WHERE password_hash IS NULL")
    op.execute(locked.bindparams(nobodys=nobodys))
    op.alter_column("users", "password_hash", nullable=False)
    op.drop_table("registrations")
