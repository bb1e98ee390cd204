"""What agencies declared: revisions that are never rewritten, the lines of issue registers.

A *series* is all that was declared of one kind, subject, agency and span of days. Its highest
revision counts; the others are history. Spans are half-open, codes as they are stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Select, exists, insert, or_, select
from sqlalchemy.orm import aliased
from sqlmodel import col

from mailgov.store.directory import Session
from mailgov.store.sql import chunks
from mailgov.store.tables import Declaration, Message, RegisterEntry


@dataclass(frozen=True, slots=True)
class Series:
    """What a declaration is about. `subject` is an indicator's id, otherwise ""."""

    kind: str
    agency: str
    from_date: date
    until_date: date
    """The first day outside."""
    subject: str = ""


@dataclass(frozen=True, slots=True)
class RegisterLine:
    """One line of an issue register of meeting documents."""

    document_class: str
    issued_on: date
    symbol: str | None = None
    title: str | None = None
    exempt: str | None = None
    """`secret` or `other-system`: outside the target by its own words."""
    queue_id: str | None = None
    """For a line without a symbol: the message that it went out with."""


@dataclass(frozen=True, slots=True)
class DeclarationView:
    """One revision. `content` holds whole numbers by name, see `usage.declared`.

    `register` is filled by `get` and `with_registers` alone.
    """

    id: int
    series: Series
    revision: int
    content: dict[str, int]
    reason: str | None
    actor: str
    created_ms: int
    sample: bool
    register: tuple[RegisterLine, ...] = ()


async def add(
    session: Session,
    series: Series,
    content: dict[str, int],
    *,
    revision: int,
    actor: str,
    now_ms: int,
    reason: str | None = None,
    register: Sequence[RegisterLine] = (),
    sample: bool = False,
) -> DeclarationView:
    """A revision with the lines of its register. Raises `engine.Conflict` for one that is there."""
    row = Declaration(
        kind=series.kind,
        subject=series.subject,
        agency_code=series.agency,
        from_date=series.from_date,
        until_date=series.until_date,
        revision=revision,
        content=content,
        reason=reason,
        actor=actor,
        created_ms=now_ms,
        sample=sample,
    )
    session.add(row)
    await session.flush()
    names = RegisterLine.__slots__
    lines = [
        {"declaration_id": row.id, "line": number, **{name: getattr(line, name) for name in names}}
        for number, line in enumerate(register, start=1)
    ]
    for part in chunks(lines):
        await session.execute(insert(RegisterEntry), part)
    return replace(_view(row), register=tuple(register))


async def get(session: Session, declaration_id: int) -> DeclarationView | None:
    """The revision of that id with its register."""
    query = select(Declaration).where(col(Declaration.id) == declaration_id)
    row = (await session.execute(query)).scalar_one_or_none()
    return None if row is None else (await with_registers(session, [_view(row)]))[0]


async def current(session: Session, series: Series) -> DeclarationView | None:
    """The revision that counts, without its register; None where nothing was declared."""
    query = select(Declaration).where(*_of(series)).order_by(col(Declaration.revision).desc()).limit(1)
    row = (await session.execute(query)).scalar_one_or_none()
    return None if row is None else _view(row)


async def history(session: Session, series: Series) -> list[DeclarationView]:
    """Every revision, the first one first, each with its register."""
    query = select(Declaration).where(*_of(series)).order_by(col(Declaration.revision))
    rows = (await session.execute(query)).scalars()
    return await with_registers(session, [_view(row) for row in rows])


async def latest(
    session: Session,
    kind: str,
    *,
    agency: str | None = None,
    subject: str = "",
    since: date | None = None,
    until: date | None = None,
    ends: date | None = None,
) -> list[DeclarationView]:
    """What counts of a kind, by agency, first day and id; without registers.

    `since` and `until` keep those whose span lies inside, `ends` those whose `until_date` it is.
    """
    chosen: list[ColumnElement[bool]] = [
        col(Declaration.kind) == kind,
        col(Declaration.subject) == subject,
        _counts(),
    ]
    if agency is not None:
        chosen.append(col(Declaration.agency_code) == agency)
    if since is not None:
        chosen.append(col(Declaration.from_date) >= since)
    if until is not None:
        chosen.append(col(Declaration.until_date) <= until)
    if ends is not None:
        chosen.append(col(Declaration.until_date) == ends)
    order = (col(Declaration.agency_code), col(Declaration.from_date), col(Declaration.id))
    return await _views(session, select(Declaration).where(*chosen).order_by(*order))


@dataclass(frozen=True, slots=True)
class Filter:
    """Which declarations a list shows; None does not confine. Days as in `latest`."""

    kind: str | None = None
    subject: str | None = None
    agency: str | None = None
    since: date | None = None
    until: date | None = None


async def page(
    session: Session, wanted: Filter, *, before: int | None = None, limit: int = 100
) -> list[DeclarationView]:
    """At most `limit` declarations that count, the newest first, from the first id below `before`."""
    chosen: list[ColumnElement[bool]] = [_counts()]
    exact = {"kind": wanted.kind, "subject": wanted.subject, "agency_code": wanted.agency}
    chosen += [col(getattr(Declaration, name)) == value for name, value in exact.items() if value is not None]
    if wanted.since is not None:
        chosen.append(col(Declaration.from_date) >= wanted.since)
    if wanted.until is not None:
        chosen.append(col(Declaration.until_date) <= wanted.until)
    if before is not None:
        chosen.append(col(Declaration.id) < before)
    query = select(Declaration).where(*chosen).order_by(col(Declaration.id).desc()).limit(limit)
    return await _views(session, query)


async def with_registers(session: Session, views: Sequence[DeclarationView]) -> list[DeclarationView]:
    """The same declarations with the lines of their registers, in order."""
    lines: dict[int, list[RegisterLine]] = {view.id: [] for view in views}
    for part in chunks(view.id for view in views if view.series.kind == "register"):
        query = select(RegisterEntry).where(col(RegisterEntry.declaration_id).in_(part))
        for row in (await session.execute(query.order_by(col(RegisterEntry.line)))).scalars():
            line = RegisterLine(**{name: getattr(row, name) for name in RegisterLine.__slots__})
            lines[row.declaration_id].append(line)
    return [replace(view, register=tuple(lines[view.id])) for view in views]


async def issued_by(session: Session, agency: str, queue_ids: Iterable[str]) -> set[str]:
    """Of these queue ids, those of accepted messages that the agency issued or its account sent."""
    issued: set[str] = set()
    for part in chunks(queue_ids):
        theirs = or_(
            col(Message.issuer) == agency,
            col(Message.issuer).is_(None) & (col(Message.agency_code) == agency),
        )
        query = select(col(Message.queue_id)).where(
            col(Message.queue_id).in_(part), col(Message.verdict) == "accepted", theirs
        )
        issued.update((await session.execute(query)).scalars())
    return issued


def _of(series: Series) -> tuple[ColumnElement[bool], ...]:
    return (
        col(Declaration.kind) == series.kind,
        col(Declaration.subject) == series.subject,
        col(Declaration.agency_code) == series.agency,
        col(Declaration.from_date) == series.from_date,
        col(Declaration.until_date) == series.until_date,
    )


def _counts() -> ColumnElement[bool]:
    """True for the highest revision of a series."""
    later = aliased(Declaration)
    same = [
        getattr(later, name) == getattr(Declaration, name)
        for name in ("kind", "subject", "agency_code", "from_date", "until_date")
    ]
    return ~exists().where(*same, col(later.revision) > col(Declaration.revision))


async def _views(session: Session, query: Select[Any]) -> list[DeclarationView]:
    return [_view(row) for row in (await session.execute(query)).scalars()]


def _view(row: Declaration) -> DeclarationView:
    return DeclarationView(
        id=row.id or 0,
        series=Series(row.kind, row.agency_code, row.from_date, row.until_date, row.subject),
        revision=row.revision,
        content=dict(row.content),
        reason=row.reason,
        actor=row.actor,
        created_ms=row.created_ms,
        sample=row.sample,
    )
