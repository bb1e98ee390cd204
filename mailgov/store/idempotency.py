"""Requests that were carried out, by the key that their caller gave them.

A key is taken in the transaction of the act itself: either both are in the ledger or neither
is, and of two requests with one key that come at once the second waits for the first.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, func, select, update

from mailgov.store.directory import Session
from mailgov.store.sql import columns, table, upsert
from mailgov.store.tables import IdempotencyKey

UNFINISHED = 0
"""The status of a key whose request is being carried out; no other transaction ever sees it."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What is known of a request that was carried out; `answer` is what `keep` was given."""

    request_hash: str
    status: int
    answer: bytes


async def take(session: Session, caller: str, key: str, request_hash: str, now_ms: int) -> Kept | None:
    """Take the key for a request and give None, or what its first request left."""
    row = {
        "caller": caller,
        "key": key,
        "request_hash": request_hash,
        "status": UNFINISHED,
        "answer": b"",
        "created_ms": now_ms,
    }
    await upsert(session, IdempotencyKey, [row])
    c = columns(IdempotencyKey)
    query = select(c.request_hash, c.status, c.answer).where(c.caller == caller, c.key == key)
    found = Kept(*(await session.execute(query)).one())
    return None if found.status == UNFINISHED else found


async def keep(session: Session, caller: str, key: str, status: int, answer: bytes) -> None:
    """Note what the request of a key that was taken here is answered with."""
    c = columns(IdempotencyKey)
    chosen = (c.caller == caller) & (c.key == key)
    await session.execute(update(table(IdempotencyKey)).where(chosen).values(status=status, answer=answer))


async def forget_before(session: Session, before_ms: int) -> None:
    """Drop keys that are older, of whomever."""
    await session.execute(delete(table(IdempotencyKey)).where(columns(IdempotencyKey).created_ms < before_ms))


async def count(session: Session, caller: str) -> int:
    """How many keys of a caller are kept."""
    query = select(func.count()).where(columns(IdempotencyKey).caller == caller)
    return int((await session.execute(query)).scalar_one())
