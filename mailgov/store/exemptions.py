"""Exemptions: an agency, or everyone, is outside one obligation over a span of days, with a reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import ColumnElement, or_, select, update
from sqlmodel import col

from mailgov.store.directory import Session
from mailgov.store.tables import Exemption

EVERYONE = ""
"""The `agency` of an exemption that holds for all agencies."""


@dataclass(frozen=True, slots=True)
class ExemptionView:
    """An exemption over the half-open days [valid_from, valid_until); None is without an end.

    One that was withdrawn from its first day on has no day in it.
    """

    id: int
    obligation: str
    agency: str
    valid_from: date | None
    valid_until: date | None
    reason: str
    created_ms: int
    ended_ms: int | None

    def holds(self, day: date) -> bool:
        """True when `day` lies in the span."""
        since = self.valid_from is None or self.valid_from <= day
        return since and (self.valid_until is None or day < self.valid_until)


async def add(
    session: Session,
    *,
    obligation: str,
    agency: str,
    valid_from: date | None,
    valid_until: date | None,
    reason: str,
    now_ms: int,
) -> ExemptionView:
    """A new exemption."""
    row = Exemption(
        obligation=obligation,
        agency_code=agency,
        valid_from=valid_from,
        valid_until=valid_until,
        reason=reason,
        created_ms=now_ms,
    )
    session.add(row)
    await session.flush()
    return _view(row)


async def get(session: Session, exemption_id: int) -> ExemptionView | None:
    """The exemption of that id."""
    found = await _views(session, [col(Exemption.id) == exemption_id], limit=1)
    return found[0] if found else None


async def end(session: Session, exemption_id: int, valid_until: date, now_ms: int) -> None:
    """Let an exemption end; `valid_until` is the first day without it."""
    change = update(Exemption).where(col(Exemption.id) == exemption_id)
    await session.execute(change.values(valid_until=valid_until, ended_ms=now_ms))


async def overlapping(
    session: Session, obligation: str | None, since: date | None, until: date | None
) -> list[ExemptionView]:
    """Exemptions (of one obligation, or of all) with a day in [since, until), by id; None is open."""
    chosen: list[ColumnElement[bool]] = []
    if obligation is not None:
        chosen.append(col(Exemption.obligation) == obligation)
    first, last = col(Exemption.valid_from), col(Exemption.valid_until)
    chosen.append(or_(first.is_(None), last.is_(None), first < last))
    if since is not None:
        chosen.append(or_(last.is_(None), last > since))
    if until is not None:
        chosen.append(or_(first.is_(None), first < until))
    return await _views(session, chosen)


async def page(
    session: Session,
    *,
    obligation: str | None = None,
    agency: str | None = None,
    after: int = 0,
    limit: int = 100,
) -> list[ExemptionView]:
    """At most `limit` exemptions by id, past `after`; with `agency` its own and everyone's."""
    chosen: list[ColumnElement[bool]] = [col(Exemption.id) > after]
    if obligation is not None:
        chosen.append(col(Exemption.obligation) == obligation)
    if agency is not None:
        chosen.append(col(Exemption.agency_code).in_([agency, EVERYONE]))
    return await _views(session, chosen, limit=limit)


async def _views(
    session: Session, chosen: Sequence[ColumnElement[bool]], *, limit: int | None = None
) -> list[ExemptionView]:
    query = select(Exemption).where(*chosen).order_by(col(Exemption.id)).limit(limit)
    return [_view(row) for row in (await session.execute(query)).scalars()]


def _view(row: Exemption) -> ExemptionView:
    return ExemptionView(
        id=row.id or 0,
        obligation=row.obligation,
        agency=row.agency_code,
        valid_from=row.valid_from,
        valid_until=row.valid_until,
        reason=row.reason,
        created_ms=row.created_ms,
        ended_ms=row.ended_ms,
    )
