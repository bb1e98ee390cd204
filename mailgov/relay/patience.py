"""A time limit that is set and lifted for each thing waited for, and seldom runs out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Patience:
    """One limit at a time; `ring` is called once it has run out.

    A timer of the loop costs more than most of what it guards: the one that is set is left to run,
    and what it finds when it fires decides whether it is set again.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._ring: Callable[[], object] | None = None
        self._due = 0.0
        self._fires = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def runs(self) -> bool:
        """True from `begin` until `end`, or until the limit has run out."""
        return self._ring is not None

    def begin(self, limit_s: float, ring: Callable[[], object]) -> None:
        """From now on `limit_s`, instead of what was set before."""
        self._ring, self._due = ring, self._loop.time() + limit_s
        if self._timer is None:
            self._set()
        elif self._due < self._fires:
            self._timer.cancel()
            self._set()

    def end(self) -> None:
        """What was waited for came."""
        self._ring = None

    def close(self) -> None:
        """Nothing is waited for any more: leave no timer behind."""
        self._ring = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set(self) -> None:
        self._fires = self._due
        self._timer = self._loop.call_at(self._due, self._look)

    def _look(self) -> None:
        self._timer = None
        ring = self._ring
        if ring is None:
            return
        if self._due > self._loop.time():
            self._set()
            return
        self._ring = None
        ring()
