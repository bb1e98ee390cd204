"""Seats: the roles that an account's holder has beside owning the mailbox."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, insert, select
from sqlmodel import col

from mailgov.store.directory import Session
from mailgov.store.sql import table
from mailgov.store.tables import Account, AccountSeat


@dataclass(frozen=True, slots=True)
class Seat:
    """A role, and the agency that it is held in (None: the province's)."""

    role: str
    agency: str | None = None


async def seats_of(session: Session, account_id: int) -> tuple[Seat, ...]:
    """The seats of an account, by role and agency; owning the mailbox is none of them."""
    return (await seats_of_all(session, [account_id])).get(account_id, ())


async def seats_of_all(session: Session, account_ids: Sequence[int]) -> dict[int, tuple[Seat, ...]]:
    """The same of several accounts by their ids; those without a seat are left out."""
    row = AccountSeat
    query = select(col(row.account_id), col(row.role), col(row.agency_code))
    query = query.where(col(row.account_id).in_(account_ids))
    found: dict[int, tuple[Seat, ...]] = {}
    for account_id, role, agency in await session.execute(
        query.order_by(col(row.role), col(row.agency_code))
    ):
        found[account_id] = (*found.get(account_id, ()), Seat(role, agency or None))
    return found


async def add_seat(session: Session, address: str, seat: Seat, now_ms: int) -> None:
    """A seat for the account's holder. Raises `engine.Conflict` when they have it."""
    values = {
        "account_id": await _account_id(session, address),
        "role": seat.role,
        "agency_code": seat.agency or "",
        "created_ms": now_ms,
    }
    await session.execute(insert(table(AccountSeat)).values(values))


async def remove_seat(session: Session, address: str, seat: Seat) -> None:
    """Take a seat away."""
    chosen = (
        (col(AccountSeat.account_id) == await _account_id(session, address))
        & (col(AccountSeat.role) == seat.role)
        & (col(AccountSeat.agency_code) == (seat.agency or ""))
    )
    await session.execute(delete(AccountSeat).where(chosen))


async def _account_id(session: Session, address: str) -> int:
    query = select(col(Account.id)).where(col(Account.address) == address)
    return int((await session.execute(query)).scalar_one() or 0)
