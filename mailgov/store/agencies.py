"""Agencies as dated spans of days: an agency that is renamed or merged keeps its past.

Codes that differ in case alone are one agency's: ask `code_of` for the stored form first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Select, delete, func, or_, select, update
from sqlmodel import col

from mailgov.store.directory import Session
from mailgov.store.tables import Account, AccountPost, Agency, AgencySuccession, RegisteredAddress


@dataclass(frozen=True, slots=True)
class AgencySpan:
    """An agency over the half-open days [valid_from, valid_until); None is without an end."""

    code: str
    name: str
    level: str
    abbreviation: str | None = None
    parent_code: str | None = None
    mailbox: str | None = None
    own_sector_mail: bool = False
    valid_from: date | None = None
    valid_until: date | None = None
    sample: bool = False

    def holds(self, day: date) -> bool:
        """True when `day` lies in the span."""
        since = self.valid_from is None or self.valid_from <= day
        return since and (self.valid_until is None or day < self.valid_until)

    def overlaps(self, other: AgencySpan) -> bool:
        """True when the two spans share a day."""
        before = self.valid_until is not None and other.valid_from is not None
        if before and self.valid_until <= other.valid_from:  # type: ignore[operator] # both are dates here
            return False
        after = other.valid_until is not None and self.valid_from is not None
        return not (after and other.valid_until <= self.valid_from)  # type: ignore[operator] # as above


@dataclass(frozen=True, slots=True)
class Succession:
    """`to_code` took over from `from_code` on a day; many to many."""

    from_code: str
    to_code: str
    on_date: date


async def add_span(session: Session, span: AgencySpan, now_ms: int) -> None:
    """A new span. Raises `engine.Conflict` for a second one of that code and first day."""
    values = {name: getattr(span, name) for name in span.__slots__}
    session.add(Agency(created_ms=now_ms, **values))
    await session.flush()


async def end_span(session: Session, code: str, valid_from: date | None, valid_until: date) -> None:
    """Let the span that began on `valid_from` end; `valid_until` is the first day outside."""
    began = col(Agency.valid_from).is_(None) if valid_from is None else col(Agency.valid_from) == valid_from
    chosen = (col(Agency.code) == code) & began
    await session.execute(update(Agency).where(chosen).values(valid_until=valid_until))


async def replace_span(session: Session, span: AgencySpan) -> None:
    """Let the span of that code and those days be as `span` over all of them."""
    since = col(Agency.valid_from)
    began = since.is_(None) if span.valid_from is None else since == span.valid_from
    values = {name: getattr(span, name) for name in span.__slots__}
    await session.execute(update(Agency).where((col(Agency.code) == span.code) & began).values(**values))


async def remove_span(session: Session, span: AgencySpan) -> None:
    """Forget a span that has not begun."""
    chosen = (col(Agency.code) == span.code) & (col(Agency.valid_from) == span.valid_from)
    await session.execute(delete(Agency).where(chosen))


async def code_of(session: Session, text: str) -> str | None:
    """The code of the agency that `text` names, in whatever case, as it is stored."""
    query = select(col(Agency.code)).where(func.lower(col(Agency.code)) == text.lower()).limit(1)
    return (await session.execute(query)).scalar_one_or_none()


async def spans(session: Session, code: str) -> list[AgencySpan]:
    """All spans of one agency, the oldest first; empty when there is none of that code."""
    return await _spans(session, select(Agency).where(col(Agency.code) == code))


async def list_spans(session: Session, day: date | None = None) -> list[AgencySpan]:
    """All spans by code and day, or those that hold `day`. A province has hundreds."""
    query = select(Agency)
    if day is not None:
        query = query.where(
            or_(col(Agency.valid_from).is_(None), col(Agency.valid_from) <= day),
            or_(col(Agency.valid_until).is_(None), col(Agency.valid_until) > day),
        )
    return await _spans(session, query)


async def _spans(session: Session, query: Select[Agency]) -> list[AgencySpan]:
    rows = (await session.execute(query)).scalars()
    found = [AgencySpan(**{name: getattr(row, name) for name in AgencySpan.__slots__}) for row in rows]
    return sorted(found, key=lambda span: (span.code, span.valid_from or date.min))


async def add_succession(session: Session, from_code: str, to_codes: Sequence[str], on_date: date) -> None:
    """Who takes over from an agency, and from which day."""
    session.add_all(AgencySuccession(from_code=from_code, to_code=to, on_date=on_date) for to in to_codes)
    await session.flush()


async def all_successions(session: Session) -> list[Succession]:
    """Every succession, the oldest first."""
    rows = (await session.scalars(select(AgencySuccession).order_by(col(AgencySuccession.on_date)))).all()
    return [Succession(row.from_code, row.to_code, row.on_date) for row in rows]


async def successions(session: Session, code: str) -> list[Succession]:
    """Successions that an agency has a part in, the oldest first."""
    part = or_(col(AgencySuccession.from_code) == code, col(AgencySuccession.to_code) == code)
    query = select(AgencySuccession).where(part).order_by(col(AgencySuccession.on_date))
    rows = (await session.execute(query)).scalars()
    return [Succession(row.from_code, row.to_code, row.on_date) for row in rows]


async def serving(session: Session, code: str, day: date) -> list[str]:
    """Addresses of the accounts with a post in the agency on `day` or later."""
    query = select(col(Account.address)).join(AccountPost, col(AccountPost.account_id) == col(Account.id))
    open_ended = or_(col(AccountPost.valid_until).is_(None), col(AccountPost.valid_until) > day)
    found = await session.execute(query.where(col(AccountPost.agency_code) == code, open_ended).distinct())
    return sorted(found.scalars())


async def below(session: Session, code: str, day: date) -> list[str]:
    """Codes of the agencies that stand below this one on `day` or later."""
    open_ended = or_(col(Agency.valid_until).is_(None), col(Agency.valid_until) > day)
    query = select(col(Agency.code)).where(col(Agency.parent_code) == code, open_ended).distinct()
    return sorted((await session.execute(query)).scalars())


async def registered_addresses(session: Session, code: str) -> list[str]:
    """Outside addresses that the agency has registered as its own."""
    query = select(col(RegisteredAddress.address)).where(col(RegisteredAddress.agency_code) == code)
    return sorted((await session.execute(query)).scalars())


async def register_address(session: Session, code: str, address: str) -> None:
    """Note an outside address as the agency's own."""
    session.add(RegisteredAddress(agency_code=code, address=address))
    await session.flush()


async def unregister_address(session: Session, code: str, address: str) -> None:
    """Forget an outside address of the agency."""
    row = RegisteredAddress
    chosen = (col(row.agency_code) == code) & (col(row.address) == address)
    await session.execute(delete(row).where(chosen))
