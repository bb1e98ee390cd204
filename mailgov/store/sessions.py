"""Browsers that are signed in, and what a sign-in is checked against.

Only the SHA-256 of a session's cookie is kept. A session ends by a mark on its row; rows past
their time go away with the next sign-in.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import delete, or_, select, update
from sqlmodel import col

from mailgov.store.directory import Session
from mailgov.store.seats import Seat, seats_of
from mailgov.store.tables import Account, Domain, WebSession


@dataclass(frozen=True, slots=True)
class Holder:
    """An account as a sign-in sees it."""

    id: int
    address: str
    display_name: str
    password_hash: str | None = field(repr=False)
    must_change_password: bool
    recovery_hash: str | None = field(repr=False)
    password_set_ms: int | None
    shut: bool
    """Suspended, or of a domain that is disabled: nobody signs in."""
    seats: tuple[Seat, ...]


@dataclass(frozen=True, slots=True)
class SessionView:
    """A session with the account behind it, ended or not: ask `identity.sessions.alive`."""

    id: int
    holder: Holder
    seat: Seat
    created_ms: int
    seen_ms: int
    ended_ms: int | None


async def find_holder(session: Session, address: str) -> Holder | None:
    """The account of that address, shut or not."""
    row = (await session.execute(select(Account).where(col(Account.address) == address))).scalar_one_or_none()
    return None if row is None else await _holder(session, row)


async def sole_domain(session: Session) -> str | None:
    """The name of the only domain that is in use, or None where there are several or none."""
    query = select(col(Domain.name)).where(col(Domain.disabled_ms).is_(None)).limit(2)
    names = [str(row[0]) for row in await session.execute(query)]
    return names[0] if len(names) == 1 else None


async def add_session(
    session: Session, token_hash: str, account_id: int, seat: Seat, *, created_ms: int, now_ms: int
) -> None:
    """A new session under the hash of its cookie. `created_ms` is the moment of its sign-in."""
    session.add(
        WebSession(
            hash=token_hash,
            account_id=account_id,
            role=seat.role,
            agency_code=seat.agency or "",
            created_ms=created_ms,
            seen_ms=now_ms,
        )
    )
    await session.flush()


async def find_session(session: Session, token_hash: str) -> SessionView | None:
    """The session with that hash, ended or not."""
    query = select(WebSession, Account).join(Account, col(Account.id) == col(WebSession.account_id))
    row = (await session.execute(query.where(col(WebSession.hash) == token_hash))).one_or_none()
    if row is None:
        return None
    found, account = row[0], row[1]
    return SessionView(
        id=found.id or 0,
        holder=await _holder(session, account),
        seat=Seat(found.role, found.agency_code or None),
        created_ms=found.created_ms,
        seen_ms=found.seen_ms,
        ended_ms=found.ended_ms,
    )


async def note_seen(session: Session, session_id: int, now_ms: int) -> None:
    """The session was used at this time; callers write it at most once a minute."""
    await session.execute(update(WebSession).where(col(WebSession.id) == session_id).values(seen_ms=now_ms))


async def end_session(session: Session, session_id: int, now_ms: int) -> None:
    """End one session for good."""
    await _end(session, now_ms, col(WebSession.id) == session_id)


async def end_sessions(session: Session, address: str, now_ms: int) -> None:
    """End every session of an account: its password or its standing changed."""
    account = select(col(Account.id)).where(col(Account.address) == address).scalar_subquery()
    await _end(session, now_ms, col(WebSession.account_id) == account)


async def _end(session: Session, now_ms: int, chosen: object) -> None:
    open_ones = update(WebSession).where(chosen, col(WebSession.ended_ms).is_(None))  # type: ignore[arg-type]  # a condition
    await session.execute(open_ones.values(ended_ms=now_ms))


async def forget_sessions(session: Session, *, created_before_ms: int, seen_before_ms: int) -> None:
    """Take away the rows of sessions that can never be used again."""
    row = WebSession
    over = or_(
        col(row.ended_ms).is_not(None),
        col(row.created_ms) < created_before_ms,
        col(row.seen_ms) < seen_before_ms,
    )
    await session.execute(delete(row).where(over))


async def _holder(session: Session, row: Account) -> Holder:
    domain = row.address.rpartition("@")[2]
    query = select(col(Domain.disabled_ms)).where(col(Domain.name) == domain)
    found = (await session.execute(query)).one_or_none()
    return Holder(
        id=row.id or 0,
        address=row.address,
        display_name=row.display_name,
        password_hash=row.password_hash,
        must_change_password=row.must_change_password,
        recovery_hash=row.recovery_hash,
        password_set_ms=row.password_set_ms,
        shut=row.suspended_ms is not None or found is None or found[0] is not None,
        seats=await seats_of(session, row.id or 0),
    )
