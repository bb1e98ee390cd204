"""How much accounts and agencies have sent, on a node's guard: shared by its workers, kept over a restart.

A count belongs to a span (an hour, a day) and begins anew with the next. A fault of the file
gives what an empty one would: no limit stops mail because the guard is away.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from mailgov.store.guard import Guard, transaction

REMEMBER_MS = 86_400_000
"""An address written to is noted once a day at most."""
_COUNT = "SELECT taken, refused FROM sent WHERE key = ? AND span = ?"
_KEEP = """
INSERT INTO sent VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (key) DO UPDATE SET span = ?2, taken = ?3, refused = ?4, last_ms = ?5
"""
_WRITTEN = "INSERT INTO written VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET last_ms = max(last_ms, ?2)"


@dataclass(frozen=True, slots=True)
class Charge:
    """`amount` more under `key` in `span` (such as `2026-11-22`); refused where that is over `limit`.

    `amount` None: as many as there are strangers among the recipients.
    """

    key: str
    span: str
    limit: int
    amount: int | None = 1


@dataclass(frozen=True, slots=True)
class Over:
    """The charge that is over its limit, and how often that was so in this span, this time included."""

    charge: Charge
    refused: int


def charge(
    guard: Guard, charges: Sequence[Charge], scope: str, outside: Sequence[str], now_ms: int
) -> Over | None:
    """Count all of it, or nothing and say what is over its limit.

    `outside` are recipients beyond the province in look-up form. Strangers among them are those
    that `scope` (an agency, or an account of none) has not written to and that never wrote to us;
    once counted they are none any more.
    """

    def work(connection: sqlite3.Connection) -> Over | None:
        with transaction(connection):
            keys = {address: _key(scope, address) for address in outside}
            last_met = {address: met(connection, scope, address) for address in keys}
            strangers = sum(last is None for last in last_met.values())
            stand = []
            for one in charges:
                taken, refused = connection.execute(_COUNT, (one.key, one.span)).fetchone() or (0, 0)
                amount = strangers if one.amount is None else one.amount
                if amount and taken + amount > one.limit:
                    connection.execute(_KEEP, (one.key, one.span, taken, refused + 1, now_ms))
                    return Over(one, refused + 1)
                stand.append((one.key, one.span, taken + amount, refused, now_ms))
            connection.executemany(_KEEP, stand)
            late = [keys[a] for a, last in last_met.items() if last is None or now_ms - last > REMEMBER_MS]
            connection.executemany(_WRITTEN, [(key, now_ms) for key in late])
            return None

    return guard.run(work, None, writes=len(charges) + len(outside))


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
