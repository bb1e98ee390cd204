"""What the workers say of themselves, and numbers for the operator; nothing that mail hangs on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from mailgov.store import tls_results
from mailgov.store.engine import Database
from mailgov.store.sign_ins import add_sign_ins
from mailgov.store.sql import add, columns, replace, table, upsert
from mailgov.store.tables import (
    Attempt,
    Command,
    DoorCounter,
    MessageRecipient,
    OutgoingMail,
    PolicyVersion,
    UnappliedEvent,
    WorkerStatus,
)
from mailgov.store.tallies import Counted, Signed, SignInKey
from mailgov.store.tallies import Key as TlsKey

Door = Mapping[tuple[int, str, str, str], int]
"""Refusals at the door by (minute in ms, listener, peer's IP address or "other", reason)."""


@dataclass(frozen=True, slots=True)
class Worker:
    """What a worker last said. Whether it still runs shows in the age of `at_ms` alone."""

    node: str
    worker: str
    pid: int
    at_ms: int
    started_ms: int
    policy_hash: str | None
    policy_error: str | None
    directory_revision: int
    counters: Mapping[str, int]

    @property
    def relays(self) -> bool:
        """True for a relay worker; whoever serves mailboxes takes no mail in and runs no policy."""
        return self.worker.startswith("relay")


@dataclass(frozen=True, slots=True)
class Totals:
    """How much waits in the ledger, for metrics and health."""

    waiting: Mapping[str, int]
    """Recipients by state: queued, deferred, held."""
    unapplied_events: int
    outgoing: int
    """Mail of our own that no relay has taken in."""
    commands: int
    """Acts on queued mail that no worker has answered."""


async def report(
    db: Database,
    *,
    node: str,
    worker: str,
    pid: int,
    now_ms: int,
    started_ms: int,
    policy_hash: str | None,
    policy_error: str | None,
    directory_revision: int,
    counters: Mapping[str, int],
    door: Door,
    sign_ins: Mapping[SignInKey, Signed] = MappingProxyType({}),
    tls: Mapping[TlsKey, Counted] = MappingProxyType({}),
) -> None:
    """Replace this worker's status, add what it has counted: refusals, sign-ins, TLS; in one transaction."""
    row = {
        "node": node,
        "worker": worker,
        "pid": pid,
        "at_ms": now_ms,
        "started_ms": started_ms,
        "policy_hash": policy_hash,
        "policy_error": policy_error,
        "directory_revision": directory_revision,
        "counters": dict(counters),
    }
    async with db.write() as session:
        await upsert(session, WorkerStatus, [row], {n: replace for n in row if n not in {"node", "worker"}})
        await count_door(session, door)
        await add_sign_ins(session, sign_ins)
        await tls_results.add_tls_results(session, tls)


async def count_door(session: AsyncSession, door: Door) -> None:
    """Add refusals to the minutes' counters."""
    rows = [
        {"minute_ms": minute_ms, "listener": listener, "address": address, "reason": reason, "count": count}
        for (minute_ms, listener, address, reason), count in door.items()
    ]
    await upsert(session, DoorCounter, rows, {"count": add})


async def workers(db: Database, since_ms: int = 0) -> list[Worker]:
    """Workers that spoke at `since_ms` or later, by node and name."""
    c = columns(WorkerStatus)
    query = select(*c).where(c.at_ms >= since_ms).order_by(c.node, c.worker)
    async with db.read() as session:
        return [Worker(**row._mapping) for row in await session.execute(query)]


async def door_totals(db: Database, since_ms: int) -> dict[tuple[str, str], int]:
    """Refusals at the door since that minute, by (listener, reason)."""
    c = columns(DoorCounter)
    query = (
        select(c.listener, c.reason, func.sum(c.count))
        .where(c.minute_ms >= since_ms)
        .group_by(c.listener, c.reason)
    )
    async with db.read() as session:
        return {(row[0], row[1]): int(row[2]) for row in await session.execute(query)}


async def prune(db: Database, before_ms: int) -> None:
    """Forget door counters, results of TLS, workers' statuses, attempts and answered acts older than that."""
    c = columns(Command)
    async with db.write() as session:
        await tls_results.forget(session, before_ms)
        await session.execute(delete(Attempt).where(columns(Attempt).at_ms < before_ms))
        await session.execute(delete(Command).where(c.done_ms < before_ms))
        await session.execute(delete(DoorCounter).where(columns(DoorCounter).minute_ms < before_ms))
        await session.execute(delete(WorkerStatus).where(columns(WorkerStatus).at_ms < before_ms))


async def note_policy(session: AsyncSession, policy_hash: str, files: Mapping[str, str], now_ms: int) -> None:
    """Keep a policy's files under its hash, once: decisions are recomputed from them."""
    row = {"hash": policy_hash, "first_seen_ms": now_ms, "files": dict(files)}
    await upsert(session, PolicyVersion, [row])


async def policy_files(db: Database, policy_hash: str) -> dict[str, str] | None:
    """The files of a policy that some worker ran with, or None."""
    c = columns(PolicyVersion)
    async with db.read() as session:
        found: dict[str, str] | None = await session.scalar(select(c.files).where(c.hash == policy_hash))
        return found


async def policy_versions(db: Database, limit: int = 100) -> list[tuple[str, int]]:
    """(hash, first seen in ms), newest first."""
    c = columns(PolicyVersion)
    query = select(c.hash, c.first_seen_ms).order_by(c.first_seen_ms.desc(), c.hash).limit(limit)
    async with db.read() as session:
        return [(row.hash, row.first_seen_ms) for row in await session.execute(query)]


async def totals(db: Database) -> Totals:
    """What waits now; each figure comes from an index and costs little."""
    r = columns(MessageRecipient)
    states = ("queued", "deferred", "held")
    query = select(r.state, func.count()).where(r.state.in_(states)).group_by(r.state)
    async with db.read() as session:

        async def count(model: Any, *where: Any) -> int:
            found = await session.scalar(select(func.count()).select_from(table(model)).where(*where))
            return int(found or 0)

        found = {row[0]: int(row[1]) for row in await session.execute(query)}
        return Totals(
            waiting={state: found.get(state, 0) for state in states},
            unapplied_events=await count(UnappliedEvent),
            outgoing=await count(OutgoingMail, columns(OutgoingMail).taken_ms.is_(None)),
            commands=await count(Command, columns(Command).done_ms.is_(None)),
        )
