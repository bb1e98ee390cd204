"""People and figures: seats, sessions, declarations, exemptions, documents"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from mailgov.mail.document_key import document_key, short_family

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "rollup_document",
        sa.Column("document_key", sa.String(), nullable=False),
        sa.Column("issuer", sa.String(), nullable=False),
        sa.Column("flow", sa.String(), nullable=False),
        sa.Column("agency_code", sa.String(), nullable=False),
        sa.Column("first_date", sa.Date(), nullable=False),
        sa.Column("sample", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("document_key", "issuer", "flow", "agency_code"),
    )
    with op.batch_alter_table("rollup_document", schema=None) as batch_op:
        batch_op.create_index("ix_rollup_document_first", ["first_date", "flow", "agency_code"], unique=False)

    op.create_table(
        "class_change",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("queue_id", sa.String(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("class_before", sa.String(), nullable=True),
        sa.Column("class_after", sa.String(), nullable=True),
        sa.Column("symbol_before", sa.String(), nullable=True),
        sa.Column("symbol_after", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("class_change", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_class_change_queue_id"), ["queue_id"], unique=False)

    op.create_table(
        "class_sample",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("queue_id", sa.String(), nullable=False),
        sa.Column("agency_code", sa.String(), nullable=False),
        sa.Column("rule_class", sa.String(), nullable=True),
        sa.Column("confirmed_class", sa.String(), nullable=True),
        sa.Column("confirmed_ms", sa.BigInteger(), nullable=True),
        sa.Column("actor", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("month", "queue_id"),
    )
    op.create_table(
        "declaration",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("agency_code", sa.String(), nullable=False),
        sa.Column("from_date", sa.Date(), nullable=False),
        sa.Column("until_date", sa.Date(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("content", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("sample", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("kind", "subject", "agency_code", "from_date", "until_date", "revision"),
    )
    with op.batch_alter_table("declaration", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_declaration_agency_code"), ["agency_code"], unique=False)
        batch_op.create_index("ix_declaration_span", ["kind", "from_date", "until_date"], unique=False)

    op.create_table(
        "exemption",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("obligation", sa.String(), nullable=False),
        sa.Column("agency_code", sa.String(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=True),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("ended_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("exemption", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_exemption_obligation"), ["obligation"], unique=False)

    op.create_table(
        "idempotency_key",
        sa.Column("caller", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("request_hash", sa.String(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("caller", "key"),
    )
    with op.batch_alter_table("idempotency_key", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_idempotency_key_created_ms"), ["created_ms"], unique=False)

    op.create_table(
        "sign_in",
        sa.Column("local_date", sa.Date(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("protocol", sa.String(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("last_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("local_date", "account", "protocol"),
    )
    op.create_table(
        "account_seat",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("agency_code", sa.String(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("account_id", "role", "agency_code"),
    )
    with op.batch_alter_table("account_seat", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_account_seat_account_id"), ["account_id"], unique=False)

    op.create_table(
        "register_entry",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("declaration_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("document_class", sa.String(), nullable=False),
        sa.Column("symbol", sa.String(), nullable=True),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("title", sa.String(), nullable=True),
        sa.Column("exempt", sa.String(), nullable=True),
        sa.Column("queue_id", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["declaration_id"],
            ["declaration.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("declaration_id", "line"),
    )
    op.create_table(
        "web_session",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("agency_code", sa.String(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("seen_ms", sa.BigInteger(), nullable=False),
        sa.Column("ended_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("hash"),
    )
    with op.batch_alter_table("web_session", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_web_session_account_id"), ["account_id"], unique=False)

    with op.batch_alter_table("account", schema=None) as batch_op:
        batch_op.add_column(sa.Column("password_set_ms", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("recovery_hash", sa.String(), nullable=True))

    with op.batch_alter_table("message", schema=None) as batch_op:
        batch_op.add_column(sa.Column("rule_class", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("class_checked_ms", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("issuer", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("thread_id", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("attachments_hash", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("document_key", sa.String(), nullable=True))
        batch_op.create_index("ix_message_document", ["document_key", "issuer", "local_date"], unique=False)
    _documents_so_far()


BATCH = 1000
_MESSAGE = sa.table(
    "message",
    sa.column("id", sa.BigInteger),
    sa.column("queue_id", sa.String),
    sa.column("local_date", sa.Date),
    sa.column("verdict", sa.String),
    sa.column("agency_code", sa.String),
    sa.column("author", sa.String),
    sa.column("reverse_path", sa.String),
    sa.column("message_id", sa.String),
    sa.column("document_class", sa.String),
    sa.column("symbol", sa.String),
    sa.column("reply", sa.Boolean),
    sa.column("forward", sa.Boolean),
    sa.column("automatic", sa.Boolean),
    sa.column("issuer", sa.String),
    sa.column("thread_id", sa.String),
    sa.column("document_key", sa.String),
)


def _documents_so_far() -> None:
    """Documents of the records that stand already: a past quarter must not look as if it had none.

    Who issued is told by the account's agency, and what has no symbol by its Message-ID: what else
    the relay tells since was not kept then.
    """
    bind, m = op.get_bind(), _MESSAGE.c
    accepted = (m.verdict == "accepted") & m.agency_code.is_not(None)
    bind.execute(sa.update(_MESSAGE).where(accepted).values(issuer=m.agency_code))
    change = sa.update(_MESSAGE).where(m.id == sa.bindparam("b_id"))
    change = change.values(
        {name: sa.bindparam(f"b_{name}") for name in ("issuer", "thread_id", "document_key")}
    )
    last = 0
    classed = (m.verdict == "accepted") & m.document_class.is_not(None)
    while rows := bind.execute(
        sa.select(_MESSAGE).where(classed, m.id > last).order_by(m.id).limit(BATCH)
    ).all():
        bind.execute(change, [_told(row) for row in rows])
        last = rows[-1].id
    for query in (_SENT, _RECEIVED):
        op.execute(query)


def _told(row: sa.Row[Any]) -> dict[str, Any]:
    domain = (row.author or row.reverse_path or "").partition(",")[0].rpartition("@")[2].strip().lower()
    issuer = row.agency_code or (f"@{domain}"[:200] if domain else None)
    family = short_family(row.message_id or row.queue_id)
    key = document_key(
        row.local_date.year,
        document_class=row.document_class,
        symbol=row.symbol,
        family=family,
        attachments_hash=None,
        counts=issuer is not None and not (row.reply or row.forward or row.automatic),
    )
    return {"b_id": row.id, "b_issuer": issuer, "b_thread_id": family, "b_document_key": key}


_SENT = """
INSERT INTO rollup_document (document_key, issuer, flow, agency_code, first_date, sample)
SELECT document_key, issuer, 'sent', issuer, MIN(local_date), SUM(CASE WHEN sample THEN 1 ELSE 0 END) > 0
FROM message WHERE document_key IS NOT NULL AND issuer NOT LIKE '@%' GROUP BY document_key, issuer"""
_RECEIVED = """
INSERT INTO rollup_document (document_key, issuer, flow, agency_code, first_date, sample)
SELECT m.document_key, m.issuer, 'received', r.agency_code, MIN(r.delivered_date),
  SUM(CASE WHEN m.sample THEN 1 ELSE 0 END) > 0
FROM message AS m JOIN message_recipient AS r ON r.message_row = m.id
WHERE m.document_key IS NOT NULL AND r.delivered_date IS NOT NULL AND r.account IS NOT NULL
  AND r.agency_code IS NOT NULL AND r.agency_code <> m.issuer
GROUP BY m.document_key, m.issuer, r.agency_code"""


def downgrade() -> None:
    with op.batch_alter_table("class_change", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_class_change_queue_id"))

    op.drop_table("class_change")
    with op.batch_alter_table("rollup_document", schema=None) as batch_op:
        batch_op.drop_index("ix_rollup_document_first")

    op.drop_table("rollup_document")
    with op.batch_alter_table("message", schema=None) as batch_op:
        batch_op.drop_index("ix_message_document")
        batch_op.drop_column("document_key")
        batch_op.drop_column("attachments_hash")
        batch_op.drop_column("thread_id")
        batch_op.drop_column("issuer")
        batch_op.drop_column("class_checked_ms")
        batch_op.drop_column("rule_class")

    with op.batch_alter_table("account", schema=None) as batch_op:
        batch_op.drop_column("recovery_hash")
        batch_op.drop_column("password_set_ms")

    with op.batch_alter_table("web_session", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_web_session_account_id"))

    op.drop_table("web_session")
    op.drop_table("register_entry")
    with op.batch_alter_table("account_seat", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_account_seat_account_id"))

    op.drop_table("account_seat")
    op.drop_table("sign_in")
    with op.batch_alter_table("idempotency_key", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_idempotency_key_created_ms"))

    op.drop_table("idempotency_key")
    with op.batch_alter_table("exemption", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_exemption_obligation"))

    op.drop_table("exemption")
    with op.batch_alter_table("declaration", schema=None) as batch_op:
        batch_op.drop_index("ix_declaration_span")
        batch_op.drop_index(batch_op.f("ix_declaration_agency_code"))

    op.drop_table("declaration")
    op.drop_table("class_sample")
