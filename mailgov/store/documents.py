"""Documents: each once a year for its issuer, and once for each agency that it reached.

What is counted is defined in `store.increments`, the keys in `mail.document_key`. Spans of days
are half-open local dates.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, func, insert, literal, select
from sqlmodel import SQLModel

from mailgov.mail.document_key import UNNUMBERED
from mailgov.store.directory import Session
from mailgov.store.increments import OUTSIDE, RECEIVED, SENT, DocumentKey
from mailgov.store.sql import chunks, columns, table
from mailgov.store.tables import Message, MessageRecipient, RollupDocument

YEAR_DIGITS = 4


@dataclass(frozen=True, slots=True)
class DocumentCounts:
    """One agency's documents over a span."""

    sent: int = 0
    sent_unnumbered: int = 0
    """Of these, without a symbol."""
    received: int = 0
    received_unnumbered: int = 0
    sample: bool = False
    """True when generated sample traffic is among them."""


async def counts(
    session: Session, from_date: date, until_date: date, agency: str | None = None
) -> dict[str, DocumentCounts]:
    """By agency, the documents first sent and first received in the span; without any, no entry."""
    c = columns(RollupDocument)
    unnumbered = func.substr(c.document_key, YEAR_DIGITS + 2, 1) == UNNUMBERED
    query = (
        select(
            c.agency_code,
            c.flow,
            func.count(),
            func.count().filter(unnumbered),
            func.count().filter(c.sample.is_(True)),
        )
        .where(c.first_date >= from_date, c.first_date < until_date)
        .group_by(c.agency_code, c.flow)
    )
    if agency is not None:
        query = query.where(c.agency_code == agency)
    found: dict[str, dict[str, int]] = {}
    samples = set()
    for code, flow, number, without, sample in await session.execute(query):
        found.setdefault(code, {}).update({flow: number, f"{flow}_unnumbered": without})
        if sample:
            samples.add(code)
    return {code: DocumentCounts(**numbers, sample=code in samples) for code, numbers in found.items()}


async def first_sent(session: Session, issuer: str, keys: Collection[str]) -> dict[str, date]:
    """Of these keys, the ones that the issuer has sent, each with its first day."""
    c = columns(RollupDocument)
    found: dict[str, date] = {}
    for some in chunks(keys):
        query = select(c.document_key, c.first_date).where(
            c.document_key.in_(some), c.issuer == issuer, c.flow == SENT
        )
        found |= {row.document_key: row.first_date for row in await session.execute(query)}
    return found


@dataclass(frozen=True, slots=True)
class Carrier:
    """A message that may carry a document: its issuer and day; `key` None when it counts as none."""

    queue_id: str
    issuer: str | None
    key: str | None
    local_date: date


async def carriers(session: Session, queue_ids: Collection[str]) -> dict[str, Carrier]:
    """The messages of these queue ids, by queue id; those that there are."""
    m = columns(Message)
    found: dict[str, Carrier] = {}
    for some in chunks(queue_ids):
        query = select(m.queue_id, m.issuer, m.document_key, m.local_date).where(m.queue_id.in_(some))
        found |= {row.queue_id: Carrier(*row) for row in await session.execute(query)}
    return found


async def remake(session: Session, issuer: str, keys: Collection[str]) -> None:
    """Make what is counted of an issuer's documents anew from the records."""
    for some in chunks(keys):
        c, m = columns(RollupDocument), columns(Message)
        await session.execute(delete(RollupDocument).where(c.issuer == issuer, c.document_key.in_(some)))
        await _insert(session, [m.issuer == issuer, m.document_key.in_(some)])


async def remake_year(session: Session, year: int) -> int:
    """The same for all documents of a year; returns the rows written."""

    def of_year(key: ColumnElement[str]) -> ColumnElement[bool]:
        # Not a range: databases sort signs as their collation likes.
        return func.substr(key, 1, YEAR_DIGITS + 1) == f"{year:04}:"

    await session.execute(delete(RollupDocument).where(of_year(columns(RollupDocument).document_key)))
    return await _insert(session, [of_year(columns(Message).document_key)])


async def _insert(session: Session, chosen: list[ColumnElement[bool]]) -> int:
    names = [*DocumentKey._fields, "first_date", "sample"]
    rows = 0
    for query in (_sent(chosen), _received(chosen)):
        done = await session.execute(
            insert(table(RollupDocument)).from_select(names, query).returning(columns(RollupDocument).flow)
        )
        rows += len(done.all())
    return rows


def _sent(chosen: list[ColumnElement[bool]]) -> Select[Any]:
    m = columns(Message)
    return (
        select(
            m.document_key, m.issuer, literal(SENT), m.issuer, func.min(m.local_date), _any_sample(Message)
        )
        .where(*chosen, m.issuer.not_like(f"{OUTSIDE}%"))
        .group_by(m.document_key, m.issuer)
    )


def _received(chosen: list[ColumnElement[bool]]) -> Select[Any]:
    m, r = columns(Message), columns(MessageRecipient)
    day = func.min(r.delivered_date)
    return (
        select(m.document_key, m.issuer, literal(RECEIVED), r.agency_code, day, _any_sample(Message))
        .select_from(table(MessageRecipient).join(table(Message), m.id == r.message_row))
        .where(*chosen, r.delivered_date.is_not(None), r.account.is_not(None))
        .where(r.agency_code.is_not(None), r.agency_code != m.issuer)
        .group_by(m.document_key, m.issuer, r.agency_code)
    )


def _any_sample(model: type[SQLModel]) -> ColumnElement[bool]:
    return func.count().filter(columns(model).sample.is_(True)) > 0
