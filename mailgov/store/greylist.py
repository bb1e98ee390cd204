"""Who has tried before, on a node's guard: shared by its workers, kept over a restart, bounded."""

from __future__ import annotations

import hashlib
import sqlite3
from dataclasses import dataclass

from mailgov.store.guard import Guard, transaction
from mailgov.store.sending import met

DAY_MS = 86_400_000
_FIND = "SELECT first_ms, last_ms, passed FROM grey WHERE key = ?"
_KEEP = """
INSERT INTO grey VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (key) DO UPDATE SET first_ms = ?2, last_ms = ?3, passed = ?4
"""


@dataclass(frozen=True, slots=True)
class Spans:
    """In ms: how long a first try waits, until when it must come back, how long it is remembered."""

    delay: int
    back_within: int
    remember: int


def wait_ms(
    guard: Guard, *, network: str, sender: str, recipient: str, scope: str, spans: Spans, now_ms: int
) -> int:
    """How long this sender is to wait before a recipient takes its mail; 0: no longer.

    Addresses are in look-up form. Who wrote to us or was written to by `scope` (see `sending.charge`)
    never waits. A fault of the file lets everybody through.
    """
    key = _key(network, sender, recipient)

    def work(connection: sqlite3.Connection) -> int:
        if met(connection, scope, sender) is not None:
            return 0
        with transaction(connection):
            row = connection.execute(_FIND, (key,)).fetchone()
            first, last, passed = row or (now_ms, now_ms, 0)
            late = now_ms - last > (spans.remember if passed else spans.back_within)
            if late or (first > now_ms and not passed):  # a clock that was set back makes nobody wait on
                row, first, passed = None, now_ms, 0
            left = 0 if passed else max(0, first + spans.delay - now_ms)
            now_passed = int(left == 0)
            if row is None or now_passed != passed or now_ms - last > DAY_MS:
                connection.execute(_KEEP, (key, first, now_ms, now_passed))
            return left

    return guard.run(work, 0, writes=1)


def _key(*parts: str) -> bytes:
    return hashlib.blake2b("\0".join(parts).encode(errors="replace"), digest_size=16).digest()
