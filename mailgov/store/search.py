"""Which traffic records a list shows: the filter, and its query by keyset, newest first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    String,
    and_,
    cast,
    exists,
    false,
    func,
    not_,
    or_,
    select,
    tuple_,
)

from mailgov.store import terms
from mailgov.store.sql import columns, table
from mailgov.store.tables import DecisionRow, Message, MessageRecipient, MessageTerm

Place = tuple[int, int]
"""Where a list of messages goes on: (at_ms, id) of the last row shown."""


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list of messages is narrowed to; None leaves it open.

    `agency` and `account` match the account that sent a message and the mailboxes that it was
    for; `recipient`, `state` and `direction` match together, on one recipient; `rule` and
    `decision` on one decision; times are half-open.
    """

    agency: str | None = None
    account: str | None = None
    queue_id: str | None = None
    from_ms: int | None = None
    until_ms: int | None = None
    state: str | None = None
    direction: str | None = None
    verdict: str | None = None
    sender: str | None = None
    """Who wrote from outside, by reverse-path or author: an address, or a domain."""
    recipient: str | None = None
    """The address that it went to, or that was written where an address of ours led there."""
    message_id: str | None = None
    rule: str | None = None
    decision: str | None = None
    """`reject`, `accept`, or `would-reject` of a rule in monitor mode."""
    spf: str | None = None
    dkim: str | None = None
    dmarc: str | None = None
    malware: str | None = None
    spam: str | None = None
    risk: str | None = None
    client: str | None = None
    """The IP address it came from."""
    seat: bool = False
    """True where who asks sees of others' messages only what reached `agency`: no filter looks further."""


def query(wanted: Filter, shown: list[ColumnElement[Any]], after: Place | None) -> Select[Any]:
    """The columns `shown` of the messages that answer, newest first, after the place given."""
    m, t = columns(Message), columns(MessageTerm)
    words = _words(wanted)
    found = select(*shown).where(*_conditions(wanted))
    at_ms, row = m.at_ms, m.id
    if words:
        # The first word leads, for it reads its own records alone and in their order.
        found = found.join_from(table(MessageTerm), table(Message), m.id == t.message_row)
        found = found.where(t.term == words[0])
        at_ms, row = t.at_ms, t.message_row
    for word in words[1:]:
        other = table(MessageTerm).alias()
        same = (other.c.term == word, other.c.at_ms == at_ms, other.c.message_row == row)
        found = found.where(exists().select_from(other).where(*same))
    if wanted.from_ms is not None:
        found = found.where(at_ms >= wanted.from_ms)
    if wanted.until_ms is not None:
        found = found.where(at_ms < wanted.until_ms)
    if after is not None:
        found = found.where(tuple_(at_ms, row) < after)
    return found.order_by(at_ms.desc(), row.desc())


def _words(wanted: Filter) -> list[str]:
    """The words that a record has to have, those first that few have."""
    found = [terms.message_id(wanted.message_id)] if wanted.message_id is not None else []
    if wanted.sender is not None:
        found.append(terms.sender(wanted.sender))
    if wanted.rule is not None or wanted.decision is not None:
        found.append(terms.rule(wanted.rule, wanted.decision))
    if wanted.risk is not None:
        found.append(f"risk:{wanted.risk}")
    return found + [terms.result(name, word) for name, word in _results(wanted) if word not in terms.COMMON]


def _results(wanted: Filter) -> list[tuple[str, str]]:
    named = [(name, getattr(wanted, name)) for name in terms.RESULTS]
    return [(name, word) for name, word in named if word is not None]


def _conditions(wanted: Filter) -> list[ColumnElement[bool]]:
    m = columns(Message)
    found = [m[name] == word for name, word in _results(wanted) if word in terms.COMMON]
    for column, value in (
        (m.queue_id, wanted.queue_id),
        (m.verdict, wanted.verdict),
        (m.client, wanted.client),
    ):
        if value is not None:
            found.append(column == value)
    if wanted.seat and wanted.client is not None:
        found.append(or_(m.agency_code == wanted.agency, m.account.is_(None)))
    if wanted.seat and (wanted.rule is not None or wanted.decision is not None):
        found.append(_decided_in_sight(wanted))
    return found + _of_recipients(wanted)


def _of_recipients(wanted: Filter) -> list[ColumnElement[bool]]:
    m, r = columns(Message), columns(MessageRecipient)
    of_message = r.message_row == m.id
    # A filter on what the asker may not see would tell it: by the page's `next` alone.
    in_sight = [or_(m.agency_code == wanted.agency, _into(wanted))] if wanted.seat else []
    found: list[ColumnElement[bool]] = []
    if wanted.agency is not None:
        into = exists().where(of_message, _into(wanted))
        found.append(or_(m.agency_code == wanted.agency, into))
    if wanted.account is not None:
        into = exists().where(of_message, r.account == wanted.account, *in_sight)
        found.append(or_(m.account == wanted.account, into))
    state = func.coalesce(r.state, "")  # as in `_into`
    of_one = [c == value for c, value in ((state, wanted.state), (r.direction, wanted.direction)) if value]
    if wanted.recipient is not None:
        of_one.append(or_(r.address == wanted.recipient, r.original == wanted.recipient))
        found.append(m.id.in_(select(r.message_row).where(*of_one)))
    if of_one and (wanted.recipient is None or wanted.seat):
        found.append(exists().where(of_message, *of_one, *in_sight))
    return found


def _decided_in_sight(wanted: Filter) -> ColumnElement[bool]:
    """Whether the decision is about the whole message, a recipient of the asker's, or its own mail."""
    m, r, d = columns(Message), columns(MessageRecipient), columns(DecisionRow)
    own = select(r.decision_id).where(r.message_row == m.id, _into(wanted))
    seen = or_(d.position.is_(None), d.id.in_(own.correlate(table(Message))))
    return or_(
        m.agency_code == wanted.agency, exists().where(d.queue_id == m.queue_id, seen, _decides(wanted))
    )


def _decides(wanted: Filter) -> ColumnElement[bool]:
    """`terms.of_decision` in SQL, for one row of `decision`.

    Not by bare columns: SQLite would walk through all that the rule ever decided, for each message.
    """
    d = columns(DecisionRow)
    rule, outcome = func.coalesce(d.rule, ""), func.coalesce(d.outcome, "")
    monitored = and_(outcome == "accept", d.mode == "monitor")
    # The list as JSON, so each name stands in quotes.
    listed = cast(d.watched, String).contains(f'"{wanted.rule}"' if wanted.rule else '"', autoescape=True)
    by_rule = rule != "" if wanted.rule is None else rule == wanted.rule
    watched = or_(listed, and_(d.watched.is_(None), monitored, by_rule))
    decided = and_(by_rule, not_(func.coalesce(monitored, false())))
    if wanted.decision is None:
        return or_(decided, watched)
    return watched if wanted.decision == "would-reject" else and_(decided, outcome == wanted.decision)


def _into(wanted: Filter) -> ColumnElement[bool]:
    """Whether a recipient of the message at hand is the agency's.

    Not as a bare column: SQLite would walk through all that the agency ever got, for each message.
    """
    return func.coalesce(columns(MessageRecipient).agency_code, "") == wanted.agency
