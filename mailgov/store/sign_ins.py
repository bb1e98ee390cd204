"""Who signed in, by day and protocol: shown beside the figures, never part of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, case
from sqlalchemy.ext.asyncio import AsyncSession

from mailgov.store.calendar import TIMEZONE, local_date
from mailgov.store.sql import add, upsert
from mailgov.store.tables import SignIn


class SignInKey(NamedTuple):
    """The primary key of `sign_in`, in its order. `protocol`: submission, imap or web."""

    local_date: date
    account: str
    protocol: str


class Signed(NamedTuple):
    """How often, and when last (ms since 1970-01-01 UTC)."""

    times: int
    last_ms: int


@dataclass(slots=True)
class SignInTally:
    """What a process has seen and not yet told the ledger.

    Only accounts of the directory sign in, so a ledger that is away for long does not make it
    grow past one entry for each account, day and protocol.
    """

    timezone: str = TIMEZONE
    _seen: dict[SignInKey, Signed] = field(default_factory=dict)

    def note(self, account: str, protocol: str, now_ms: int) -> None:
        """One sign-in that succeeded."""
        key = SignInKey(local_date(now_ms, self.timezone), account, protocol)
        self._put(key, Signed(1, now_ms))

    def take(self) -> dict[SignInKey, Signed]:
        """What was noted since the last call; `give` puts it back."""
        taken, self._seen = self._seen, {}
        return taken

    def give(self, taken: Mapping[SignInKey, Signed]) -> None:
        """Put back what the ledger did not take."""
        for key, signed in taken.items():
            self._put(key, signed)

    def _put(self, key: SignInKey, signed: Signed) -> None:
        known = self._seen.get(key, Signed(0, 0))
        self._seen[key] = Signed(known.times + signed.times, max(known.last_ms, signed.last_ms))


async def add_sign_ins(session: AsyncSession, taken: Mapping[SignInKey, Signed]) -> None:
    """Add a tally to the days that it belongs to."""
    rows: list[dict[str, Any]] = [
        key._asdict() | {"count": signed.times, "last_ms": signed.last_ms} for key, signed in taken.items()
    ]
    await upsert(session, SignIn, rows, {"count": add, "last_ms": _later})


def _later(stands: ColumnElement[Any], comes: ColumnElement[Any]) -> ColumnElement[Any]:
    return case((stands > comes, stands), else_=comes)
