"""MTA-STS policies of domains, on a node's guard: shared by its workers, kept over a restart, bounded."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from mailgov.store.guard import Guard


class KeptPolicy(NamedTuple):
    """A policy's text, the `id` that it was published under, and when it was fetched."""

    id: str
    body: str
    fetched_ms: int


def kept(guard: Guard, domain: str) -> KeptPolicy | None:
    """What is kept of the domain, however old; None for nothing."""

    def work(connection: sqlite3.Connection) -> KeptPolicy | None:
        query = "SELECT id, body, last_ms FROM sts_policy WHERE domain = ?"
        row = connection.execute(query, (domain,)).fetchone()
        return None if row is None else KeptPolicy(*row)

    return guard.run(work, None)


def keep(guard: Guard, domain: str, policy: KeptPolicy) -> None:
    """Keep it in the place of what was kept."""
    row = (domain, policy.id, policy.body, policy.fetched_ms)
    guard.run(lambda c: c.execute("INSERT OR REPLACE INTO sts_policy VALUES (?,?,?,?)", row), None, writes=1)
