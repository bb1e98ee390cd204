"""What waits, as the ledger knows it: looked for, counted, and the history of its attempts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, select, union_all

from mailgov.store.engine import Database
from mailgov.store.sql import columns, table
from mailgov.store.tables import Attempt, Message, MessageRecipient
from mailgov.store.traffic import PAGE_LIMIT, WAITING

ATTEMPTS_SHOWN = 1000
"""Of one message, the latest: a list of thousands may have been tried for days."""


@dataclass(frozen=True, slots=True)
class QueueEntry:
    """A recipient that waits, with the message it belongs to, as the ledger knows it."""

    id: int
    """Where a list of the queue goes on."""
    queue_id: str
    spool_id: str
    at_ms: int
    account: str | None
    agency_code: str | None
    reverse_path: str | None
    subject: str | None
    size_bytes: int | None
    position: int
    address: str | None
    direction: str | None
    state: str
    attempts: int
    last_reply: str | None
    updated_ms: int


@dataclass(frozen=True, slots=True)
class AttemptView:
    """What an attempt, or an act of somebody, came to for one recipient."""

    position: int
    at_ms: int
    state: str
    attempts: int
    reply: str | None
    """The next hop's words, or ours."""
    mx_host: str | None
    due_ms: int | None


@dataclass(frozen=True, slots=True)
class QueueFilter:
    """What a list of the queue is narrowed to; None leaves it open, and all hold together."""

    states: tuple[str, ...] = WAITING
    agency: str | None = None
    """Of the sending account."""
    queue_id: str | None = None
    reverse_path: str | None = None
    """An address in look-up form, of the account too; "" for the null reverse-path."""
    recipient: str | None = None
    """An address in look-up form, as it was written to us too."""
    domain: str | None = None
    """The recipient's, in lower case."""
    reply: str | None = None
    """What the last reply contains, whatever the case of its ASCII letters."""
    from_ms: int | None = None
    """When the message was taken in; half-open."""
    until_ms: int | None = None


async def waiting(
    db: Database, wanted: QueueFilter | None = None, *, limit: int = 50, after: int = 0
) -> list[QueueEntry]:
    """Recipients that wait, oldest first, after the id given. The spools may be a moment ahead of this.

    Each state by itself: its index has them in this order, and a page of a million costs no sort of all.
    """
    wanted, limit = wanted or QueueFilter(), max(1, min(limit, PAGE_LIMIT))
    states = [state for state in wanted.states if state in WAITING]
    if wanted.queue_id is not None or not states:
        query = _page(wanted, limit, after)  # by the message's own key
    else:
        pages = [_page(replace(wanted, states=(state,)), limit, after).subquery() for state in states]
        found = union_all(*map(select, pages)).subquery()
        query = select(found).order_by(found.c.id).limit(limit)
    async with db.read() as session:
        return [QueueEntry(**row._mapping) for row in await session.execute(query)]


def _page(wanted: QueueFilter, limit: int, after: int) -> Select[Any]:
    m, r = columns(Message), columns(MessageRecipient)
    return (
        select(
            r.id, m.queue_id, m.spool_id, m.at_ms, m.account, m.agency_code, m.reverse_path, m.subject,
            m.size_bytes, r.position, r.address, r.direction, r.state, r.attempts, r.last_reply, r.updated_ms,
        )
        .join_from(table(MessageRecipient), table(Message), m.id == r.message_row)
        .where(r.id > after, *_conditions(wanted))
        .order_by(r.id)
        .limit(limit)
    )  # fmt: skip


async def count(db: Database, wanted: QueueFilter) -> tuple[int, int]:
    """How many recipients wait, and of how many messages."""
    m, r = columns(Message), columns(MessageRecipient)
    query = (
        select(func.count(), func.count(m.id.distinct()))
        .join_from(table(MessageRecipient), table(Message), m.id == r.message_row)
        .where(*_conditions(wanted))
    )
    async with db.read() as session:
        recipients, messages = (await session.execute(query)).one()
        return int(recipients), int(messages)


async def attempts(db: Database, queue_id: str) -> list[AttemptView]:
    """What was tried for a message and what became of it, oldest first; the latest `ATTEMPTS_SHOWN`.

    A delivery at the first attempt is told by the recipient itself and not here.
    """
    c = columns(Attempt)
    query = (
        select(c.position, c.at_ms, c.state, c.attempts, c.reply, c.mx_host, c.due_ms)
        .where(c.queue_id == queue_id)
        .order_by(c.at_ms.desc(), c.position.desc(), c.attempts.desc())
        .limit(ATTEMPTS_SHOWN)
    )
    async with db.read() as session:
        found = [AttemptView(**row._mapping) for row in await session.execute(query)]
    return found[::-1]


def _conditions(wanted: QueueFilter) -> list[ColumnElement[bool]]:
    m, r = columns(Message), columns(MessageRecipient)
    states = [state for state in wanted.states if state in WAITING]
    found: list[ColumnElement[bool]] = [r.state == states[0] if len(states) == 1 else r.state.in_(states)]
    exact: list[tuple[Any, object]] = [(m.agency_code, wanted.agency), (m.queue_id, wanted.queue_id)]
    found += [column == value for column, value in exact if value is not None]
    if wanted.reverse_path is not None:
        named = func.lower(m.reverse_path) == wanted.reverse_path
        found.append(or_(named, m.account == wanted.reverse_path) if wanted.reverse_path else named)
    if wanted.recipient is not None:
        found.append(or_(r.address == wanted.recipient, func.lower(r.original) == wanted.recipient))
    if wanted.domain is not None:
        found.append(r.address.endswith(f"@{wanted.domain}", autoescape=True))
    if wanted.reply is not None:
        # SQLite's lower() knows ASCII alone, PostgreSQL's every letter: either way of it is looked for.
        said, ways = func.lower(r.last_reply), {wanted.reply.lower(), _ascii_lower(wanted.reply)}
        found.append(or_(*(said.contains(way, autoescape=True) for way in sorted(ways))))
    if wanted.from_ms is not None:
        found.append(m.at_ms >= wanted.from_ms)
    if wanted.until_ms is not None:
        found.append(m.at_ms < wanted.until_ms)
    return found


def _ascii_lower(text: str) -> str:
    return "".join(letter.lower() if letter.isascii() else letter for letter in text)
