"""The audit log read: the latest rows, and what the relay adds for the service itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from mailgov.mail.events import AlarmEvent
from mailgov.store import audit
from mailgov.store.sql import columns
from mailgov.store.tables import Audit

RELAY = "relay"
"""The chain of what relays saw; acts have others."""
SERVICE = "service"
"""The role of what nobody did: the service saw it."""


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One row; `content` None where there was none, or it was erased."""

    id: int
    at_ms: int
    actor: str
    role: str
    act: str
    object: str
    content: dict[str, Any] | None


async def rows(
    session: AsyncSession,
    *,
    limit: int,
    before: int | None = None,
    act: str | None = None,
    object: str | None = None,  # noqa: A002 - the column's name
) -> list[AuditRow]:
    """The latest rows first, from below the id `before`; only those of an act, or on an object."""
    c = columns(Audit)
    query = select(c.id, c.at_ms, c.actor, c.role, c.act, c.object, c.content).order_by(c.id.desc())
    for column, wanted in ((c.act, act), (c.object, object)):
        if wanted is not None:
            query = query.where(column == wanted)
    if before is not None:
        query = query.where(c.id < before)
    return [AuditRow(*row) for row in await session.execute(query.limit(limit))]


async def keep(session: AsyncSession, alarms: Sequence[AlarmEvent]) -> None:
    """A row for each, in the session's transaction."""
    for alarm in alarms:
        await audit.record(
            session,
            writer=RELAY,
            actor=f"{SERVICE}:{alarm.node}",
            role=SERVICE,
            act=alarm.act,
            object=alarm.object,
            content=alarm.content,
            now_ms=alarm.at_ms,
            salt=alarm.salt,
        )
