"""How much accounts and agencies have sent, on a node's guard: shared by its workers, kept over a restart.

A count belongs to a span (an hour, a day) and begins anew with the next. Where a limit is far, a worker
counts some ahead (`AHEAD_PART`) and hands back what it did not use; near it each is counted by itself,
so that no limit is ever passed. A fault of the file gives what an empty one would: no limit stops mail
because the guard is away.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from mailgov.store.guard import Guard, transaction

REMEMBER_MS = 86_400_000
"""An address written to is noted once a day at most."""
AHEAD_PART = 32
"""One part in so many of what is left of a limit is counted ahead."""
AHEAD_LIMIT = 64
_COUNT = "SELECT taken, refused FROM sent WHERE key = ? AND span = ?"
_KEEP = """
INSERT INTO sent VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (key) DO UPDATE SET span = ?2, taken = ?3, refused = ?4, last_ms = ?5
"""
_HAND_BACK = "UPDATE sent SET taken = max(0, taken - ?) WHERE key = ? AND span = ?"
_WRITTEN = "INSERT INTO written VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET last_ms = max(last_ms, ?2)"


class Charge(NamedTuple):
    """`amount` more under `key` in `span` (such as `2026-11-22`); refused where that is over `limit`.

    `amount` None: as many as there are strangers among the recipients.
    """

    key: str
    span: str
    limit: int
    amount: int | None = 1


@dataclass(frozen=True, slots=True)
class Counted:
    """Everything was counted; by key, what was counted ahead beside it."""

    ahead: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Over:
    """The charge that is over its limit, and how often that was so in this span, this time included."""

    charge: Charge
    refused: int


def charge(
    guard: Guard, charges: Sequence[Charge], scope: str, outside: Sequence[str], now_ms: int
) -> Counted | Over | None:
    """Count all of it and some ahead, or nothing and say what is over its limit; None: the file is at fault.

    `outside` are recipients beyond the province in look-up form. Strangers among them are those
    that `scope` (an agency, or an account of none) has not written to and that never wrote to us;
    once counted they are none any more.
    """

    def work(connection: sqlite3.Connection) -> Counted | Over:
        with transaction(connection):
            keys = {address: _key(scope, address) for address in outside}
            last_met = {address: met(connection, scope, address) for address in keys}
            strangers = sum(last is None for last in last_met.values())
            stand, ahead = [], {}
            for one in charges:
                taken, refused = connection.execute(_COUNT, (one.key, one.span)).fetchone() or (0, 0)
                amount = strangers if one.amount is None else one.amount
                if amount and taken + amount > one.limit:
                    connection.execute(_KEEP, (one.key, one.span, taken, refused + 1, now_ms))
                    return Over(one, refused + 1)
                taken += amount
                if one.amount is not None and (more := _ahead(one.limit - taken)):
                    ahead[one.key] = more
                stand.append((one.key, one.span, taken + ahead.get(one.key, 0), refused, now_ms))
            connection.executemany(_KEEP, stand)
            late = [keys[a] for a, last in last_met.items() if last is None or now_ms - last > REMEMBER_MS]
            connection.executemany(_WRITTEN, [(key, now_ms) for key in late])
            return Counted(ahead)

    return guard.run(work, None, writes=len(charges) + len(outside))


def _ahead(left: int) -> int:
    return min(AHEAD_LIMIT, left // AHEAD_PART)


def hand_back(guard: Guard, unused: Sequence[tuple[str, str, int]]) -> None:
    """What was counted ahead and not used: key, span, how many."""

    def work(connection: sqlite3.Connection) -> None:
        with transaction(connection):
            connection.executemany(_HAND_BACK, [(count, key, span) for key, span, count in unused])

    guard.run(work, None, writes=len(unused))


def first_time(guard: Guard, key: str, span: str, now_ms: int) -> bool:
    """Whether nobody has asked this before for `key` in `span`; no two workers hear yes."""

    def work(connection: sqlite3.Connection) -> bool:
        with transaction(connection):
            if connection.execute(_COUNT, (key, span)).fetchone() is not None:
                return False
            connection.execute(_KEEP, (key, span, 1, 0, now_ms))
            return True

    return guard.run(work, True, writes=1)


def forget_first(guard: Guard, key: str) -> None:
    """What was to be done the first time failed: the next one is the first again."""
    guard.run(lambda connection: connection.execute("DELETE FROM sent WHERE key = ?", (key,)), None)


def _key(scope: str, address: str) -> bytes:
    # A digest: the file tells nobody whom an agency writes to, and a row is small.
    return hashlib.blake2b(f"{scope}\0{address}".encode(errors="replace"), digest_size=16).digest()


def met(connection: sqlite3.Connection, scope: str, address: str) -> int | None:
    """When `scope` and an outside address last met, in ms, as far as it is noted; None for strangers.

    It wrote to somebody here, or was written to from `scope`. For the modules of this room.
    """
    row = connection.execute("SELECT last_ms FROM written WHERE key = ?", (_key(scope, address),)).fetchone()
    if row is None:
        query = "SELECT last_ms FROM correspondent WHERE address = ?"
        row = connection.execute(query, (address,)).fetchone()
    return None if row is None else int(row[0])
