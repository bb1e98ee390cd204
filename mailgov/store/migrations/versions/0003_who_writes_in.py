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
        batch_op.add_column(sa.Column("client", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("helo", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("arc", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("malware", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("spam", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("spam_score", sa.Float(), nullable=True))
        batch_op.add_column(
            sa.Column("risks", sa.JSON(none_as_null=True), nullable=False, server_default="[]")
        )
    with op.batch_alter_table("account", schema=None) as batch_op:
        batch_op.add_column(sa.Column("sending_limits", sa.JSON(none_as_null=True), nullable=True))
    op.create_table(
        "sender_report",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("reporter", sa.String(), nullable=False),
        sa.Column("report_id", sa.String(), nullable=False),
        sa.Column("domain", sa.String(), nullable=False),
        sa.Column("local_date", sa.Date(), nullable=False),
        sa.Column("begin_ms", sa.BigInteger(), nullable=False),
        sa.Column("end_ms", sa.BigInteger(), nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.Column("records", sa.Integer(), nullable=False),
        sa.Column("cut", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("kind", "domain", "reporter", "report_id"),
    )
    op.create_index("ix_sender_report_local_date", "sender_report", ["local_date"])
    op.create_table(
        "sender_report_row",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("report_row", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("domain", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("result", sa.String(), nullable=False),
        sa.Column("dkim", sa.String(), nullable=False),
        sa.Column("spf", sa.String(), nullable=False),
        sa.Column("policy", sa.String(), nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["report_row"], ["sender_report.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_sender_report_row_report_row", "sender_report_row", ["report_row"])


def downgrade() -> None:
    op.drop_table("sender_report_row")
    op.drop_table("sender_report")
    with op.batch_alter_table("account", schema=None) as batch_op:
        batch_op.drop_column("sending_limits")
    with op.batch_alter_table("message", schema=None) as batch_op:
        for name in ("risks", "spam_score", "spam", "malware", "arc", "helo", "client"):
            batch_op.drop_column(name)
