"""The daily rollups read and rebuilt. What they count is defined in `store.increments`.

Every figure names the days it was made from as a half-open span of local dates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, delete, func, insert, literal, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from mailgov.store import documents
from mailgov.store.engine import Database
from mailgov.store.increments import OWN, RECEIVED, SENT, Counts, Key, OutboundKey
from mailgov.store.sql import columns, table
from mailgov.store.tables import Message, MessageRecipient, RollupDaily, RollupOutbound

Span = tuple[date, date]
"""From the first day to the first day outside."""


@dataclass(frozen=True, slots=True)
class AgencyFigures:
    """One agency's mail over a span. `agency` is "" for accounts without a post at the time."""

    agency: str
    sent: int
    """Accepted messages of its accounts, automatic ones included."""
    sent_automatic: int
    to_others: int
    """Of `sent`, those with a recipient other than the account itself."""
    recipients: int
    recipients_internal: int
    recipients_outbound: int
    received: int
    """Deliveries into its mailboxes."""
    accounts: int
    """Distinct accounts that sent."""
    size_bytes: int
    """Of the messages sent."""
    sample: bool
    """True when generated sample traffic is among it."""


@dataclass(frozen=True, slots=True)
class ActiveFigures:
    """Personal accounts that wrote to someone else, by an agency or (agency None) over all.

    An account counts for the agency of its post at the time of sending, so one that moved
    between the spans is in the province's `each` and in no agency's.
    """

    agency: str | None
    each: frozenset[str]
    """Accounts with at least one such message, not automatic, in each of the spans."""
    some: frozenset[str]
    """Accounts with one in any of the spans."""
    per_span: tuple[int, ...]
    """How many accounts in each span, in the spans' order."""
    sample: bool

    @property
    def active(self) -> int:
        """How many persons were active in each of the spans."""
        return len(self.each)


async def agency_figures(
    db: Database, from_date: date, until_date: date, agency: str | None = None
) -> list[AgencyFigures]:
    """Figures of every agency that had mail in the span, or of one; ordered by code."""
    c = columns(RollupDaily)
    is_sent = c.flow == SENT

    def of_sent(column: ColumnElement[int], *more: ColumnElement[bool]) -> ColumnElement[int]:
        return func.coalesce(func.sum(column).filter(is_sent, *more), 0)

    figures = {
        "sent": of_sent(c.messages),
        "sent_automatic": of_sent(c.messages, c.automatic.is_(True)),
        "to_others": of_sent(c.to_others),
        "recipients": of_sent(c.recipients),
        "recipients_internal": of_sent(c.recipients_internal),
        "recipients_outbound": of_sent(c.recipients_outbound),
        "received": func.coalesce(func.sum(c.messages).filter(c.flow == RECEIVED), 0),
        "accounts": func.count(c.account.distinct()).filter(is_sent),
        "size_bytes": of_sent(c.size_bytes),
        "sample": func.count().filter(c.sample.is_(True)),
    }
    query = (
        select(c.agency_code, *(figure.label(name) for name, figure in figures.items()))
        .where(c.local_date >= from_date, c.local_date < until_date)
        .group_by(c.agency_code)
        .order_by(c.agency_code)
    )
    if agency is not None:
        query = query.where(c.agency_code == agency)
    async with db.read() as session:
        rows = [row._mapping for row in await session.execute(query)]
    return [_figures({name: int(row[name]) for name in figures}, row["agency_code"]) for row in rows]


def _figures(numbers: dict[str, Any], agency: str) -> AgencyFigures:
    return AgencyFigures(agency=agency, sample=numbers.pop("sample") > 0, **numbers)


async def accounts_that_sent(db: Database, from_date: date, until_date: date) -> int:
    """Distinct accounts that sent in the span, over all agencies: one that moved is one."""
    c = columns(RollupDaily)
    query = select(func.count(c.account.distinct())).where(
        c.local_date >= from_date, c.local_date < until_date, c.flow == SENT
    )
    async with db.read() as session:
        return int((await session.execute(query)).scalar_one())


async def active_by_month(
    db: Database, spans: Sequence[Span], agency: str | None = None
) -> list[ActiveFigures]:
    """Who was active in each of `spans` (the months of a period, by any calendar).

    One row per agency, ordered by code, and first the one for all of them (agency None); with
    `agency` given, that agency alone. Empty `spans` give no rows.
    """
    c = columns(RollupDaily)
    by_agency: dict[str | None, list[set[str]]] = {agency: [set() for _ in spans]} if spans else {}
    samples: set[str | None] = set()
    async with db.read() as session:
        for number, (from_date, until_date) in enumerate(spans):
            query = (
                select(c.agency_code, c.account, func.count().filter(c.sample.is_(True)))
                .where(c.local_date >= from_date, c.local_date < until_date, c.flow == SENT)
                .where(c.personal.is_(True), c.automatic.is_(False), c.to_others > 0)
                .group_by(c.agency_code, c.account)
            )
            if agency is not None:
                query = query.where(c.agency_code == agency)
            for code, account, sample in await session.execute(query):
                for key in {code, agency}:
                    by_agency.setdefault(key, [set() for _ in spans])[number].add(account)
                    if sample:
                        samples.add(key)
    order = sorted(by_agency, key=lambda code: (code is not None, code or ""))
    return [_active(code, by_agency[code], sample=code in samples) for code in order]


def _active(agency: str | None, sets: list[set[str]], *, sample: bool) -> ActiveFigures:
    return ActiveFigures(
        agency=agency,
        each=frozenset(set.intersection(*sets)),
        some=frozenset(set.union(*sets)),
        per_span=tuple(len(found) for found in sets),
        sample=sample,
    )


async def observed_span(db: Database) -> Span | None:
    """The days between the first and the last traffic record, half-open; None when there is none."""
    c = columns(Message)
    async with db.read() as session:
        first, last = (await session.execute(select(func.min(c.local_date), func.max(c.local_date)))).one()
    return (first, last + timedelta(days=1)) if first else None


async def rebuild(db: Database, from_date: date, until_date: date) -> int:
    """Make the rollups of these days anew from the traffic records; returns the rows written.

    One transaction per day, so that the forwarders wait for a day's work at most. The result is
    what folding the events gave, unless records were corrected since: then it is the better one.
    Documents are made anew by the whole years of these days, for each counts on its first day in a year.
    """
    rows = 0
    for number in range((until_date - from_date).days):
        day = from_date + timedelta(days=number)
        async with db.write() as session:
            if db.dialect == "postgresql":
                # Whoever folds at this moment commits before or waits: no count is lost or doubled.
                await session.execute(text("LOCK TABLE rollup_daily, rollup_outbound IN EXCLUSIVE MODE"))
            for model in (RollupDaily, RollupOutbound):
                await session.execute(delete(model).where(columns(model).local_date == day))
            daily = [*Key._fields, *Counts._fields]
            for query in (_sent_of(day), _received_of(day)):
                rows += await _insert(session, table(RollupDaily), daily, query)
            outbound = [*OutboundKey._fields, "recipients"]
            rows += await _insert(session, table(RollupOutbound), outbound, _outbound_of(day))
    return rows + await _rebuild_documents(db, from_date, until_date)


async def _rebuild_documents(db: Database, from_date: date, until_date: date) -> int:
    rows = 0
    for year in range(from_date.year, until_date.year + 1) if from_date < until_date else ():
        async with db.write() as session:
            if db.dialect == "postgresql":
                await session.execute(text("LOCK TABLE rollup_document IN EXCLUSIVE MODE"))
            rows += await documents.remake_year(session, year)
    return rows


async def _insert(session: AsyncSession, target: Table, names: list[str], query: Select[Any]) -> int:
    counted = await session.execute(
        insert(target).from_select(names, query).returning(target.c.local_date),
    )
    return len(counted.all())


def _sent_of(day: date) -> Select[Any]:
    m, r = columns(Message), columns(MessageRecipient)
    per_message = (
        select(
            r.message_row,
            func.count().label("all"),
            func.count().filter(r.direction == "internal").label("internal"),
            func.count().filter(r.direction == "outbound").label("outbound"),
        )
        .join(table(Message), m.id == r.message_row)
        .where(m.local_date == day)
        .group_by(r.message_row)
        .subquery()
    )
    n = per_message.c
    keys, group = _keys(m.local_date, m, SENT, m.personal)
    group.append(m.personal)
    return (
        select(
            *keys,
            func.count(),
            func.count().filter(m.to_others.is_(True)),
            func.sum(func.coalesce(n.all, 0)),
            func.sum(func.coalesce(n.internal, 0)),
            func.sum(func.coalesce(n.outbound, 0)),
            func.sum(func.coalesce(m.size_bytes, 0)),
        )
        .select_from(table(Message).outerjoin(per_message, n.message_row == m.id))
        .where(m.local_date == day, m.verdict == "accepted", m.account.is_not(None))
        .group_by(*group)
    )


def _received_of(day: date) -> Select[Any]:
    m, r = columns(Message), columns(MessageRecipient)
    keys, group = _keys(r.delivered_date, r, RECEIVED, literal(False))
    zero = literal(0)
    return (
        select(*keys, func.count(), zero, zero, zero, zero, func.sum(func.coalesce(m.size_bytes, 0)))
        .select_from(table(MessageRecipient).join(table(Message), m.id == r.message_row))
        .where(r.delivered_date == day, m.verdict == "accepted", r.account.is_not(None))
        .group_by(*group)
    )


def _outbound_of(day: date) -> Select[Any]:
    m, r = columns(Message), columns(MessageRecipient)
    return (
        select(m.local_date, func.coalesce(m.agency_code, ""), r.accepted_provider, m.sample, func.count())
        .select_from(table(MessageRecipient).join(table(Message), m.id == r.message_row))
        .where(m.local_date == day, m.verdict == "accepted", m.source.is_distinct_from(OWN))
        .where(r.accepted_provider.is_not(None))
        .group_by(m.local_date, m.agency_code, r.accepted_provider, m.sample)
    )


def _keys(
    day: Any, owner: Any, flow: str, personal: Any
) -> tuple[list[ColumnElement[Any]], list[ColumnElement[Any]]]:
    """The rollup's key for these rows, and the columns that it groups by."""
    m = columns(Message)
    keys: list[ColumnElement[Any]] = [
        day,
        func.coalesce(owner.agency_code, ""),
        owner.account,
        literal(flow),
        func.coalesce(m.document_class, ""),
        m.automatic,
        personal,
        m.sample,
    ]
    return keys, [day, owner.agency_code, owner.account, m.document_class, m.automatic, m.sample]
