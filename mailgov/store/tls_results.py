"""How sessions with other servers went, by UTC day and policy (RFC 8460 4): counted, told, forgotten."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from mailgov.mail.tls_report import SessionCount
from mailgov.store.sql import add, columns, replace, table, upsert
from mailgov.store.tables import TlsResult

KEYS_LIMIT = 5_000
"""Different ones between two tellings; past it sessions go uncounted (`lost`)."""
POLICY_CHARACTERS = 4_000
"""Of a policy's text that are kept; real ones have under 300."""
SUCCESS = "success"


class Policy(NamedTuple):
    """What a domain asked for: tlsa, sts or no-policy-found (RFC 8460 4.2), and the host that was tried."""

    kind: str
    domain: str
    host: str
    text: str = ""
    """The policy's lines, as it was last; no part of the key."""


class Key(NamedTuple):
    """The primary key of `tls_result`, in its order. `result`: success, or what RFC 8460 4.3 calls it."""

    day: date
    domain: str
    kind: str
    host: str
    result: str


@dataclass(frozen=True, slots=True)
class Counted:
    """How many sessions, and the policy's text."""

    sessions: int
    text: str


@dataclass(slots=True)
class TlsTally:
    """What a worker has seen and not yet told the ledger."""

    lost: int = 0
    _seen: dict[Key, Counted] = field(default_factory=dict)

    def count(self, now_ms: int, policy: Policy, result: str | None) -> None:
        """One more session; `result` None is one that holds."""
        day = datetime.fromtimestamp(now_ms / 1000, UTC).date()
        key = Key(day, policy.domain, policy.kind, policy.host, result or SUCCESS)
        self._put(key, Counted(1, policy.text[:POLICY_CHARACTERS]))

    def take(self) -> dict[Key, Counted]:
        """What was counted since the last call; `give` puts it back."""
        taken, self._seen = self._seen, {}
        return taken

    def give(self, taken: Mapping[Key, Counted]) -> None:
        """Put back what the ledger did not take."""
        for key, counted in taken.items():
            self._put(key, counted)

    def _put(self, key: Key, counted: Counted) -> None:
        known = self._seen.get(key)
        if known is None and len(self._seen) >= KEYS_LIMIT:
            self.lost += counted.sessions
            return
        self._seen[key] = Counted(counted.sessions + (known.sessions if known else 0), counted.text)


async def add_tls_results(session: AsyncSession, taken: Mapping[Key, Counted]) -> None:
    """Add a tally to the days that it belongs to."""
    rows: list[dict[str, Any]] = [
        key._asdict() | {"policy": counted.text, "count": counted.sessions}
        for key, counted in sorted(taken.items())
    ]
    await upsert(session, TlsResult, rows, {"count": add, "policy": replace})


async def lines(session: AsyncSession, first: date, until: date, limit: int) -> list[tuple[Key, int]]:
    """At most `limit` rows of the days [first, until), the latest day first, in it the most frequent."""
    c = columns(TlsResult)
    query = (
        select(c.day, c.domain, c.kind, c.host, c.result, c["count"])
        .where(c.day >= first, c.day < until)
        .order_by(c.day.desc(), c["count"].desc(), c.domain, c.kind, c.host, c.result)
        .limit(limit)
    )
    return [(Key(*row[:5]), int(row[5])) for row in await session.execute(query)]


async def of_day(session: AsyncSession, day: date, limit: int) -> dict[str, list[SessionCount]]:
    """By domain, of `limit` domains at most, what was counted on that day."""
    c = columns(TlsResult)
    names = select(c.domain).where(c.day == day).distinct().order_by(c.domain).limit(limit)
    query = (
        select(c.domain, c.kind, c.host, c.result, c.policy, c["count"])
        .where(c.day == day, c.domain.in_(names))
        .order_by(c.domain, c.kind, c.host, c.result)
    )
    found: dict[str, list[SessionCount]] = {}
    for domain, *counted in await session.execute(query):
        found.setdefault(domain, []).append(SessionCount(*counted))
    return found


async def forget(session: AsyncSession, before_ms: int) -> None:
    """Drop the days before that."""
    day = datetime.fromtimestamp(before_ms / 1000, UTC).date()
    await session.execute(delete(table(TlsResult)).where(columns(TlsResult).day < day))
