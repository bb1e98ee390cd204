"""Mail of our own from a role without a relay: kept here until a relay has taken it in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import delete, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from mailgov.store.engine import Database
from mailgov.store.hand import by_hand
from mailgov.store.sql import columns, table
from mailgov.store.tables import OutgoingMail

LEASE_MS = 60_000
"""How long a worker has to take in what it claimed; then another may."""
_FREE = (
    "SELECT id FROM outgoing_mail WHERE taken_ms IS NULL AND (claimed_ms IS NULL OR claimed_ms <= ?) LIMIT 1"
)
"""By hand, as all that is asked each second."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message for a relay to take in. `reverse_path` is "" for the null reverse-path."""

    id: int
    reverse_path: str
    recipients: tuple[str, ...]
    content: bytes = field(repr=False)


async def put(
    session: AsyncSession,
    *,
    idempotency_key: str,
    reverse_path: str,
    recipients: Sequence[str],
    content: bytes,
    now_ms: int,
) -> bool:
    """Keep a message in the session's transaction; False when the key was used already."""
    return await _first(
        session,
        idempotency_key=idempotency_key,
        reverse_path=reverse_path,
        recipients=list(recipients),
        content=content,
        created_ms=now_ms,
    )


async def claim(db: Database, idempotency_key: str, now_ms: int) -> bool:
    """Whether what the key stands for, which goes by another way than mail, is the caller's to send: it is
    nobody else's then, on no node, until `give_up`.
    """
    async with db.write() as session:
        return await _first(
            session,
            idempotency_key=idempotency_key,
            reverse_path="",
            recipients=[],
            content=b"",
            created_ms=now_ms,
            taken_ms=now_ms,
        )


async def give_up(db: Database, idempotency_key: str) -> None:
    """It could not be sent: the next who claims it may try."""
    async with db.write() as session:
        await session.execute(
            delete(table(OutgoingMail)).where(columns(OutgoingMail).idempotency_key == idempotency_key)
        )


async def _first(session: AsyncSession, **row: Any) -> bool:
    """Write the row; False when its key was used already."""
    postgres = session.get_bind().dialect.name == "postgresql"
    statement = (postgresql.insert if postgres else sqlite.insert)(table(OutgoingMail))
    kept = await session.execute(
        statement.values(**row)
        .on_conflict_do_nothing(index_elements=["idempotency_key"])
        .returning(columns(OutgoingMail).id)
    )
    return kept.first() is not None


async def take(db: Database, worker: str, now_ms: int, *, limit: int = 100) -> list[Outgoing]:
    """Claim the oldest messages for `worker` (a spool id), for `LEASE_MS`.

    What was claimed longer ago and not marked is claimed again: at least once, like every delivery.
    """
    c = columns(OutgoingMail)
    free = c.taken_ms.is_(None) & or_(c.claimed_ms.is_(None), c.claimed_ms <= now_ms - LEASE_MS)
    async with db.read() as session:
        if not await by_hand(session, lambda statements: statements.rows(_FREE, (now_ms - LEASE_MS,))):
            return []  # the usual case: no lock is taken
    async with db.write() as session:
        chosen = select(c.id).where(free).order_by(c.id).limit(limit)
        if db.dialect == "postgresql":
            chosen = chosen.with_for_update(skip_locked=True)
        ids = list((await session.execute(chosen)).scalars())
        await session.execute(
            update(OutgoingMail).where(c.id.in_(ids)).values(claimed_ms=now_ms, taken_by=worker)
        )
        found = select(c.id, c.reverse_path, c.recipients, c.content).where(c.id.in_(ids)).order_by(c.id)
        return [
            Outgoing(row.id, row.reverse_path, tuple(row.recipients), row.content)
            for row in await session.execute(found)
        ]


async def mark_taken(db: Database, mail_id: int, queue_id: str | None, now_ms: int) -> None:
    """The relay has it on disk under `queue_id` (None: it could not be made a message); drop the bytes."""
    c = columns(OutgoingMail)
    async with db.write() as session:
        await session.execute(
            update(OutgoingMail)
            .where(c.id == mail_id, c.taken_ms.is_(None))
            .values(taken_ms=now_ms, queue_id=queue_id, content=b"")
        )
