"""Traffic records and decisions as they are looked up: lists by keyset, one message, the queue."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from mailgov.mail.events import ATTACHMENTS
from mailgov.store import search, terms
from mailgov.store.engine import Database
from mailgov.store.search import Filter, Place
from mailgov.store.sql import chunks, columns
from mailgov.store.tables import DecisionRow, Message, MessageRecipient

WAITING = ("queued", "deferred", "held")
"""States of a recipient that is still in a spool."""
RECIPIENTS_IN_LIST = 100
"""Recipients shown of one message in a list; `recipients_total` tells how many there are."""
PAGE_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class DecisionView:
    """A decision by a rule; `position` None means that it is about the whole message."""

    id: str
    at_ms: int
    queue_id: str
    position: int | None
    stage: str
    outcome: str
    rule: str | None
    document: str | None
    article: str | None
    mode: str | None
    policy_hash: str
    facts: dict[str, Any] | None
    watched: list[str] | None
    """As the record has it: None in one from before it was told."""

    @property
    def would_reject(self) -> list[str]:
        """Rules in monitor mode that would have rejected."""
        return terms.watched(asdict(self))

    @property
    def attachments(self) -> list[str]:
        """Which attachments were why: `2/5: executable, disguised`."""
        found = (self.facts or {}).get(ATTACHMENTS)
        return [str(one) for one in found] if isinstance(found, list) else []


@dataclass(frozen=True, slots=True)
class RecipientView:
    """One recipient and what became of it; `address` None in a record of a stop for secrecy."""

    position: int
    address: str | None
    original: str | None
    via: str | None
    direction: str | None
    account: str | None
    agency_code: str | None
    mx_provider: str | None
    mx_host: str | None
    tls: str | None
    state: str
    attempts: int
    last_reply: str | None
    decision_id: str | None
    updated_ms: int
    delivered_ms: int | None


@dataclass(frozen=True, slots=True)
class MessageView:
    """A traffic record. `account` and `agency_code` are of the account that sent it."""

    id: int
    queue_id: str
    spool_id: str
    at_ms: int
    local_date: date
    verdict: str
    source: str | None
    account: str | None
    agency_code: str | None
    personal: bool
    reverse_path: str | None
    author: str | None
    subject: str | None
    message_id: str | None
    document_class: str | None
    symbol: str | None
    urgency: str | None
    secrecy: str | None
    reply: bool
    forward: bool
    meeting: bool
    automatic: bool
    to_others: bool
    size_bytes: int | None
    tls: str | None
    client: str | None
    helo: str | None
    signatures: list[str]
    attachments: int
    spf: str | None
    dkim: str | None
    dmarc: str | None
    arc: str | None
    malware: str | None
    spam: str | None
    spam_score: float | None
    risks: list[str]
    policy_hash: str
    sample: bool
    recipients: tuple[RecipientView, ...] = ()
    recipients_total: int = 0
    decisions: tuple[DecisionView, ...] = ()

    @property
    def place(self) -> Place:
        """What `list_messages` takes to go on after this record."""
        return self.at_ms, self.id


async def list_messages(
    db: Database, wanted: Filter | None = None, *, limit: int = 50, after: Place | None = None
) -> list[MessageView]:
    """Traffic records, newest first, after the place given; at most `PAGE_LIMIT`."""
    query = search.query(wanted or Filter(), _shown(), after).limit(max(1, min(limit, PAGE_LIMIT)))
    async with db.read() as session:
        rows = (await session.execute(query)).all()
        return await _with_parts(session, rows, RECIPIENTS_IN_LIST)


async def get(db: Database, queue_id: str) -> MessageView | None:
    """The traffic record of a queue id with all its recipients and decisions, or None."""
    m = columns(Message)
    async with db.read() as session:
        rows = (await session.execute(select(*_shown()).where(m.queue_id == queue_id))).all()
        return next(iter(await _with_parts(session, rows, None)), None)


async def decision(db: Database, decision_id: str) -> DecisionView | None:
    """The decision of this id, or None."""
    d = columns(DecisionRow)
    async with db.read() as session:
        row = (await session.execute(select(*d).where(d.id == decision_id))).first()
        return DecisionView(**row._mapping) if row else None


def _shown() -> list[ColumnElement[Any]]:
    """The columns of a message that a view has."""
    return [column for column in columns(Message) if column.name in MessageView.__slots__]


async def _with_parts(
    session: AsyncSession, rows: Sequence[Row[Any]], recipients: int | None
) -> list[MessageView]:
    """The messages with their decisions and the first `recipients` (None: all) of each."""
    ids = [row.id for row in rows]
    found: dict[int, list[RecipientView]] = defaultdict(list)
    totals: dict[int, int] = {}
    decisions: dict[str, list[DecisionView]] = defaultdict(list)
    d = columns(DecisionRow)
    for some in chunks(ids):
        for row in await session.execute(_recipients_of(some, recipients)):
            values = dict(row._mapping)
            found[values.pop("message_row")].append(RecipientView(**values))
        r = columns(MessageRecipient)
        count = select(r.message_row, func.count()).where(r.message_row.in_(some)).group_by(r.message_row)
        totals |= {row[0]: row[1] for row in await session.execute(count)}
    for names in chunks(row.queue_id for row in rows):
        query = select(*d).where(d.queue_id.in_(names)).order_by(d.at_ms, d.position.nulls_first(), d.id)
        for row in await session.execute(query):
            decisions[row.queue_id].append(DecisionView(**row._mapping))
    return [
        replace(
            MessageView(**row._mapping),
            recipients=tuple(found[row.id]),
            recipients_total=totals.get(row.id, 0),
            decisions=tuple(decisions[row.queue_id]),
        )
        for row in rows
    ]


def _recipients_of(ids: list[int], limit: int | None) -> Select[Any]:
    r = columns(MessageRecipient)
    hidden = {"id", "delivered_date", "accepted_provider"}
    query = select(*(c for c in r if c.name not in hidden)).where(r.message_row.in_(ids))
    if limit is not None:
        query = query.where(r.position < limit)
    return query.order_by(r.message_row, r.position)
