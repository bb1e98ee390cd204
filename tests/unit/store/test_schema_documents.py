"""What an upgrade makes of the records that a ledger has already: the documents that they carried."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from sqlalchemy import Connection, MetaData, insert, select
from sqlmodel import SQLModel

from mailgov.mail.events import MessageEvent
from mailgov.store import documents
from mailgov.store.engine import Database, migrate
from mailgov.store.fold import Fold
from mailgov.store.sql import table
from mailgov.store.tables import Message, MessageRecipient, RollupDocument
from tests.unit.store.events import stream
from tests.unit.store.test_schema import empty

__all__ = ["empty"]


async def rows(database: Database, model: type[SQLModel], *names: str) -> list[Any]:
    target = table(model)
    wanted = [target.c[name] for name in names] or list(target.c)
    async with database.read() as session:
        found = await session.execute(select(*wanted).order_by(*(wanted if not names else wanted[:1])))
        return [tuple(row) for row in found]


def _fill(connection: Connection, fold: Fold) -> None:
    """The records as the revision before knew them, without what it had no columns for."""
    metadata = MetaData()
    metadata.reflect(connection, only=["message", "message_recipient"])
    messages, recipients = metadata.tables["message"], metadata.tables["message_recipient"]
    for number, (queue_id, row) in enumerate(fold.messages.items(), start=1):
        known = {name: value for name, value in row.items() if name in messages.c}
        connection.execute(insert(messages).values(id=number, **known))
        for (owner, _), one in fold.recipients.items():
            if owner == queue_id:
                kept = {name: value for name, value in one.items() if name in recipients.c}
                connection.execute(insert(recipients).values(message_row=number, **kept))


async def test_records_from_before_the_upgrade_count_as_documents_after_it(empty: Database) -> None:
    await migrate(empty, "0001")
    fold = Fold("s", "Asia/Ho_Chi_Minh", {}, {})
    for _, event in stream(5, messages=80):
        # What was not told then: who issued it beyond the agency, its conversation, its attachments.
        fold.apply(replace(event, issuer=None, thread_id=None) if isinstance(event, MessageEvent) else event)
    async with empty.write() as session:
        connection = await session.connection()
        await connection.run_sync(_fill, fold)
    await migrate(empty)
    kept = await rows(empty, Message, "queue_id", "issuer", "document_key")
    assert [(queue_id, key) for queue_id, _, key in kept] == [
        (queue_id, row["document_key"]) for queue_id, row in sorted(fold.messages.items())
    ]
    assert {issuer == fold.messages[queue_id]["issuer"] for queue_id, issuer, key in kept if key} == {True}
    made = await rows(empty, RollupDocument)
    assert len(made) > 20
    assert {row[2] for row in made} == {"sent", "received"}
    async with empty.write() as session:
        await documents.remake_year(session, 2025)
    assert await rows(empty, RollupDocument) == made
    assert await rows(empty, MessageRecipient, "id")
    assert min(row[4] for row in made) >= date(2025, 11, 30)
