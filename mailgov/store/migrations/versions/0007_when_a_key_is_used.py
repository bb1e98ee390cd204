"""What the DNS says of each DKIM key, and since when it signs or signs no more"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TIMES = ("checked_ms", "seen_ms", "active_ms", "retired_ms", "withdraw_ms")


def upgrade() -> None:
    with op.batch_alter_table("dkim_key", schema=None) as batch_op:
        batch_op.add_column(sa.Column("standing", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("detail", sa.String(), nullable=True))
        for name in TIMES:
            batch_op.add_column(sa.Column(name, sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.execute("UPDATE dkim_key SET state = 'retired' WHERE state = 'withdrawn'")
    with op.batch_alter_table("dkim_key", schema=None) as batch_op:
        for name in ("standing", "detail", *TIMES):
            batch_op.drop_column(name)
