"""A fold into the ledger: its messages, what became of recipients, the sums of its days."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

from mailgov.store import hand, terms
from mailgov.store.fold import Fold, Row
from mailgov.store.hand import Statements
from mailgov.store.increments import Counts, DocumentKey, Key, OutboundKey
from mailgov.store.sql import columns
from mailgov.store.tables import (
    Attempt,
    Correspondent,
    DecisionRow,
    Message,
    MessageRecipient,
    MessageTerm,
    RollupDaily,
    RollupDocument,
    RollupOutbound,
)

_STANDING = (
    "id", "queue_id", "at_ms", "verdict", "document_class", "automatic", "size_bytes", "sample",
    "document_key", "issuer",
)  # fmt: skip
_TRUTHS = ("automatic", "sample")
_MOVES = (
    "state", "attempts", "last_reply", "mx_host", "tls", "mx_provider", "account", "agency_code",
    "decision_id", "updated_ms", "delivered_ms", "delivered_date",
)  # fmt: skip
_ADD = "{stands}.%s + {comes}.%s"
_LARGER = "CASE WHEN {stands}.last_ms > {comes}.last_ms THEN {stands}.last_ms ELSE {comes}.last_ms END"
_EARLIER = (
    "CASE WHEN {comes}.first_date < {stands}.first_date THEN {comes}.first_date ELSE {stands}.first_date END"
)


def _names(model: Any, *without: str) -> tuple[str, ...]:
    return tuple(column.name for column in columns(model) if column.name not in without)


_MESSAGE = _names(Message, "id", "local_date", "signatures", "risks")
_RECIPIENT = _names(MessageRecipient, "id", "message_row", "delivered_date")
_DECISION = _names(DecisionRow, "facts", "watched")
_message, _recipient, _decision = itemgetter(*_MESSAGE), itemgetter(*_RECIPIENT), itemgetter(*_DECISION)
_moved = itemgetter(*_MOVES[:-1])

_INSERT_MESSAGE = hand.insert(Message, ("id", "local_date", "signatures", "risks", *_MESSAGE))
_INSERT_RECIPIENT = hand.insert(MessageRecipient, ("message_row", "delivered_date", *_RECIPIENT))
_UPDATE_RECIPIENT = f"UPDATE message_recipient SET {', '.join(f'{name} = ?' for name in _MOVES)} WHERE id = ?"  # noqa: S608 - constants
_ATTEMPT = _names(Attempt, "queue_id", "position", "at_ms", "state")
_attempt = itemgetter(*_ATTEMPT)
_UPSERT_ATTEMPT = hand.upsert(Attempt, ("queue_id", "position", "at_ms", "state", *_ATTEMPT), {})
_UPSERT_DECISION = hand.upsert(DecisionRow, (*_DECISION, "facts", "watched"), {})
_TERM = ("term", "at_ms", "message_row")
_UPSERT_TERM = hand.upsert(MessageTerm, _TERM, {})
_UPSERT_DAILY = hand.upsert(
    RollupDaily, (*Key._fields, *Counts._fields), {name: _ADD % (name, name) for name in Counts._fields}
)
_UPSERT_OUTBOUND = hand.upsert(
    RollupOutbound, (*OutboundKey._fields, "recipients"), {"recipients": _ADD % ("recipients", "recipients")}
)
_UPSERT_DOCUMENT = hand.upsert(
    RollupDocument,
    (*DocumentKey._fields, "first_date", "sample"),
    {"first_date": _EARLIER, "sample": "{stands}.sample OR {comes}.sample"},
)
_UPSERT_CORRESPONDENT = hand.upsert(
    Correspondent,
    ("address", "last_ms", "updated_ms"),
    {"last_ms": _LARGER, "updated_ms": "{comes}.updated_ms"},
)


def standing(
    statements: Statements, queue_ids: set[str]
) -> tuple[dict[str, Row], dict[tuple[str, int], Row]]:
    """The rows of these messages and their recipients that the ledger has already."""
    query = f"SELECT {', '.join(_STANDING)} FROM message WHERE queue_id IN"  # noqa: S608 - constants
    messages: dict[str, Row] = {}
    for values in hand.find(statements, query, queue_ids):
        row = dict(zip(_STANDING, values, strict=True))
        messages[row["queue_id"]] = row | {name: bool(row[name]) for name in _TRUTHS}
    names = {row["id"]: queue_id for queue_id, row in messages.items()}
    wanted = ("id", "message_row", "position", *_MOVES)
    query = f"SELECT {', '.join(wanted)} FROM message_recipient WHERE message_row IN"  # noqa: S608 - constants
    recipients: dict[tuple[str, int], Row] = {}
    for values in hand.find(statements, query, names):
        row = dict(zip(wanted, values, strict=True))
        recipients[names[row["message_row"]], row["position"]] = row
    return messages, recipients


def write(statements: Statements, fold: Fold, now_ms: int) -> None:
    """All that the fold has changed, but for reports and alarms."""
    new = _insert_messages(statements, fold)
    changed = [fold.recipients[key] for key in sorted(fold.changed)]
    statements.many(
        _UPDATE_RECIPIENT, [(*_moved(row), _day(row["delivered_date"]), row["id"]) for row in changed]
    )
    attempts = [(*key, *_attempt(row)) for key, row in sorted(fold.attempts.items())]
    statements.many(_UPSERT_ATTEMPT, attempts)
    decisions = sorted(fold.decisions.values(), key=itemgetter("id"))
    statements.many(
        _UPSERT_DECISION,
        [(*_decision(row), hand.as_json(row["facts"]), hand.as_json(row["watched"])) for row in decisions],
    )
    statements.many(_UPSERT_TERM, sorted(map(itemgetter(*_TERM), terms.rows(fold, new))))
    daily = [(_day(key[0]), *key[1:], *counts) for key, counts in sorted(fold.rollup.items())]
    statements.many(_UPSERT_DAILY, daily)
    outbound = [(_day(key[0]), *key[1:], count) for key, count in sorted(fold.outbound.items())]
    statements.many(_UPSERT_OUTBOUND, outbound)
    documents = [(*key, _day(day), sample) for key, (day, sample) in sorted(fold.documents.items())]
    statements.many(_UPSERT_DOCUMENT, documents)
    seen = [(address, last_ms, now_ms) for address, last_ms in sorted(fold.correspondents.items())]
    statements.many(_UPSERT_CORRESPONDENT, seen)


def _insert_messages(statements: Statements, fold: Fold) -> set[str]:
    """Insert what is new, and put its ids into the fold's rows; returns their queue ids."""
    new = {queue_id: row for queue_id, row in fold.messages.items() if "id" not in row}
    if not new:
        return set()
    ids = dict(zip(new, hand.new_ids(statements, Message, len(new)), strict=True))
    statements.many(
        _INSERT_MESSAGE,
        [
            (ids[queue_id], _day(row["local_date"]), _list(row["signatures"]), _list(row["risks"]),
             *_message(row))
            for queue_id, row in new.items()
        ],
    )  # fmt: skip
    statements.many(
        _INSERT_RECIPIENT,
        [
            (ids[queue_id], _day(row["delivered_date"]), *_recipient(row))
            for (queue_id, _), row in fold.recipients.items()
            if "id" not in row
        ],
    )
    for queue_id, row_id in ids.items():
        fold.messages[queue_id]["id"] = row_id
    return set(new)


def _day(value: Any) -> str | None:
    return None if value is None else value.isoformat()


def _list(value: list[Any]) -> str | None:
    return hand.as_json(value) if value else "[]"
