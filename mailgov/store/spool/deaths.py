"""What was in flight when a worker died without a word: tried again, and set aside when it may be the cause.

A message that crashes a parser takes the process with it, and all that was under way besides. Once is
chance. Who was there twice is tried apart from the others, so that they are soon cleared; who was there
`limit` times running is held for a person to look at.
"""

from __future__ import annotations

import json
import sqlite3
from typing import NamedTuple

from mailgov.mail.events import OutcomeEvent, encode
from mailgov.mail.reply import set_aside

TABLE = "CREATE TABLE IF NOT EXISTS death (recipient_id INTEGER PRIMARY KEY, count INTEGER NOT NULL)"
"""Older versions do not know it, and need not."""
_LEASED = "SELECT id FROM recipient WHERE state='ready' AND leased=1 ORDER BY due_ms"  # read off the index
SUSPECT = 2
APART_MS = 500
APART_LIMIT_MS = 60_000
"""Suspects are tried so far apart, the last of many so long after the start."""


class Lifted(NamedTuple):
    """How many recipients were in flight, and the queue ids of those that are held from now on."""

    in_flight: int
    set_aside: list[str]


def lift(connection: sqlite3.Connection, now_ms: int, limit: int) -> Lifted:
    """End the leases that an earlier life left, which it does only by dying. Raises sqlite3.Error."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        lifted = _lift(connection, now_ms, limit)
    except BaseException:
        if connection.in_transaction:  # a full disk has ended it already
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
    return lifted


def _lift(connection: sqlite3.Connection, now_ms: int, limit: int) -> Lifted:
    connection.execute(TABLE)
    before = dict(connection.execute("SELECT recipient_id, count FROM death").fetchall())
    leased = [row[0] for row in connection.execute(_LEASED)]
    deaths = {row: before.get(row, 0) + 1 for row in leased}
    guilty = [row for row, count in deaths.items() if count >= limit]
    suspects = [row for row, count in deaths.items() if SUSPECT <= count < limit]
    due_ms = dict.fromkeys(leased, now_ms)
    due_ms |= {row: now_ms + n * APART_MS % APART_LIMIT_MS for n, row in enumerate(suspects)}
    connection.executemany(
        "UPDATE recipient SET leased=0, due_ms=? WHERE id=?", [(due, row) for row, due in due_ms.items()]
    )
    connection.execute("DELETE FROM death")
    connection.executemany(
        "INSERT INTO death VALUES (?,?)", [(row, deaths[row]) for row in leased if row not in guilty]
    )
    return Lifted(len(leased), [_set_aside(connection, row, now_ms, deaths[row]) for row in guilty])


def _set_aside(connection: sqlite3.Connection, row: int, now_ms: int, deaths: int) -> str:
    """Hold a recipient and tell the ledger; the queue id."""
    reply = set_aside(deaths).line()
    connection.execute("UPDATE recipient SET state='held', last_reply=? WHERE id=?", (reply, row))
    queue_id, position, attempts, context = connection.execute(
        "SELECT m.queue_id, r.position, r.attempts, r.context FROM recipient r"
        " JOIN message m ON m.id=r.message_id WHERE r.id=?",
        (row,),
    ).fetchone()
    known = json.loads(context)
    event = OutcomeEvent(
        queue_id=queue_id,
        position=position,
        at_ms=now_ms,
        state="held",
        reply=reply,
        attempts=attempts,
        account=known.get("account"),
        agency=known.get("agency"),
    )
    connection.execute("INSERT INTO event (payload) VALUES (?)", (encode(event),))
    return str(queue_id)


def give_back(connection: sqlite3.Connection) -> None:
    """The end of a life that was not a death: nothing stays leased, and nobody is suspected."""
    connection.execute(
        "UPDATE recipient SET leased=0,"
        " due_ms=(SELECT received_ms FROM message m WHERE m.id=recipient.message_id)"
        " WHERE state='ready' AND leased=1"
    )
    connection.execute("DELETE FROM death")
