"""What each attempt came to, and acts on many messages at once"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "attempt",
        sa.Column("queue_id", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("reply", sa.String(), nullable=True),
        sa.Column("mx_host", sa.String(), nullable=True),
        sa.Column("due_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("queue_id", "position", "at_ms", "state"),
    )
    op.create_index("ix_attempt_at_ms", "attempt", ["at_ms"])
    with op.batch_alter_table("command", schema=None) as batch_op:
        batch_op.add_column(sa.Column("batch", sa.String(), nullable=True))
        batch_op.create_index("ix_command_batch", ["batch"])


def downgrade() -> None:
    with op.batch_alter_table("command", schema=None) as batch_op:
        batch_op.drop_index("ix_command_batch")
        batch_op.drop_column("batch")
    op.drop_table("attempt")
