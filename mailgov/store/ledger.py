"""The spools' events into the ledger, each exactly once.

An event's key is (spool id, sequence). How far a spool is applied moves in the transaction that
applies its events, so a batch may be sent twice, cut short or sent by two at once. What cannot
be applied is set aside and the stream goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, exc, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from mailgov.mail.events import Event, decode, encode
from mailgov.store import audit_rows, documents, sender_reports
from mailgov.store.calendar import TIMEZONE
from mailgov.store.correspondents import remember
from mailgov.store.engine import Conflict, Database, LedgerUnavailable
from mailgov.store.fold import EventProblem, Fold, Row, text
from mailgov.store.increments import Counts
from mailgov.store.sql import add, chunks, columns, table, upsert
from mailgov.store.tables import (
    DecisionRow,
    Message,
    MessageRecipient,
    RollupDaily,
    RollupOutbound,
    SpoolPosition,
    UnappliedEvent,
)

Told = tuple[int, Event | bytes]
"""A sequence from 1 and the event, decoded or as `mail.events.encode` wrote it."""

PROBLEM_LIMIT = 500
"""Characters of an error's text that are kept beside an event set aside."""


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


async def unapplied_count(db: Database) -> int:
    """How many events are set aside: anything but 0 wants an operator's eye."""
    async with db.read() as session:
        return int(await session.scalar(select(func.count()).select_from(table(UnappliedEvent))) or 0)


async def _apply(
    db: Database, spool_id: str, node: str, batch: Sequence[Told], now_ms: int, timezone: str
) -> int:
    async with db.write() as session:
        applied = await _hold_position(session, spool_id, node, now_ms)
        fresh = [told for told in batch if told[0] > applied]
        if not fresh:
            return applied
        aside = _Aside(spool_id, now_ms)
        aside.gap(applied, fresh[0][0])
        known: list[tuple[int, Event]] = []
        last = applied
        for sequence, event in fresh:
            if sequence == last:
                continue  # the list names it twice
            aside.gap(last, sequence)
            last = sequence
            decoded = aside.decoded(sequence, event)
            if decoded is not None:
                known.append((sequence, decoded))
        fold = Fold(spool_id, timezone, *await _standing(session, {event.queue_id for _, event in known}))
        for sequence, event in known:
            try:
                fold.apply(event)
            except EventProblem as problem:
                aside.put(sequence, _payload(event), str(problem))
        await _write(session, fold, now_ms)
        await upsert(session, UnappliedEvent, aside.rows)
        await _move(session, spool_id, applied, last, now_ms)
        return last


class _Aside:
    """The rows of `unapplied_event` that one batch leaves."""

    def __init__(self, spool_id: str, now_ms: int) -> None:
        self.rows: list[Row] = []
        self._spool_id = spool_id
        self._now_ms = now_ms

    def put(self, sequence: int, payload: bytes, problem: str) -> None:
        self.rows.append(
            {
                "spool_id": self._spool_id,
                "sequence": sequence,
                "payload": payload,
                "problem": text(problem, PROBLEM_LIMIT),
                "at_ms": self._now_ms,
            }
        )

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


async def _hold_position(session: AsyncSession, spool_id: str, node: str, now_ms: int) -> int:
    """The applied sequence; whoever else forwards this spool waits until the transaction ends."""
    c = columns(SpoolPosition)
    row = {"spool_id": spool_id, "applied_sequence": 0, "node": node, "updated_ms": now_ms}
    await upsert(session, SpoolPosition, [row])
    query = select(c.applied_sequence).where(c.spool_id == spool_id).with_for_update()
    return int((await session.execute(query)).scalar_one())


async def _move(session: AsyncSession, spool_id: str, expected: int, sequence: int, now_ms: int) -> None:
    c = columns(SpoolPosition)
    moved = await session.execute(
        update(SpoolPosition)
        .where(c.spool_id == spool_id, c.applied_sequence == expected)
        .values(applied_sequence=sequence, updated_ms=now_ms)
        .returning(c.spool_id)
    )
    if moved.first() is None:
        raise Conflict("the spool's position moved meanwhile")


async def _standing(
    session: AsyncSession, queue_ids: set[str]
) -> tuple[dict[str, Row], dict[tuple[str, int], Row]]:
    """The rows of these messages and their recipients that the ledger has already."""
    m, r = columns(Message), columns(MessageRecipient)
    wanted = (
        m.id, m.queue_id, m.at_ms, m.verdict, m.document_class, m.automatic, m.size_bytes, m.sample,
        m.document_key, m.issuer,
    )  # fmt: skip
    messages: dict[str, Row] = {}
    recipients: dict[tuple[str, int], Row] = {}
    for some in chunks(queue_ids):
        for row in await session.execute(select(*wanted).where(m.queue_id.in_(some))):
            messages[row.queue_id] = dict(row._mapping)
    names = {row["id"]: queue_id for queue_id, row in messages.items()}
    for some in chunks(names):
        for row in await session.execute(select(*r).where(r.message_row.in_(some))):
            recipients[names[row.message_row], row.position] = dict(row._mapping)
    return messages, recipients


async def _write(session: AsyncSession, fold: Fold, now_ms: int) -> None:
    await _insert_messages(session, fold)
    r = columns(MessageRecipient)
    fixed = {"message_row", "position", "address", "original", "via", "direction", "accepted_provider"}
    changed = [
        {f"b_{name}": value for name, value in fold.recipients[key].items()} for key in sorted(fold.changed)
    ]
    if changed:
        values: dict[str, Any] = {c.name: bindparam(f"b_{c.name}") for c in r if c.name not in fixed | {"id"}}
        await session.execute(
            update(table(MessageRecipient)).where(r.id == bindparam("b_id")).values(**values), changed
        )
    await upsert(session, DecisionRow, list(fold.decisions.values()))
    counts = [{**key._asdict(), **counts._asdict()} for key, counts in fold.rollup.items()]
    await upsert(session, RollupDaily, counts, dict.fromkeys(Counts._fields, add))
    outbound = [{**key._asdict(), "recipients": count} for key, count in fold.outbound.items()]
    await upsert(session, RollupOutbound, outbound, {"recipients": add})
    await documents.add(session, fold.documents)
    await remember(session, fold.correspondents, now_ms)
    await sender_reports.keep(session, fold.reports, timezone=fold.timezone)
    await audit_rows.keep(session, fold.alarms)


async def _insert_messages(session: AsyncSession, fold: Fold) -> None:
    new = {queue_id: row for queue_id, row in fold.messages.items() if "id" not in row}
    if not new:
        return
    await session.execute(insert(table(Message)), list(new.values()))
    m = columns(Message)
    ids: dict[str, Any] = {}
    for some in chunks(new):
        for row in await session.execute(select(m.id, m.queue_id).where(m.queue_id.in_(some))):
            ids[row.queue_id] = row.id
    recipients = [
        {**row, "message_row": ids[queue_id]}
        for (queue_id, _), row in fold.recipients.items()
        if "id" not in row
    ]
    if recipients:
        await session.execute(insert(table(MessageRecipient)), recipients)


async def _set_one_aside(
    db: Database, spool_id: str, node: str, told: Told, now_ms: int, error: Exception
) -> int:
    sequence, event = told
    payload = event if isinstance(event, bytes) else _payload(event)
    try:
        async with db.write() as session:
            applied = await _hold_position(session, spool_id, node, now_ms)
            if sequence <= applied:
                return applied
            aside = _Aside(spool_id, now_ms)
            aside.gap(applied, sequence)
            aside.put(sequence, payload, f"{type(error).__name__}: {error}")
            await upsert(session, UnappliedEvent, aside.rows)
            await _move(session, spool_id, applied, sequence, now_ms)
            return sequence
    except (Conflict, exc.SQLAlchemyError, ValueError, TypeError) as other:
        raise LedgerUnavailable("an event can neither be applied nor set aside") from other


def _payload(event: Event) -> bytes:
    try:
        return encode(event)
    except (ValueError, TypeError, AttributeError):
        return repr(event).encode("utf-8", "backslashreplace")
