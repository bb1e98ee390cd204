"""The spool's SQL: each function runs inside the writer's transaction."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

from pydantic_core import to_json

from mailgov.mail.events import Event, encode
from mailgov.store.spool import many
from mailgov.store.spool.model import Body, Change, Progress, QueuedMessage, QueuedRecipient, Variant
from mailgov.store.spool.tail import Entry

_MESSAGE = (
    "m.id, m.queue_id, m.received_ms, m.reverse_path, m.smtputf8, m.eight_bit, m.size_bytes,"
    " m.file, m.context, m.prefix, m.splices"
)
_RECIPIENT = (
    "r.id, r.message_id, r.position, r.address, r.destination, r.variant, r.state, r.due_ms, r.attempts,"
    " r.last_reply, r.context"
)


_OF_QUEUE_ID = (
    "CROSS JOIN message m ON m.queue_id=v.column1"
    " CROSS JOIN recipient r ON r.message_id=m.id AND r.position=v.column2"
)
"""The recipients of such rows: queue id and position."""


def _json(value: Any) -> str:
    """Compact, in UTF-8. Raises ValueError for what JSON cannot hold."""
    return to_json(value).decode()


class Written(NamedTuple):
    """What changes have left: body files that no row needs any more, and entries of the outbox."""

    freed: list[str]
    entries: list[Entry]


def apply(connection: sqlite3.Connection, changes: Sequence[Change]) -> Written:
    """Write some changes, in order; what they have left together.

    What leaves goes before what comes, which takes its pages: else each would be overwritten with nothing.
    """
    messages = [message for change in changes for message in change.messages]
    progress = [one for change in changes for one in change.progress]
    fresh = {message.queue_id for message in messages}
    freed = move(connection, [one for one in progress if one.queue_id not in fresh])
    if messages:
        insert_messages(connection, messages)
        freed += move(connection, [one for one in progress if one.queue_id in fresh])
    return Written(freed, _tell(connection, [event for change in changes for event in change.events]))


def act(
    connection: sqlite3.Connection, change: Change, states: Collection[str]
) -> tuple[Written, frozenset[int]]:
    """Write what of a change concerns recipients of one message that wait in one of `states`, unleased.

    `events` go with `progress`, one by one. Returns the positions that it was written for.
    """
    query = (
        "SELECT r.state FROM recipient r JOIN message m ON m.id=r.message_id"
        " WHERE m.queue_id=? AND r.position=? AND r.leased=0"
    )
    waiting = []
    for one, event in zip(change.progress, change.events, strict=True):
        row = connection.execute(query, (one.queue_id, one.position)).fetchone()
        if row is not None and row[0] in states:
            waiting.append((one, event))
    kept = Change(progress=[one for one, _ in waiting], events=[event for _, event in waiting])
    return apply(connection, [kept]), frozenset(one.position for one, _ in waiting)


def _tell(connection: sqlite3.Connection, events: Sequence[Event]) -> list[Entry]:
    payloads = [encode(event) for event in events]
    last = many.insert(connection, "INSERT INTO event (payload)", [(payload,) for payload in payloads])
    first = last - len(events) + 1
    return [(first + n, e, len(p)) for n, (e, p) in enumerate(zip(events, payloads, strict=True))]


def last_event(connection: sqlite3.Connection) -> int:
    """The highest sequence in the outbox; 0 when it is empty."""
    return int(connection.execute("SELECT coalesce(max(sequence), 0) FROM event").fetchone()[0])


def last_used(connection: sqlite3.Connection) -> int:
    """The highest sequence that an event ever had, gone from the outbox or not."""
    query = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name='event'"
    return int(connection.execute(query).fetchone()[0])


def insert_messages(connection: sqlite3.Connection, messages: Sequence[QueuedMessage]) -> None:
    last = many.insert(
        connection,
        "INSERT INTO message (queue_id, received_ms, reverse_path, smtputf8, eight_bit, size_bytes, file,"
        " context, prefix, splices, data)",
        [
            (m.queue_id, m.received_ms, m.reverse_path, m.smtputf8, m.eight_bit, m.body.size_bytes,
             m.body.file, _json(m.context), m.variants[0].prefix, _splices(m.variants[0]), m.body.data)
            for m in messages
        ],
    )  # fmt: skip
    numbered = list(enumerate(messages, last - len(messages) + 1))
    variants = [
        (row, number, variant.prefix, _splices(variant))
        for row, m in numbered
        for number, variant in enumerate(m.variants[1:], 1)
    ]
    many.insert(connection, "INSERT INTO variant", variants)
    # A recipient handed to the scheduler from memory is born leased, and so not claimed again.
    recipients = [
        (row, r.position, r.address, r.destination, r.variant, r.state,
         r.state == "ready" and r.due_ms > m.received_ms,
         r.due_ms, r.attempts, r.last_reply, _json(r.context))
        for row, m in numbered
        for r in m.recipients
    ]  # fmt: skip
    many.insert(
        connection,
        "INSERT INTO recipient (message_id, position, address, destination, variant, state, leased, due_ms,"
        " attempts, last_reply, context)",
        recipients,
    )


def _splices(variant: Variant) -> str:
    return _json([(a, b, c.decode("latin-1")) for a, b, c in variant.splices]) if variant.splices else "[]"


def move(connection: sqlite3.Connection, progress: Sequence[Progress]) -> list[str]:
    """Write outcomes; finished recipients go, and with the last one their message (`schema.CLEANING`)."""
    waiting = [p for p in progress if p.state is not None]
    if waiting:
        _put_off(connection, waiting)
    finals = [(p.queue_id, p.position) for p in progress if p.state is None]
    if not finals:
        return []
    many.delete(connection, "DELETE FROM recipient WHERE id IN", _OF_QUEUE_ID, finals)
    freed = [row[0] for row in connection.execute("SELECT file FROM freed").fetchall()]
    if freed:
        connection.execute("DELETE FROM freed")
    return freed


def _put_off(connection: sqlite3.Connection, waiting: Sequence[Progress]) -> None:
    connection.executemany(
        "UPDATE recipient SET state=?, attempts=?, due_ms=?, last_reply=?, leased=0"
        " WHERE message_id=(SELECT id FROM message WHERE queue_id=?) AND position=?",
        [(p.state, p.attempts, p.due_ms, p.last_reply, p.queue_id, p.position) for p in waiting],
    )
    connection.executemany(
        "UPDATE recipient SET context=?"
        " WHERE message_id=(SELECT id FROM message WHERE queue_id=?) AND position=?",
        [(_json(p.context), p.queue_id, p.position) for p in waiting if p.context is not None],
    )


def lease(connection: sqlite3.Connection, ids: Sequence[int], now_ms: int, lease_until_ms: int) -> list[int]:
    """Lease those of the recipients that are due still until `lease_until_ms`; returns them."""
    query = "UPDATE recipient SET leased=1, due_ms=? WHERE id=? AND state='ready' AND due_ms<=?"
    return [one for one in ids if connection.execute(query, (lease_until_ms, one, now_ms)).rowcount]


def claimed(connection: sqlite3.Connection, ids: Sequence[int]) -> list[QueuedMessage]:
    """Leased recipients by message, the messages in this order; bodies come without their bytes."""
    query = f"SELECT {_RECIPIENT} FROM recipient r WHERE r.id=? AND r.leased=1"  # noqa: S608 - constants
    rows = (connection.execute(query, (one,)).fetchone() for one in ids)
    return _messages(connection, [row for row in rows if row is not None])


class Due:
    """The condition for what is due at `now_ms` and may be claimed.

    `skip` names destinations that are left; without `local` or `remote` mailboxes of ours (their
    destination is an address) or everything else is left. Nothing due before `from_ms` is looked at.
    """

    def __init__(
        self, now_ms: int, skip: Collection[str], *, local: bool, remote: bool, from_ms: int = 0
    ) -> None:
        self.values: tuple[object, ...] = (now_ms, from_ms, *skip)
        self.where = "r.state='ready' AND r.due_ms<=? AND r.due_ms>=?"
        if skip:
            self.where += f" AND r.destination NOT IN ({','.join('?' * len(skip))})"
        if not local or not remote:
            self.where += f" AND instr(r.destination,'@'){'>' if local else '='}0"

    def ids(self, connection: sqlite3.Connection, limit: int) -> list[tuple[int, int]]:
        """So many recipients, oldest due first: id and when it was due. Reads the index alone."""
        query = f"SELECT r.id, r.due_ms FROM recipient r WHERE {self.where} ORDER BY r.due_ms LIMIT ?"  # noqa: S608 - constants
        return connection.execute(query, (*self.values, limit)).fetchall()


def ahead(connection: sqlite3.Connection, latest_ms: int) -> bool:
    """True when something waits for a time later than anything may."""
    query = "SELECT 1 FROM recipient WHERE state='ready' AND due_ms>? LIMIT 1"
    return connection.execute(query, (latest_ms,)).fetchone() is not None


def heed_clock(connection: sqlite3.Connection, now_ms: int, latest_ms: int, lease_until_ms: int) -> int:
    """What was put off until after `latest_ms` is due now; nothing was received in the future."""
    moved = connection.execute(
        "UPDATE recipient SET due_ms=CASE leased WHEN 1 THEN ? ELSE ? END WHERE state='ready' AND due_ms>?",
        (lease_until_ms, now_ms, latest_ms),
    ).rowcount
    connection.execute("UPDATE message SET received_ms=? WHERE received_ms>?", (now_ms, now_ms))
    return moved


def asleep(
    connection: sqlite3.Connection, after_ms: int, domains: Sequence[str] | None, limit: int
) -> list[tuple[int, int]]:
    """So many that wait until later for these domains, or for any outside: id and when, in order."""
    where = "instr(destination,'@')=0"
    if domains is not None:
        where = f"substr(destination,instr(destination,'@')+1) IN ({','.join('?' * len(domains))})"
    return connection.execute(
        f"SELECT id, due_ms FROM recipient WHERE state='ready' AND due_ms>? AND leased=0 AND {where}"  # noqa: S608 - constants
        " ORDER BY due_ms LIMIT ?",
        (after_ms, *(domains or ()), limit),
    ).fetchall()


def wake(connection: sqlite3.Connection, ids: Sequence[int], now_ms: int) -> int:
    """Those of them that wait still are due now; returns how many."""
    query = "UPDATE recipient SET due_ms=? WHERE id=? AND state='ready' AND leased=0"
    return sum(connection.execute(query, (now_ms, one)).rowcount for one in ids)


def find(connection: sqlite3.Connection, queue_id: str) -> QueuedMessage | None:
    """One message with its waiting recipients; None when it is not (or no longer) here."""
    rows = connection.execute(
        f"SELECT {_RECIPIENT} FROM recipient r JOIN message m ON m.id=r.message_id WHERE m.queue_id=?"  # noqa: S608 - constants
        " ORDER BY r.position",
        (queue_id,),
    ).fetchall()
    found = _messages(connection, rows)
    return found[0] if found else None


def body(connection: sqlite3.Connection, queue_id: str) -> bytes | None:
    """The bytes of a message's body; None where it has none here."""
    row = connection.execute(
        "SELECT coalesce(m.data, (SELECT data FROM body WHERE message_id=m.id)) FROM message m"
        " WHERE m.queue_id=?",
        (queue_id,),
    ).fetchone()
    return None if row is None else row[0]


def _messages(connection: sqlite3.Connection, rows: Iterable[Any]) -> list[QueuedMessage]:
    by_message: dict[int, list[QueuedRecipient]] = {}
    for r in rows:
        by_message.setdefault(r[1], []).append(
            QueuedRecipient(
                position=r[2], address=r[3], destination=r[4], variant=r[5], state=r[6], due_ms=r[7],
                attempts=r[8], last_reply=r[9], context=json.loads(r[10]),
            )
        )  # fmt: skip
    return [
        _message(connection, message_id, sorted(recipients, key=attrgetter("position")))
        for message_id, recipients in by_message.items()
    ]


def _message(
    connection: sqlite3.Connection, message_id: int, recipients: list[QueuedRecipient]
) -> QueuedMessage:
    m = connection.execute(f"SELECT {_MESSAGE} FROM message m WHERE m.id=?", (message_id,)).fetchone()  # noqa: S608 - constants
    first = [] if m[9] is None else [(m[9], m[10])]  # of a queue from before it is in the other table
    others = connection.execute(
        "SELECT prefix, splices FROM variant WHERE message_id=? ORDER BY number", (message_id,)
    )
    variants = tuple(
        Variant(prefix, tuple((a, b, c.encode("latin-1")) for a, b, c in json.loads(splices)))
        for prefix, splices in (*first, *others)
    )
    return QueuedMessage(
        queue_id=m[1], received_ms=m[2], reverse_path=m[3], smtputf8=bool(m[4]), eight_bit=bool(m[5]),
        body=Body(m[6], file=m[7]), context=json.loads(m[8]), variants=variants,
        recipients=tuple(recipients),
    )  # fmt: skip
