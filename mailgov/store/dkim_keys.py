"""DKIM keys' public side; the private keys are files."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlmodel import col

from mailgov.store.directory import Session
from mailgov.store.tables import DkimKey


@dataclass(frozen=True, slots=True)
class DkimKeyView:
    """A key as it is published; `key_file` is relative to the data folder.

    `state`: pending, active or retired.
    """

    domain: str
    selector: str
    algorithm: str
    public_key: str
    key_file: str
    state: str
    created_ms: int


async def add_key(session: Session, key: DkimKeyView) -> None:
    """A new key. Raises `engine.Conflict` when the domain has that selector."""
    session.add(DkimKey(**{name: getattr(key, name) for name in key.__slots__}))
    await session.flush()


async def list_keys(session: Session, domain: str | None = None) -> list[DkimKeyView]:
    """Keys by domain and age, the oldest first."""
    query = select(DkimKey).order_by(col(DkimKey.domain), col(DkimKey.created_ms), col(DkimKey.id))
    if domain is not None:
        query = query.where(col(DkimKey.domain) == domain)
    rows = (await session.execute(query)).scalars()
    return [DkimKeyView(**{name: getattr(row, name) for name in DkimKeyView.__slots__}) for row in rows]
