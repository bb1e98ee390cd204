"""When an outside address last wrote to the province: what answering a citizen rests on."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select

from mailgov.store.engine import Database
from mailgov.store.hand import by_hand
from mailgov.store.sql import chunks, columns
from mailgov.store.tables import Correspondent

_CHANGED = (
    "SELECT address, last_ms, updated_ms FROM correspondent"
    " WHERE updated_ms > ? OR (updated_ms = ? AND address > ?) ORDER BY updated_ms, address LIMIT ?"
)
"""By hand, as all that is asked each second."""


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
    at_ms, address = after
    async with db.read() as session:
        rows = await by_hand(
            session, lambda statements: statements.rows(_CHANGED, (at_ms, at_ms, address, limit))
        )
        return [(row[0], row[1], row[2]) for row in rows]
