"""Who is signed in: the person behind a browser's session, and what they may be asked for."""

from __future__ import annotations

from dataclasses import dataclass, field

from mailgov.admin.context import Actor
from mailgov.identity import sessions as rules
from mailgov.identity.roles import Act, Role, allowed
from mailgov.identity.tokens import hash_token
from mailgov.settings import Settings
from mailgov.store import sessions
from mailgov.store.directory import Session
from mailgov.store.seats import Seat
from mailgov.store.sessions import SessionView

NOTE_SEEN_MS = 60_000
"""`seen_ms` is written at most once in this time per session."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody signed in. `seat` is what they act as now, `seats` what they may choose from."""

    account_id: int
    address: str
    display_name: str
    seat: Seat
    seats: tuple[Seat, ...]
    must_change_password: bool
    """Their password is a first one: they may change it or leave, nothing else."""
    session_id: int
    created_ms: int
    seen_ms: int
    expires_ms: int
    """When they have to sign in again, unless the session idles before."""
    csrf: str = field(repr=False)

    @property
    def actor(self) -> Actor:
        """As acts and the audit log know them."""
        return Actor(self.address, Role(self.seat.role), self.seat.agency)

    def may(self, act: Act) -> bool:
        """True when their seat may do `act` on something."""
        return allowed(Role(self.seat.role), act)

    def stale(self, now_ms: int) -> bool:
        """True when the session's last use is to be noted again."""
        return now_ms - self.seen_ms >= NOTE_SEEN_MS


async def show_person(session: Session, settings: Settings, cookie: str, now_ms: int) -> Person | None:
    """Whose session the cookie's value stands for, or None: unknown, ended, idle too long, suspended."""
    if not 0 < len(cookie) <= rules.COOKIE_CHARACTERS:
        return None
    view = await sessions.find_session(session, hash_token(cookie))
    if view is None or not rules.alive(view, settings.http, now_ms):
        return None
    return person_of(view, settings, cookie)


def person_of(view: SessionView, settings: Settings, cookie: str) -> Person:
    """The person behind a session that is alive."""
    holder = view.holder
    return Person(
        account_id=holder.id,
        address=holder.address,
        display_name=holder.display_name,
        seat=view.seat,
        seats=rules.seats(holder.seats),
        must_change_password=holder.must_change_password,
        session_id=view.id,
        created_ms=view.created_ms,
        seen_ms=view.seen_ms,
        expires_ms=view.created_ms + round(settings.http.session_lifetime_s * 1000),
        csrf=rules.csrf_token(cookie),
    )
