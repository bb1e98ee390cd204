"""How sessions with other servers went, by day and policy, for TLS reports (RFC 8460 4)."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

DAY_MS = 86_400_000
KEYS_LIMIT = 5_000
"""Different ones between two times that they are taken; past it sessions go uncounted (`lost`)."""


class Policy(NamedTuple):
    """What a domain asked for: tlsa, sts or no-policy-found (RFC 8460 4.2), and the host that was tried."""

    kind: str
    domain: str
    lines: tuple[str, ...]
    host: str


class Key(NamedTuple):
    """What sessions are counted by. `day` is the UTC day's first ms; `result` "" for a session that holds."""

    day_ms: int
    policy: Policy
    result: str


class Tally:
    """One worker's count."""

    def __init__(self) -> None:
        self._counts: Counter[Key] = Counter()
        self.lost = 0

    def count(self, now_ms: int, policy: Policy, result: str | None) -> None:
        """One more session of this kind."""
        key = Key(now_ms - now_ms % DAY_MS, policy, result or "")
        if key not in self._counts and len(self._counts) >= KEYS_LIMIT:
            self.lost += 1
            return
        self._counts[key] += 1

    def take(self) -> dict[Key, int]:
        """What was counted since the last time."""
        taken, self._counts = dict(self._counts), Counter()
        return taken
