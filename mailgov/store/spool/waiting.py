"""What waits for one destination after an attempt, due or not: by an index of its own, message by message."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import NamedTuple

_WAITS = "FROM recipient INDEXED BY recipient_waiting WHERE state='ready' AND attempts>0"
"""As that index has it (`schema.READY`); without it, where a full disk had no room for it, this fails."""
_NEXT = f"SELECT min(destination) {_WAITS} AND destination"
NAMES = (
    f"WITH RECURSIVE name(x) AS ({_NEXT}>? UNION ALL SELECT ({_NEXT}>name.x) FROM name"  # noqa: S608 - constants
    " WHERE name.x IS NOT NULL) SELECT x FROM name WHERE x IS NOT NULL LIMIT ?"
)
MESSAGES = (
    f"SELECT DISTINCT message_id {_WAITS} AND destination=? AND message_id>? ORDER BY message_id LIMIT ?"
)
RECIPIENTS = f"SELECT id {_WAITS} AND destination=? AND message_id=? AND leased=0"


class Turn(NamedTuple):
    """What one destination is to have next: messages that came after the one with this row, so many."""

    destination: str
    after: int
    messages: int


class Found(NamedTuple):
    """Of the turns, in order: recipients to lease, and where each went on to; None where nothing is left."""

    recipients: list[int]
    until: list[int | None]


def destinations(connection: sqlite3.Connection, after: str, limit: int) -> list[str]:
    """So many for which something waits, in order, from the first one behind `after`; a step for each."""
    return [name for (name,) in connection.execute(NAMES, (after, limit)).fetchall()]


def look(connection: sqlite3.Connection, turns: Sequence[Turn], limit: int) -> Found:
    """The destinations take turns, until there are `limit` recipients; those of one message stay together."""
    taken = [[row[0] for row in connection.execute(MESSAGES, turn)] for turn in turns]
    until = [turn.after for turn in turns]
    ids: list[int] = []
    for number, message in _in_turn(taken):
        if len(ids) >= limit:
            break
        ids += [one for (one,) in connection.execute(RECIPIENTS, (turns[number].destination, message))]
        until[number] = message
    return Found(ids, [_left(*one) for one in zip(turns, taken, until, strict=True)])


def _left(turn: Turn, taken: Sequence[int], until: int) -> int | None:
    """Where the destination's next turn begins; None where this one has come to its end."""
    ended = len(taken) < turn.messages and (not taken or until == taken[-1])
    return None if ended else until


def _in_turn(taken: Sequence[Sequence[int]]) -> Iterator[tuple[int, int]]:
    for place in range(max(map(len, taken), default=0)):
        for number, messages in enumerate(taken):
            if place < len(messages):
                yield number, messages[place]


def lease(connection: sqlite3.Connection, ids: Sequence[int], lease_until_ms: int) -> list[int]:
    """Lease those that wait still, whenever they are due; returns them."""
    query = "UPDATE recipient SET leased=1, due_ms=? WHERE id=? AND state='ready' AND leased=0"
    return [one for one in ids if connection.execute(query, (lease_until_ms, one)).rowcount]
