"""Seats: the roles that an account's holder has beside owning the mailbox."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlmodel import col

from mailgov.store.directory import Session
from mailgov.store.tables import AccountSeat


@dataclass(frozen=True, slots=True)
class Seat:
    """A role, and the agency that it is held in (None: the province's)."""

    role: str
    agency: str | None


async def seats_of(session: Session, account_id: int) -> tuple[Seat, ...]:
    """The seats of an account, by role and agency; owning the mailbox is none of them."""
    row = AccountSeat
    query = select(col(row.role), col(row.agency_code)).where(col(row.account_id) == account_id)
    found = await session.execute(query.order_by(col(row.role), col(row.agency_code)))
    return tuple(Seat(role, agency or None) for role, agency in found)
