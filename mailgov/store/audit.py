"""Who did what: one chain of hashes per writer, in the transaction of the act itself.

A row's hash covers the hash before it, the row's own fields and a salted commitment to its
content. So a changed, removed or reordered row shows, while content and salt can be erased
for a person's sake and the chain still holds. What `verify` cannot see, it says itself.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from mailgov.store.engine import Database
from mailgov.store.sql import columns
from mailgov.store.tables import Audit, DirectoryState

PROBLEM_LIMIT = 100
"""Findings that a report lists: a broken chain tends to break at every row."""

FIRST_REVISION = 1
"""What both revisions of a new ledger are; each act on directory or policy raises one of them by one."""

_FIRST = ""
_ADVISORY = 0x61756469  # "audi": keeps these locks apart from others of the database


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a writer's chain: what an hourly digest signs."""

    writer: str
    sequence: int
    hash: str
    rows: int


@dataclass(frozen=True, slots=True)
class Problem:
    """What does not hold, and the row where it shows; None throughout when it is about the whole log."""

    problem: str
    writer: str | None = None
    sequence: int | None = None
    act: str | None = None
    at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class AuditReport:
    """The result of `verify`; the log holds when `problems` is empty."""

    chains: int
    rows: int
    problems: list[Problem]
    erased: int = 0
    """Rows whose content and salt are gone: who acted when still holds, what was done is not told."""


async def record(
    session: AsyncSession,
    *,
    writer: str,
    actor: str,
    role: str,
    act: str,
    object: str,  # noqa: A002 - the column's name, and the field's
    content: dict[str, Any] | None,
    now_ms: int,
    salt: str,
) -> None:
    """Add one act to `writer`'s chain, in the session's transaction.

    `content` is plain JSON; `salt` is at least 128 random bits in hexadecimal and never used
    twice. Secrets have no place in either.
    """
    last = await _last(session, writer)
    plain = json.loads(_canonical(content))
    row: dict[str, Any] = {
        "writer": writer,
        "sequence": last[0] + 1,
        "at_ms": now_ms,
        "actor": actor,
        "role": role,
        "act": act,
        "object": object,
        "commitment": _commitment(salt, plain),
        "previous_hash": last[1],
    }
    await session.execute(insert(Audit).values(**row, hash=_hash(row), salt=salt, content=plain))


async def erase(session: AsyncSession, writer: str, sequence: int) -> None:
    """Forget one act's content and salt; its commitment stays and the chain still verifies."""
    c = columns(Audit)
    await session.execute(
        update(Audit).where(c.writer == writer, c.sequence == sequence).values(content=None, salt=None)
    )


async def heads(db: Database) -> list[Head]:
    """The ends of all chains, by writer."""
    c = columns(Audit)
    async with db.read() as session:
        last = (
            select(c.writer, func.max(c.sequence).label("sequence"), func.count().label("rows"))
            .group_by(c.writer)
            .subquery()
        )
        query = (
            select(c.writer, c.sequence, c.hash, last.c.rows)
            .join(last, (last.c.writer == c.writer) & (last.c.sequence == c.sequence))
            .order_by(c.writer)
        )
        return [Head(*row) for row in await session.execute(query)]


async def verify(db: Database) -> AuditReport:
    """Read every chain from its first row, count the acts, and say what does not hold.

    An emptied log or one with its end cut off shows when fewer rows are left than acts have
    raised the revisions of directory and policy. Not seen until digests of the `heads` are
    signed and kept elsewhere: an end cut off that is no longer than the acts on tokens and
    queued mail (they raise nothing), revisions lowered together with the cut, and a log that
    somebody wrote anew as a whole.
    """
    chains = rows = erased = 0
    problems: list[Problem] = []
    writer, sequence, previous = None, 0, _FIRST
    c = columns(Audit)
    query = select(*c).order_by(c.writer, c.sequence)
    async with db.read() as session:
        acts = await _acts_counted(session)
        async for found in await session.stream(query.execution_options(yield_per=500)):
            row = dict(found._mapping)
            if row["writer"] != writer:
                writer, sequence, previous = row["writer"], 0, _FIRST
                chains += 1
            rows += 1
            erased += row["salt"] is None and row["content"] is None
            for problem in _problems(row, sequence, previous):
                if len(problems) < PROBLEM_LIMIT:
                    problems.append(Problem(problem, writer, row["sequence"], row["act"], row["at_ms"]))
            sequence, previous = row["sequence"], row["hash"]
    if acts is None:
        problems.append(Problem("the revisions of directory and policy are missing"))
    elif rows < acts:
        problems.append(
            Problem(f"only {rows} of at least {acts} acts on directory and policy are in the log")
        )
    return AuditReport(chains, rows, problems, erased)


async def _acts_counted(session: AsyncSession) -> int | None:
    """How often an act raised a revision, each with a row of its own; None when nobody knows."""
    c = columns(DirectoryState)
    row = (await session.execute(select(c.revision, c.policy_revision).where(c.id == 1))).first()
    return None if row is None else sum(revision - FIRST_REVISION for revision in row)


def _problems(row: dict[str, Any], sequence: int, previous: str) -> list[str]:
    found = []
    if row["sequence"] != sequence + 1:
        found.append(f"rows {sequence + 1} to {row['sequence'] - 1} are missing")
    if row["previous_hash"] != previous:
        found.append("does not follow the row before it")
    if row["hash"] != _hash(row):
        found.append("the row was changed")
    if row["salt"] is not None and row["commitment"] != _commitment(row["salt"], row["content"]):
        found.append("the content was changed")
    if row["salt"] is None and row["content"] is not None:
        found.append("the content has lost its salt")
    return found


async def _last(session: AsyncSession, writer: str) -> tuple[int, str]:
    """The chain's last number and hash; holds the chain until the transaction ends."""
    if session.get_bind().dialect.name == "postgresql":
        lock = text("SELECT pg_advisory_xact_lock(:space, hashtext(:writer))")
        await session.execute(lock, {"space": _ADVISORY, "writer": writer})
    c = columns(Audit)
    query = select(c.sequence, c.hash).where(c.writer == writer).order_by(c.sequence.desc()).limit(1)
    row = (await session.execute(query)).first()
    return (row[0], row[1]) if row else (0, _FIRST)


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _commitment(salt: str, content: Any) -> str:
    """HMAC-SHA256 of the canonical JSON with the salt as key, in hexadecimal."""
    return hmac.new(salt.encode(), _canonical(content).encode(), hashlib.sha256).hexdigest()


def _hash(row: dict[str, Any]) -> str:
    names = ("previous_hash", "writer", "sequence", "at_ms", "actor", "role", "act", "object", "commitment")
    return hashlib.sha256(_canonical([row[name] for name in names]).encode()).hexdigest()
