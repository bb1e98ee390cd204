"""What changes in a ledger that comes out of a backup: its spools have a new life under new ids."""

from __future__ import annotations

from collections.abc import Container

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from mailgov.store.sql import chunks, columns, table
from mailgov.store.tables import Command, Message, MessageRecipient

WAITING = ("queued", "deferred", "held")
NOT_IN_BACKUP = "accepted while the backup was being made: its text is not in it"


async def rename_spool(session: AsyncSession, old_id: str, new_id: str) -> None:
    """Records of a spool's messages lead to it under its new id."""
    await session.execute(update(Message).where(columns(Message).spool_id == old_id).values(spool_id=new_id))


async def end_commands(session: AsyncSession, now_ms: int) -> int:
    """Acts on queued mail that nobody applied before the backup; returns how many."""
    c = columns(Command)
    ended = update(Command).where(c.done_ms.is_(None))
    values = {"done_ms": now_ms, "result": "refused", "result_text": "not applied before the backup was made"}
    found = await session.execute(ended.values(**values).returning(c.id))
    return len(found.all())


async def end_absent(session: AsyncSession, queued: Container[tuple[str, int]], now_ms: int) -> int:
    """Recipients that wait by the ledger but are in no spool (`queued`: queue ids with positions).

    They were accepted in the moments between the copies of spool and ledger. Returns how many.
    """
    m, r = columns(Message), columns(MessageRecipient)
    query = select(r.id, m.queue_id, r.position).join_from(
        table(MessageRecipient), table(Message), m.id == r.message_row
    )
    waiting = (await session.execute(query.where(r.state.in_(WAITING)))).all()
    absent = [row.id for row in waiting if (row.queue_id, row.position) not in queued]
    values = {"state": "dropped", "last_reply": NOT_IN_BACKUP, "updated_ms": now_ms}
    for some in chunks(absent):
        await session.execute(update(MessageRecipient).where(r.id.in_(some)).values(**values))
    return len(absent)
