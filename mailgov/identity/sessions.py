"""Browser sessions: their cookie, their limits, the seat that they act from, their CSRF token."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mailgov.identity.roles import AGENCY_ROLES, Role
from mailgov.identity.tokens import TOKEN_OCTETS, NewToken, hash_token
from mailgov.settings import HttpSettings
from mailgov.store.seats import Seat
from mailgov.store.sessions import SessionView

COOKIE = "mailgov-session"
COOKIE_CHARACTERS = 100
"""Ours have 43; more is not hashed."""
OWNER = Seat(Role.OWNER.value, None)
"""What every holder of an account is, without a row that says so."""
SAME_MOMENT_MS = 1000
"""Clocks of two machines differ: a session made this much before a password counts as made with it."""


@dataclass(frozen=True, slots=True)
class CookieForm:
    """How the session's cookie is named and bound; `secure` where people reach us by https."""

    secure: bool

    @classmethod
    def of(cls, settings: HttpSettings) -> CookieForm:
        return cls(settings.public_url.lower().startswith("https://"))

    @property
    def name(self) -> str:
        """With `__Host-` a browser takes it from this host alone, over TLS alone (RFC 6265bis 4.1.3.2)."""
        return f"__Host-{COOKIE}" if self.secure else COOKIE

    def text(self, value: str) -> str:
        """A Set-Cookie field; an empty value takes the cookie away. It ends with the browser."""
        ends = "; Max-Age=0" if not value else ""
        return (
            f"{self.name}={value}; Path=/; HttpOnly; SameSite=Strict{'; Secure' if self.secure else ''}{ends}"
        )


def new_session(random: Callable[[int], bytes]) -> NewToken:
    """A cookie's value of 256 random bits, and the hash that is kept."""
    text = base64.urlsafe_b64encode(random(TOKEN_OCTETS)).rstrip(b"=").decode()
    return NewToken(text, hash_token(text))


def csrf_token(cookie: str) -> str:
    """What a form or a program repeats beside the cookie; only who can read our answers knows it."""
    return hmac.new(cookie.encode(errors="replace"), b"mailgov csrf", hashlib.sha256).hexdigest()


def csrf_matches(cookie: str, given: str | None) -> bool:
    """True when `given` is the cookie's token."""
    return hmac.compare_digest(csrf_token(cookie).encode(), (given or "").encode(errors="replace"))


def seats(held: Sequence[Seat]) -> tuple[Seat, ...]:
    """What a holder may act as, the farthest-reaching seat first and owner last.

    Seats that this version does not know, or whose agency does not fit, are none.
    """
    known = [seat for seat in held if _fits(seat)]
    order = [role.value for role in Role]
    return (*sorted(known, key=lambda seat: (order.index(seat.role), seat.agency or "")), OWNER)


def _fits(seat: Seat) -> bool:
    try:
        role = Role(seat.role)
    except ValueError:
        return False
    return role is not Role.OWNER and (role in AGENCY_ROLES) is (seat.agency is not None)


def alive(view: SessionView, settings: HttpSettings, now_ms: int) -> bool:
    """True while the session may be used: not ended, within its times, its account open, its seat held."""
    holder = view.holder
    return (
        view.ended_ms is None
        and now_ms < view.created_ms + settings.session_lifetime_s * 1000
        and now_ms < view.seen_ms + settings.session_idle_s * 1000
        and not holder.shut
        and view.created_ms + SAME_MOMENT_MS >= (holder.password_set_ms or 0)
        and view.seat in seats(holder.seats)
    )
