"""Who writes in: what was found of a message's sender and of what it carries"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("message", schema=None) as batch_op:
        batch_op.add_column(sa.Column("arc", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("malware", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("spam", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("spam_score", sa.Float(), nullable=True))
        batch_op.add_column(
            sa.Column("risks", sa.JSON(none_as_null=True), nullable=False, server_default="[]")
        )
    with op.batch_alter_table("account", schema=None) as batch_op:
        batch_op.add_column(sa.Column("sending_limits", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("account", schema=None) as batch_op:
        batch_op.drop_column("sending_limits")
    with op.batch_alter_table("message", schema=None) as batch_op:
        for name in ("risks", "spam_score", "spam", "malware", "arc"):
            batch_op.drop_column(name)
