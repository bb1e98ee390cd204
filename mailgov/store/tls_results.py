"""How sessions with other servers went, by UTC day and policy (RFC 8460 4): counted, told, forgotten."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from mailgov.mail.tls_report import SessionCount
from mailgov.store.sql import add, columns, replace, table, upsert
from mailgov.store.tables import TlsResult
from mailgov.store.tallies import Counted, Key


async def add_tls_results(session: AsyncSession, taken: Mapping[Key, Counted]) -> None:
    """Add a tally to the days that it belongs to."""
    rows: list[dict[str, Any]] = [
        key._asdict() | {"policy": counted.text, "count": counted.sessions}
        for key, counted in sorted(taken.items())
    ]
    await upsert(session, TlsResult, rows, {"count": add, "policy": replace})


async def lines(session: AsyncSession, first: date, until: date, limit: int) -> list[tuple[Key, int]]:
    """At most `limit` rows of the days [first, until), the latest day first, in it the most frequent."""
    c = columns(TlsResult)
    query = (
        select(c.day, c.domain, c.kind, c.host, c.result, c["count"])
        .where(c.day >= first, c.day < until)
        .order_by(c.day.desc(), c["count"].desc(), c.domain, c.kind, c.host, c.result)
        .limit(limit)
    )
    return [(Key(*row[:5]), int(row[5])) for row in await session.execute(query)]


async def of_day(session: AsyncSession, day: date, limit: int) -> dict[str, list[SessionCount]]:
    """By domain, of `limit` domains at most, what was counted on that day."""
    c = columns(TlsResult)
    names = select(c.domain).where(c.day == day).distinct().order_by(c.domain).limit(limit)
    query = (
        select(c.domain, c.kind, c.host, c.result, c.policy, c["count"])
        .where(c.day == day, c.domain.in_(names))
        .order_by(c.domain, c.kind, c.host, c.result)
    )
    found: dict[str, list[SessionCount]] = {}
    for domain, *counted in await session.execute(query):
        found.setdefault(domain, []).append(SessionCount(*counted))
    return found


async def forget(session: AsyncSession, before_ms: int) -> None:
    """Drop the days before that."""
    day = datetime.fromtimestamp(before_ms / 1000, UTC).date()
    await session.execute(delete(table(TlsResult)).where(columns(TlsResult).day < day))
