"""What a process has counted and not yet told the ledger. No SQL: a relay serves before it has loaded any."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import NamedTuple

from mailgov.store.calendar import TIMEZONE, local_date

KEYS_LIMIT = 5_000
"""Different ones between two tellings; past it sessions go uncounted (`lost`)."""
POLICY_CHARACTERS = 4_000
"""Of a policy's text that are kept; real ones have under 300."""
SUCCESS = "success"


class Policy(NamedTuple):
    """What a domain asked for: tlsa, sts or no-policy-found (RFC 8460 4.2), and the host that was tried."""

    kind: str
    domain: str
    host: str
    text: str = ""
    """The policy's lines, as it was last; no part of the key."""


class Key(NamedTuple):
    """The primary key of `tls_result`, in its order. `result`: success, or what RFC 8460 4.3 calls it."""

    day: date
    domain: str
    kind: str
    host: str
    result: str


@dataclass(frozen=True, slots=True)
class Counted:
    """How many sessions, and the policy's text."""

    sessions: int
    text: str


@dataclass(slots=True)
class TlsTally:
    """What a worker has seen and not yet told the ledger."""

    lost: int = 0
    _seen: dict[Key, Counted] = field(default_factory=dict)

    def count(self, now_ms: int, policy: Policy, result: str | None) -> None:
        """One more session; `result` None is one that holds."""
        day = datetime.fromtimestamp(now_ms / 1000, UTC).date()
        key = Key(day, policy.domain, policy.kind, policy.host, result or SUCCESS)
        self._put(key, Counted(1, policy.text[:POLICY_CHARACTERS]))

    def take(self) -> dict[Key, Counted]:
        """What was counted since the last call; `give` puts it back."""
        taken, self._seen = self._seen, {}
        return taken

    def give(self, taken: Mapping[Key, Counted]) -> None:
        """Put back what the ledger did not take."""
        for key, counted in taken.items():
            self._put(key, counted)

    def _put(self, key: Key, counted: Counted) -> None:
        known = self._seen.get(key)
        if known is None and len(self._seen) >= KEYS_LIMIT:
            self.lost += counted.sessions
            return
        self._seen[key] = Counted(counted.sessions + (known.sessions if known else 0), counted.text)


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
