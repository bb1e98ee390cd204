"""A line in the log for each refusal at the door, as far as a flood of them allows.

"Why was my mail refused at 9:20?" is asked of an administrator, and a counter does not answer it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import structlog

log = structlog.get_logger()

LINES_PER_MINUTE = 60
"""Of one reason in one worker: a flood of one kind neither fills the disk nor hides the others."""
REASONS_LIMIT = 100
"""Reasons told apart in a minute; there are about fifty, and one for each rule."""
CHARACTERS = 200
"""Kept of what a client said."""


class RefusalLog:
    """The lines, and how many were left out since the minute began."""

    def __init__(self) -> None:
        self._minute = 0
        self._told: Counter[str] = Counter()

    def tell(self, now_ms: int, listener: str, client: str, reason: str, known: Mapping[str, object]) -> None:
        """One line, unless this minute had its share; `known` without what is None or empty."""
        self.close_minute(now_ms)
        if reason not in self._told and len(self._told) >= REASONS_LIMIT:
            reason = "other"
        self._told[reason] += 1
        if self._told[reason] <= LINES_PER_MINUTE:
            said = {name: inert(value) for name, value in known.items() if value}
            log.info("refused", listener=listener, client=client, reason=reason, **said)

    def close_minute(self, now_ms: int) -> None:
        """Where the minute is over, say how many lines it lacks."""
        minute = now_ms - now_ms % 60_000
        if minute == self._minute:
            return
        for reason, count in self._told.items():
            if count > LINES_PER_MINUTE:
                more = count - LINES_PER_MINUTE
                log.info("refused", reason=reason, more=more, note=f"{more} more not logged")
        self._minute, self._told = minute, Counter()


def inert(value: object) -> object:
    """Text from outside as it may stand in a line: nothing but what prints, and no more than `CHARACTERS`."""
    if not isinstance(value, str):
        return value
    return "".join(c if c.isprintable() else "\ufffd" for c in value[:CHARACTERS])
