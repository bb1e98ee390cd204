"""Who signed in, by day and protocol: shown beside the figures, never part of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, case
from sqlalchemy.ext.asyncio import AsyncSession

from mailgov.store.sql import add, upsert
from mailgov.store.tables import SignIn
from mailgov.store.tallies import Signed, SignInKey


async def add_sign_ins(session: AsyncSession, taken: Mapping[SignInKey, Signed]) -> None:
    """Add a tally to the days that it belongs to."""
    rows: list[dict[str, Any]] = [
        key._asdict() | {"count": signed.times, "last_ms": signed.last_ms} for key, signed in taken.items()
    ]
    await upsert(session, SignIn, rows, {"count": add, "last_ms": _later})


def _later(stands: ColumnElement[Any], comes: ColumnElement[Any]) -> ColumnElement[Any]:
    return case((stands > comes, stands), else_=comes)
