"""When an outside address last wrote to the province: what answering a citizen rests on."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select

from mailgov.store.engine import Database
from mailgov.store.sql import chunks, columns
from mailgov.store.tables import Correspondent


async def last_written(db: Database, addresses: Iterable[str]) -> dict[str, int]:
    """When each of these addresses (look-up form) last wrote, in ms; unknown ones are left out."""
    c = columns(Correspondent)
    found: dict[str, int] = {}
    async with db.read() as session:
        for some in chunks(addresses):
            rows = await session.execute(select(c.address, c.last_ms).where(c.address.in_(some)))
            found.update({row.address: row.last_ms for row in rows})
    return found


async def changed_since(
    db: Database, after: tuple[int, str], limit: int = 1000
) -> list[tuple[str, int, int]]:
    """(address, last_ms, updated_ms) of rows past the cursor (updated_ms, address), in that order.

    For a node's guard: start from (0, "") and go on from the last row. Rows written by another
    node's clock may be a little older than the cursor, so step back by a minute now and then.
    """
    c = columns(Correspondent)
    at_ms, address = after
    query = (
        select(c.address, c.last_ms, c.updated_ms)
        .where((c.updated_ms > at_ms) | ((c.updated_ms == at_ms) & (c.address > address)))
        .order_by(c.updated_ms, c.address)
        .limit(limit)
    )
    async with db.read() as session:
        return [(row.address, row.last_ms, row.updated_ms) for row in await session.execute(query)]
