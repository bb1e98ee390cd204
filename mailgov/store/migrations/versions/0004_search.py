"""Traffic records are found by who wrote, by what was found in them and by rule"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

BATCH = 1000


def upgrade() -> None:
    op.add_column("decision", sa.Column("watched", sa.JSON(none_as_null=True), nullable=True))
    op.create_table(
        "message_term",
        sa.Column("term", sa.String(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("message_row", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(["message_row"], ["message.id"]),
        sa.PrimaryKeyConstraint("term", "at_ms", "message_row"),
    )
    op.create_index("ix_message_client_at", "message", ["client", "at_ms", "id"])
    op.create_index("ix_message_recipient_original", "message_recipient", ["original"])
    _fill(op.get_bind())


def downgrade() -> None:
    op.drop_index("ix_message_recipient_original", "message_recipient")
    op.drop_index("ix_message_client_at", "message")
    op.drop_table("message_term")
    op.drop_column("decision", "watched")


def _fill(connection: sa.Connection) -> None:
    """The words of what is there already, a batch at a time, as version 0004 has them."""
    m = sa.table("message", *map(sa.column, _MESSAGE))
    d = sa.table("decision", *map(sa.column, ("queue_id", "rule", "outcome", "mode")))
    t = sa.table("message_term", *map(sa.column, ("term", "at_ms", "message_row")))
    last = 0
    while True:
        query = sa.select(m).where(m.c.id > last).order_by(m.c.id).limit(BATCH)
        batch = connection.execute(query).mappings().all()
        if not batch:
            return
        words = {row["queue_id"]: set(_of_message(row)) for row in batch}
        for row in connection.execute(sa.select(d).where(d.c.queue_id.in_(words))).mappings():
            words[row["queue_id"]].update(_of_decision(row))
        found = [
            {"term": word, "at_ms": row["at_ms"], "message_row": row["id"]}
            for row in batch
            for word in words[row["queue_id"]]
        ]
        if found:
            connection.execute(sa.insert(t), found)
        last = batch[-1]["id"]


_RESULTS = ("spf", "dkim", "dmarc", "malware", "spam")
_MESSAGE = ("id", "queue_id", "at_ms", "account", "reverse_path", "author", "message_id", "risks", *_RESULTS)


def _of_message(row: Any) -> Iterator[str]:
    if row["message_id"]:
        bare = row["message_id"].strip().removeprefix("<").removesuffix(">")
        yield f"id:{hashlib.sha256(bare.encode('utf-8', 'replace')).hexdigest()[:32]}"
    senders = {row["reverse_path"] or "", *(row["author"] or "").split(", ")}
    for address in senders if row["account"] is None else ():
        local, at, domain = address.lower().rpartition("@")
        if local and at and domain and len(address) <= 320:
            yield f"from:{address.lower()}"
            yield f"from:@{domain}"
    risks = row["risks"]
    yield from (f"risk:{risk}" for risk in (json.loads(risks) if isinstance(risks, str) else risks))
    for name in _RESULTS:
        word = (row[name] or "").partition(" ")[0]
        if word and word not in ("pass", "clean", "ham"):
            yield f"{name}:{word}"


def _of_decision(row: Any) -> Iterator[str]:
    if row["rule"]:
        watched = row["outcome"] == "accept" and row["mode"] == "monitor"
        decision = "would-reject" if watched else row["outcome"]
        yield from (f"rule:{row['rule']}:{decision}", f"rule:{row['rule']}:", f"rule::{decision}")
