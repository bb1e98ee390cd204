"""The class of a message as people see it: corrections with their history, and the monthly sample.

The class by rule stays beside the class that counts. A correction moves the figures that the
message is counted in, in its own transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Row, delete, func, insert, select, update
from sqlmodel import col

from mailgov.store import documents, increments
from mailgov.store.directory import Session
from mailgov.store.fold import key_of
from mailgov.store.increments import Counts, Key
from mailgov.store.sql import add, columns, table, upsert
from mailgov.store.tables import (
    ClassChange,
    ClassSample,
    Message,
    MessageRecipient,
    RollupDaily,
    SpoolPosition,
)


@dataclass(frozen=True, slots=True)
class Classed:
    """What a message is taken for. `issuer` and `agency_code` say whose it is."""

    queue_id: str
    at_ms: int
    verdict: str
    agency_code: str | None
    issuer: str | None
    subject: str | None
    document_class: str | None
    symbol: str | None
    rule_class: str | None
    """The class by rule, whether or not a person has looked at it."""
    checked: bool
    document_key: str | None


@dataclass(frozen=True, slots=True)
class ChangeView:
    """One correction."""

    queue_id: str
    at_ms: int
    actor: str
    class_before: str | None
    class_after: str | None
    symbol_before: str | None
    symbol_after: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class SampleView:
    """A message of a month's sample. `confirmed_ms` None: nobody has looked at it yet."""

    month: date
    queue_id: str
    agency_code: str
    subject: str | None
    rule_class: str | None
    confirmed_class: str | None
    confirmed_ms: int | None
    actor: str | None


@dataclass(frozen=True, slots=True)
class SampleResult:
    """Messages drawn; of these, looked at by a person; of those, classed wrongly by the rule."""

    drawn: int = 0
    confirmed: int = 0
    wrong: int = 0


async def find(session: Session, queue_id: str) -> Classed | None:
    """What the message of that queue id is taken for, or None."""
    row = await _message(session, queue_id)
    return None if row is None else _classed(row)


async def correct(
    session: Session,
    queue_id: str,
    document_class: str | None,
    symbol: str | None,
    *,
    actor: str,
    reason: str,
    now_ms: int,
) -> Classed:
    """Let the message count as of this class (None: no document) and symbol, and keep who said so.

    `queue_id` is that of a record. Waits for whoever forwards the spool's events, so that no
    outcome is counted under the old class meanwhile.
    """
    await _hold(session, queue_id)
    row = await _message(session, queue_id)
    if row is None:
        raise LookupError(queue_id)
    before = dict(row._mapping)
    rule_class = before["rule_class"] if before["class_checked_ms"] else before["document_class"]
    changed = {
        "document_class": document_class,
        "symbol": symbol,
        "rule_class": rule_class,
        "class_checked_ms": now_ms,
    }
    after = {**before, **changed}
    after["document_key"] = key_of(after)
    await _move_counts(session, before, after)
    m = columns(Message)
    values = {name: after[name] for name in (*changed, "document_key")}
    await session.execute(update(table(Message)).where(m.id == before["id"]).values(**values))
    keys = {before["document_key"], after["document_key"]} - {None}
    if before["issuer"] is not None:
        await documents.remake(session, before["issuer"], keys)
    session.add(
        ClassChange(
            queue_id=queue_id,
            at_ms=now_ms,
            actor=actor,
            class_before=before["document_class"],
            class_after=document_class,
            symbol_before=before["symbol"],
            symbol_after=symbol,
            reason=reason,
        )
    )
    await session.flush()
    return Classed(**{name: after[name] for name in Classed.__slots__ if name != "checked"}, checked=True)


async def history(session: Session, queue_id: str) -> list[ChangeView]:
    """The corrections of a message, the first one first."""
    rows = await session.execute(
        select(ClassChange).where(col(ClassChange.queue_id) == queue_id).order_by(col(ClassChange.id))
    )
    return [
        ChangeView(**{name: getattr(row, name) for name in ChangeView.__slots__}) for row in rows.scalars()
    ]


async def population(
    session: Session, from_date: date, until_date: date
) -> list[tuple[str, str, str | None]]:
    """(queue id, agency, class by rule) of what our accounts sent in the span and could be a document.

    That is all but replies, forwards and what a program wrote. In the order of the records, so that
    a draw can be repeated.
    """
    m = columns(Message)
    by_rule = func.coalesce(m.class_checked_ms, 0)
    query = (
        select(m.queue_id, func.coalesce(m.agency_code, ""), m.rule_class, m.document_class, by_rule)
        .where(m.local_date >= from_date, m.local_date < until_date, m.verdict == "accepted")
        .where(m.account.is_not(None), m.automatic.is_(False), m.reply.is_(False), m.forward.is_(False))
        .order_by(m.id)
    )
    return [
        (queue_id, agency, rule if checked else now)
        for queue_id, agency, rule, now, checked in await session.execute(query)
    ]


async def keep_sample(session: Session, month: date, drawn: Sequence[tuple[str, str, str | None]]) -> None:
    """Keep a month's sample. Raises `engine.Conflict` for a message that it has already."""
    rows = [
        {"month": month, "queue_id": queue_id, "agency_code": agency, "rule_class": rule}
        for queue_id, agency, rule in drawn
    ]
    if rows:
        await session.execute(insert(ClassSample), rows)


async def sample(session: Session, month: date, agency: str | None = None) -> list[SampleView]:
    """A month's sample in the order it was drawn, of one agency or of all."""
    s, m = columns(ClassSample), columns(Message)
    chosen = [column for column in s if column.name in SampleView.__slots__]
    query = (
        select(*chosen, m.subject)
        .select_from(table(ClassSample).outerjoin(table(Message), m.queue_id == s.queue_id))
        .where(s.month == month)
        .order_by(s.id)
    )
    if agency is not None:
        query = query.where(s.agency_code == agency)
    return [SampleView(**row._mapping) for row in await session.execute(query)]


async def sampled(session: Session, queue_id: str) -> SampleView | None:
    """The message as a month's sample has it, or None when it was not drawn."""
    s = columns(ClassSample)
    month = (await session.execute(select(s.month).where(s.queue_id == queue_id))).scalar()
    if month is None:
        return None
    return next((one for one in await sample(session, month) if one.queue_id == queue_id), None)


async def confirm(
    session: Session, queue_id: str, confirmed_class: str | None, *, actor: str, now_ms: int
) -> None:
    """Keep what a person took a sampled message for."""
    s = columns(ClassSample)
    await session.execute(
        update(table(ClassSample))
        .where(s.queue_id == queue_id)
        .values(confirmed_class=confirmed_class, confirmed_ms=now_ms, actor=actor)
    )


async def sample_result(session: Session, from_month: date, until_month: date) -> SampleResult:
    """What the samples of the months that begin in the span say of the rules."""
    s = columns(ClassSample)
    seen = s.confirmed_ms.is_not(None)
    wrong = func.coalesce(s.confirmed_class, "") != func.coalesce(s.rule_class, "")
    query = select(func.count(), func.count().filter(seen), func.count().filter(seen, wrong)).where(
        s.month >= from_month, s.month < until_month
    )
    return SampleResult(*(await session.execute(query)).one())


async def _hold(session: Session, queue_id: str) -> None:
    """Hold the position of the spool that tells of this message, as whoever forwards it does."""
    m, p = columns(Message), columns(SpoolPosition)
    spool = select(m.spool_id).where(m.queue_id == queue_id).scalar_subquery()
    await session.execute(select(p.spool_id).where(p.spool_id == spool).with_for_update())


async def _message(session: Session, queue_id: str) -> Row[Any] | None:
    m = columns(Message)
    return (await session.execute(select(*m).where(m.queue_id == queue_id))).first()


def _classed(row: Row[Any]) -> Classed:
    values = {name: row._mapping[name] for name in Classed.__slots__ if name != "checked"}
    checked = row.class_checked_ms is not None
    if not checked:
        values["rule_class"] = row.document_class
    return Classed(**values, checked=checked)


async def _move_counts(session: Session, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Take the message out of the daily rollup as it was, and put it in as it is now."""
    if (before["document_class"] or "") == (after["document_class"] or ""):
        return
    r = columns(MessageRecipient)
    query = select(r.direction, r.account, r.agency_code, r.delivered_date).where(
        r.message_row == before["id"]
    )
    recipients = [dict(row._mapping) for row in await session.execute(query)]
    moved: dict[Key, Counts] = {}
    for message, sign in ((before, -1), (after, 1)):
        told = [increments.sent(message, [one["direction"] for one in recipients])]
        told += [increments.received(message, one) for one in recipients]
        for key, counts in filter(None, told):
            stands = moved.get(key, Counts(0, 0, 0, 0, 0, 0))
            moved[key] = Counts(*(a + sign * b for a, b in zip(stands, counts, strict=True)))
    rows = [{**key._asdict(), **counts._asdict()} for key, counts in moved.items()]
    await upsert(session, RollupDaily, rows, dict.fromkeys(Counts._fields, add))
    c = columns(RollupDaily)
    day_empty = c.local_date.in_({key.local_date for key in moved}) & (c.messages == 0)
    await session.execute(delete(table(RollupDaily)).where(day_empty))
