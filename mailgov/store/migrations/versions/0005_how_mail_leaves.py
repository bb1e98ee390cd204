"""How mail leaves: the TLS that a delivery used, and how sessions with other servers went"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("message_recipient", sa.Column("tls", sa.String(), nullable=True))
    op.create_table(
        "tls_result",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("domain", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("result", sa.String(), nullable=False),
        sa.Column("policy", sa.String(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "domain", "kind", "host", "result"),
    )


def downgrade() -> None:
    op.drop_table("tls_result")
    op.drop_column("message_recipient", "tls")
