"""The spools' events into the ledger, each exactly once.

An event's key is (spool id, sequence). How far a spool is applied moves in the transaction that
applies its events, so a batch may be sent twice, cut short or sent by two at once. What cannot
be applied is set aside and the stream goes on.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from sqlalchemy import exc, func, select

from mailgov.mail.events import Event, decode, encode
from mailgov.store import audit_rows, sender_reports
from mailgov.store.calendar import TIMEZONE
from mailgov.store.engine import Conflict, Database, LedgerUnavailable
from mailgov.store.fold import EventProblem, Fold, text
from mailgov.store.fold_rows import standing, write
from mailgov.store.hand import Statements, by_hand, upsert
from mailgov.store.sql import columns, table
from mailgov.store.tables import SpoolPosition, UnappliedEvent

Told = tuple[int, Event | bytes]
"""A sequence from 1 and the event, decoded or as `mail.events.encode` wrote it."""

PROBLEM_LIMIT = 500
"""Characters of an error's text that are kept beside an event set aside."""

_FIRST_POSITION = upsert(SpoolPosition, ("spool_id", "applied_sequence", "node", "updated_ms"), {})
_MOVE_POSITION = (
    "UPDATE spool_position SET applied_sequence = ?, updated_ms = ?"
    " WHERE spool_id = ? AND applied_sequence = ?"
)
_UPSERT_ASIDE = upsert(UnappliedEvent, ("spool_id", "sequence", "payload", "problem", "at_ms"), {})


async def apply_events(
    db: Database, spool_id: str, node: str, events: Sequence[Told], now_ms: int, *, timezone: str = TIMEZONE
) -> int:
    """Apply what is new of `events`; returns the sequence up to which the spool is applied.

    Sequences at or below that are skipped, the order of the list does not matter. Raises
    LedgerUnavailable, and then nothing of the failing transaction was applied.
    """
    batch = sorted(events, key=lambda told: told[0])
    if not batch:
        return await applied_sequence(db, spool_id)
    try:
        return await _apply(db, spool_id, node, batch, now_ms, timezone)
    except LedgerUnavailable:
        raise
    except Exception as error:  # noqa: BLE001 - whatever one event does, the stream behind it goes on
        if len(batch) == 1:
            return await _set_one_aside(db, spool_id, node, batch[0], now_ms, error)
    middle = len(batch) // 2
    await apply_events(db, spool_id, node, batch[:middle], now_ms, timezone=timezone)
    return await apply_events(db, spool_id, node, batch[middle:], now_ms, timezone=timezone)


async def applied_sequence(db: Database, spool_id: str) -> int:
    """The sequence up to which the spool's events are applied; 0 for a spool never seen."""
    c = columns(SpoolPosition)
    async with db.read() as session:
        found = await session.scalar(select(c.applied_sequence).where(c.spool_id == spool_id))
        return int(found or 0)


async def step_back(db: Database, spool_id: str, applied: int, to: int, now_ms: int) -> None:
    """The spool is an older copy of itself: what it tells past `to` is read, though its numbers were used.

    What the ledger knows of that already counts no second time (`Fold`). Raises LedgerUnavailable.
    """
    async with db.write() as session:
        await by_hand(session, lambda statements: _move(statements, spool_id, applied, to, now_ms))


async def unapplied_count(db: Database) -> int:
    """How many events are set aside: anything but 0 wants an operator's eye."""
    async with db.read() as session:
        return int(await session.scalar(select(func.count()).select_from(table(UnappliedEvent))) or 0)


async def _apply(
    db: Database, spool_id: str, node: str, batch: Sequence[Told], now_ms: int, timezone: str
) -> int:
    async with db.write() as session:
        last, fold = await by_hand(
            session, lambda statements: _fold(statements, spool_id, node, batch, now_ms, timezone)
        )
        if fold is not None:
            await sender_reports.keep(session, fold.reports, timezone=timezone)
            await audit_rows.keep(session, fold.alarms)
        return last


def _fold(
    statements: Statements, spool_id: str, node: str, batch: Sequence[Told], now_ms: int, timezone: str
) -> tuple[int, Fold | None]:
    """Write what is new of the batch, but for reports and alarms; the sequence applied, and the fold."""
    applied = _hold_position(statements, spool_id, node, now_ms)
    aside = _Aside(spool_id, now_ms)
    last = applied
    known: list[tuple[int, Event]] = []
    for sequence, event in batch:
        if sequence <= last:
            continue  # applied before, or named twice
        aside.gap(last, sequence)
        last = sequence
        decoded = aside.decoded(sequence, event)
        if decoded is not None:
            known.append((sequence, decoded))
    if last == applied:
        return applied, None
    fold = Fold(spool_id, timezone, *standing(statements, {event.queue_id for _, event in known}))
    for sequence, event in known:
        try:
            fold.apply(event)
        except EventProblem as problem:
            aside.put(sequence, _payload(event), str(problem))
    write(statements, fold, now_ms)
    statements.many(_UPSERT_ASIDE, aside.rows)
    _move(statements, spool_id, applied, last, now_ms)
    return last, fold


class _Aside:
    """The rows of `unapplied_event` that one batch leaves."""

    def __init__(self, spool_id: str, now_ms: int) -> None:
        self.rows: list[tuple[Any, ...]] = []
        self._spool_id = spool_id
        self._now_ms = now_ms

    def put(self, sequence: int, payload: bytes, problem: str) -> None:
        self.rows.append((self._spool_id, sequence, payload, text(problem, PROBLEM_LIMIT), self._now_ms))

    def gap(self, last: int, sequence: int) -> None:
        """Say so when events between these two never came: the figures lack them."""
        if sequence > last + 1:
            self.put(last + 1, b"", f"events {last + 1} to {sequence - 1} never arrived")

    def decoded(self, sequence: int, event: Event | bytes) -> Event | None:
        if not isinstance(event, bytes):
            return event
        try:
            return decode(event)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            self.put(sequence, event, f"cannot be decoded: {type(error).__name__}: {error}")
            return None


def _hold_position(statements: Statements, spool_id: str, node: str, now_ms: int) -> int:
    """The applied sequence; whoever else forwards this spool waits until the transaction ends."""
    lock = " FOR UPDATE" if statements.postgresql else ""  # SQLite's writer is alone already
    query = f"SELECT applied_sequence FROM spool_position WHERE spool_id = ?{lock}"  # noqa: S608 - constants
    while not (found := statements.rows(query, (spool_id,))):
        statements.change(_FIRST_POSITION, (spool_id, 0, node, now_ms))
    return int(found[0][0])


def _move(statements: Statements, spool_id: str, expected: int, sequence: int, now_ms: int) -> None:
    if statements.change(_MOVE_POSITION, (sequence, now_ms, spool_id, expected)) != 1:
        raise Conflict("the spool's position moved meanwhile")


async def _set_one_aside(
    db: Database, spool_id: str, node: str, told: Told, now_ms: int, error: Exception
) -> int:
    sequence, event = told
    payload = event if isinstance(event, bytes) else _payload(event)

    def aside(statements: Statements) -> int:
        applied = _hold_position(statements, spool_id, node, now_ms)
        if sequence <= applied:
            return applied
        kept = _Aside(spool_id, now_ms)
        kept.gap(applied, sequence)
        kept.put(sequence, payload, f"{type(error).__name__}: {error}")
        statements.many(_UPSERT_ASIDE, kept.rows)
        _move(statements, spool_id, applied, sequence, now_ms)
        return sequence

    try:
        async with db.write() as session:
            return await by_hand(session, aside)
    except (Conflict, exc.SQLAlchemyError, sqlite3.Error, ValueError, TypeError) as other:
        raise LedgerUnavailable("an event can neither be applied nor set aside") from other


def _payload(event: Event) -> bytes:
    try:
        return encode(event)
    except (ValueError, TypeError, AttributeError):
        return repr(event).encode("utf-8", "backslashreplace")
