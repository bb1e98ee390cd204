"""DKIM keys' public side; the private keys are files."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, select, update
from sqlmodel import col

from mailgov.store.directory import Session
from mailgov.store.sql import columns, table
from mailgov.store.tables import DkimKey, Message, MessageRecipient
from mailgov.store.traffic import WAITING


@dataclass(frozen=True, slots=True)
class DkimKeyView:
    """A key as it is published; `key_file` is relative to the data folder.

    `state`: pending (signs nothing yet), active, retired (signs nothing more, stays published until
    `withdraw_ms`) or withdrawn. `standing` is the word for what the DNS said last, None before the first
    look; `seen_ms` since when it is published as it must be. Times are None for what has not happened.
    """

    domain: str
    selector: str
    algorithm: str
    public_key: str
    key_file: str
    state: str
    created_ms: int
    standing: str | None = None
    detail: str | None = None
    checked_ms: int | None = None
    seen_ms: int | None = None
    active_ms: int | None = None
    retired_ms: int | None = None
    withdraw_ms: int | None = None

    @property
    def record_name(self) -> str:
        """Where the DNS has it (RFC 6376 3.6.2.1)."""
        return f"{self.selector}._domainkey.{self.domain}"

    @property
    def record(self) -> str:
        """What the DNS is to have there (RFC 6376 3.6.1)."""
        return f"v=DKIM1; k={self.algorithm}; p={self.public_key}"


async def add_key(session: Session, key: DkimKeyView) -> None:
    """A new key. Raises `engine.Conflict` when the domain has that selector."""
    session.add(DkimKey(**{name: getattr(key, name) for name in key.__slots__}))
    await session.flush()


async def list_keys(session: Session, domain: str | None = None) -> list[DkimKeyView]:
    """Keys by domain and age, the oldest first."""
    query = select(DkimKey).order_by(col(DkimKey.domain), col(DkimKey.created_ms), col(DkimKey.id))
    if domain is not None:
        query = query.where(col(DkimKey.domain) == domain)
    rows = (await session.execute(query)).scalars()
    return [DkimKeyView(**{name: getattr(row, name) for name in DkimKeyView.__slots__}) for row in rows]


async def note_standing(
    session: Session, key: DkimKeyView, standing: str, detail: str, seen_ms: int | None, now_ms: int
) -> None:
    """What a look at the DNS found; raises no revision."""
    found = {"standing": standing, "detail": detail[:200], "seen_ms": seen_ms, "checked_ms": now_ms}
    await session.execute(update(table(DkimKey)).where(*_of(key)).values(**found))


async def begin(session: Session, key: DkimKeyView, now_ms: int, withdraw_ms: int) -> list[str] | None:
    """A pending key signs, in the place of the one of its domain and algorithm; the selectors that retire.

    None when it is pending no more. The caller has raised the directory's revision.
    """
    c = columns(DkimKey)
    begun = (
        update(table(DkimKey))
        .where(*_of(key), c.state == "pending")
        .values(state="active", active_ms=now_ms)
        .returning(c.selector)
    )
    if (await session.execute(begun)).first() is None:
        return None
    others = (
        update(table(DkimKey))
        .where(c.domain == key.domain, c.algorithm == key.algorithm, c.state == "active")
        .where(c.selector != key.selector)
        .values(state="retired", retired_ms=now_ms, withdraw_ms=withdraw_ms)
        .returning(c.selector)
    )
    return sorted(row[0] for row in await session.execute(others))


async def retire(session: Session, key: DkimKeyView, now_ms: int, withdraw_ms: int) -> bool:
    """An active key signs no more; False where it is the last one that signs for its domain, or none."""
    c = columns(DkimKey)
    signing = select(func.count()).where(c.domain == key.domain, c.state == "active")
    if await session.scalar(signing) == 1:
        return False
    ended = (
        update(table(DkimKey))
        .where(*_of(key), c.state == "active")
        .values(state="retired", retired_ms=now_ms, withdraw_ms=withdraw_ms)
        .returning(c.selector)
    )
    return (await session.execute(ended)).first() is not None


async def withdraw(session: Session, key: DkimKeyView) -> bool:
    """A key that signs nothing is done with; False where another was faster."""
    c = columns(DkimKey)
    query = update(table(DkimKey)).where(*_of(key), c.state.in_(("pending", "retired")))
    return (await session.execute(query.values(state="withdrawn").returning(c.selector))).first() is not None


async def postpone(session: Session, key: DkimKeyView, until_ms: int) -> bool:
    """Keep a retired key published longer where mail of its time still waits to leave; True if so.

    That is mail that somebody holds: what is only deferred has gone back by then.
    """
    r, m = columns(MessageRecipient), columns(Message)
    waits = (
        select(r.id)
        .join(table(Message), m.id == r.message_row)
        .where(
            r.state.in_(WAITING), r.direction == "outbound", m.at_ms <= key.retired_ms, m.sample.is_(False)
        )
        .limit(1)
    )
    if await session.scalar(waits) is None:
        return False
    await session.execute(update(table(DkimKey)).where(*_of(key)).values(withdraw_ms=until_ms))
    return True


def _of(key: DkimKeyView) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    c = columns(DkimKey)
    return c.domain == key.domain, c.selector == key.selector
