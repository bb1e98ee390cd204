"""How many reports strangers' mail may cause: its reverse-path may be a victim's, whom we would flood.

Our own accounts are bounded by what they may send; here it is mail that came in over MX.
"""

from __future__ import annotations

from mailgov.settings import DeliverySettings

SPAN_MS = 3_600_000
PATHS_LIMIT = 20_000
"""Reverse-paths counted at once; beyond them the one that was counted first is forgotten."""


class ReportsSent:
    """The reports of this hour, by reverse-path and in all. It belongs to the event loop."""

    def __init__(self, settings: DeliverySettings) -> None:
        self.heed(settings)
        self._hour = 0
        self._unproven = self._asked = 0
        self._paths: dict[str, int] = {}

    def heed(self, settings: DeliverySettings) -> None:
        """The bounds; what was counted stays counted."""
        self._per_path, self._in_all = settings.stranger_report_limit, settings.stranger_report_total

    def take(self, reverse_path: str, proven: bool, now_ms: int, *, asked_for: bool = False) -> bool:
        """Count a report; False where it would be one too many.

        Where SPF has `proven` that the client may write for the reverse-path's domain, only the bound
        of the one path holds: nobody else can use up what all share. Reports that no failure causes, but
        the stranger who has `asked_for` them, have a bound of their own in all: a domain has names enough.
        """
        hour = now_ms // SPAN_MS
        if hour != self._hour:
            self._hour, self._unproven, self._asked, self._paths = hour, 0, 0, {}
        key = reverse_path.lower()
        if self._paths.get(key, 0) >= self._per_path or (not proven and self._unproven >= self._in_all):
            return False
        if asked_for and self._asked >= self._in_all:
            return False
        if key not in self._paths and len(self._paths) >= PATHS_LIMIT:
            del self._paths[next(iter(self._paths))]
        self._paths[key] = self._paths.get(key, 0) + 1
        self._unproven += not proven
        self._asked += asked_for
        return True
