"""How far a spool was looked through in vain: what waits for a full lane is not passed over each time."""

from __future__ import annotations

from collections.abc import Collection

LAG_MS = 60_000
"""What becomes due is written a little after its time: so far back is looked at each time."""
AGAIN_MS = 60_000
"""So often all is looked through, whatever was seen before."""


class Passed:
    """Everything due before a moment was left on purpose, and is as long as nothing more may be claimed."""

    def __init__(self) -> None:
        self._skip: frozenset[str] = frozenset()
        self._local = self._remote = True
        self._until_ms = self._since_ms = self._now_ms = 0

    def from_ms(self, now_ms: int, skip: Collection[str], *, local: bool, remote: bool) -> int:
        """What is due from then on is to be looked at; 0 for all."""
        if local and remote and not skip:
            return 0
        wider = (local and not self._local) or (remote and not self._remote) or not self._skip <= set(skip)
        if wider or not self._now_ms <= now_ms < self._since_ms + AGAIN_MS:
            self._until_ms, self._since_ms = 0, now_ms
        return max(0, self._until_ms - LAG_MS)

    def note(self, now_ms: int, skip: Collection[str], *, local: bool, remote: bool, until_ms: int) -> None:
        """All that was due before `until_ms` is leased or was left."""
        self._skip, self._local, self._remote, self._now_ms = frozenset(skip), local, remote, now_ms
        self._until_ms = until_ms
