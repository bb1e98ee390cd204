"""Acts on queued messages: asked for here, applied by the worker that owns the spool.

Nobody but its owner writes to a spool; a row here is a request that keeps its answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from mailgov.store.engine import Database
from mailgov.store.hand import by_hand
from mailgov.store.sql import columns, table
from mailgov.store.tables import Command

_PENDING = (
    "SELECT id, queue_id, position, act, actor, reason, expected_state FROM command"
    " WHERE spool_id = ? AND done_ms IS NULL ORDER BY id LIMIT ?"
)
"""By hand, as all that is asked each second."""
ACTS = frozenset({"hold", "release", "retry", "drop"})


@dataclass(frozen=True, slots=True)
class PendingCommand:
    """A request that no worker has answered. `position` None means every recipient."""

    id: int
    queue_id: str
    position: int | None
    act: str
    """hold, release, retry or drop"""
    actor: str
    reason: str | None
    expected_state: str | None


@dataclass(frozen=True, slots=True)
class CommandView:
    """A request and what became of it; `result` None while it waits, then done or refused."""

    id: int
    spool_id: str
    queue_id: str
    position: int | None
    act: str
    actor: str
    reason: str | None
    created_ms: int
    done_ms: int | None
    result: str | None
    result_text: str | None


async def enqueue(
    session: AsyncSession,
    *,
    spool_id: str,
    queue_id: str,
    position: int | None,
    act: str,
    actor: str,
    reason: str | None,
    expected_state: str | None,
    now_ms: int,
) -> int:
    """Ask for an act in the session's transaction (where it is audited); returns the request's id.

    Raises ValueError for an act that no worker knows.
    """
    if act not in ACTS:
        raise ValueError(f"unknown act {act!r}")
    asked = insert(table(Command)).values(
        spool_id=spool_id,
        queue_id=queue_id,
        position=position,
        act=act,
        actor=actor,
        reason=reason,
        expected_state=expected_state,
        created_ms=now_ms,
    )
    return int((await session.execute(asked.returning(columns(Command).id))).scalar_one())


async def enqueue_many(
    session: AsyncSession,
    rows: Sequence[tuple[str, str, int]],
    *,
    act: str,
    actor: str,
    reason: str | None,
    batch: str,
    now_ms: int,
) -> None:
    """Ask for an act on each (spool id, queue id, position), as `enqueue` does; `batch` names them all."""
    if act not in ACTS:
        raise ValueError(f"unknown act {act!r}")
    shared = {"act": act, "actor": actor, "reason": reason, "batch": batch, "created_ms": now_ms}
    values = [
        {"spool_id": spool_id, "queue_id": queue_id, "position": position, **shared}
        for spool_id, queue_id, position in rows
    ]
    if values:
        await session.execute(insert(table(Command)), values)


async def answered(db: Database, batch: str) -> tuple[int, int]:
    """How many requests of a batch were done and how many refused."""
    c = columns(Command)
    query = select(c.result, func.count()).where(c.batch == batch, c.result.is_not(None)).group_by(c.result)
    async with db.read() as session:
        found = {row[0]: int(row[1]) for row in await session.execute(query)}
    return found.get("done", 0), found.get("refused", 0)


async def pending(db: Database, spool_id: str, *, limit: int = 100) -> list[PendingCommand]:
    """What waits for the owner of this spool, oldest first."""
    async with db.read() as session:
        rows = await by_hand(session, lambda statements: statements.rows(_PENDING, (spool_id, limit)))
        return [PendingCommand(*row) for row in rows]


async def finish(db: Database, command_id: int, result: str, text: str, now_ms: int) -> None:
    """Answer a request with `done` or `refused`; the first answer stands."""
    await finish_many(db, [(command_id, result, text)], now_ms)


async def finish_many(db: Database, answers: Sequence[tuple[int, str, str]], now_ms: int) -> None:
    """Answer requests, each as `finish` does, in one transaction."""
    c = columns(Command)
    answer = (
        update(table(Command))
        .where(c.id == bindparam("b_id"), c.done_ms.is_(None))
        .values(done_ms=now_ms, result=bindparam("b_result"), result_text=bindparam("b_text"))
    )
    rows = [{"b_id": number, "b_result": result, "b_text": text} for number, result, text in answers]
    if rows:
        async with db.write() as session:
            await session.execute(answer, rows)


async def get(db: Database, command_id: int) -> CommandView | None:
    """A request as it stands, or None for an unknown id."""
    c = columns(Command)
    query = select(
        c.id, c.spool_id, c.queue_id, c.position, c.act, c.actor, c.reason,
        c.created_ms, c.done_ms, c.result, c.result_text,
    ).where(c.id == command_id)  # fmt: skip
    async with db.read() as session:
        row = (await session.execute(query)).first()
        return CommandView(*row) if row else None
