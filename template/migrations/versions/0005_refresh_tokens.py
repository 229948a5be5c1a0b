"""The refresh tokens of a sign-in are two hashes in its row, however often it is refreshed"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("sign_ins", sa.Column("family", sa.LargeBinary()))
    op.add_column("sign_ins", sa.Column("newest_token", sa.LargeBinary()))
    # Who is signed in stays so: the token that they have is the first one of a family.
    op.execute(
        """
        UPDATE sign_ins SET family = hash, newest_token = hash FROM tokens
        WHERE sign_in_id = sign_ins.id AND purpose = 'refresh' AND used_at IS NULL
        """
    )
    op.create_unique_constraint("sign_ins_family_key", "sign_ins", ["family"])
    op.execute("DELETE FROM tokens WHERE purpose = 'refresh'")
    op.drop_column("tokens", "sign_in_id")


def downgrade() -> None:
    op.add_column("tokens", sa.Column("sign_in_id", sa.Uuid()))
    op.create_foreign_key("tokens_sign_in_id_fkey", "tokens", "sign_ins", ["sign_in_id"], ["id"], ondelete="CASCADE")
    op.create_index("tokens_sign_in_id_idx", "tokens", ["sign_in_id"])
    op.execute(
        """
        INSERT INTO tokens (hash, purpose, user_id, sign_in_id, expires_at)
        SELECT newest_token, 'refresh', user_id, id, refreshed_at + interval '30 days' FROM sign_ins
        WHERE newest_token IS NOT NULL AND ended_at IS NULL
        """
    )
    op.drop_constraint("sign_ins_family_key", "sign_ins")
    op.drop_column("sign_ins", "newest_token")
    op.drop_column("sign_ins", "family")
