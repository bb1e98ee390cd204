"""The newest entries of the outbox, kept in memory until they are told.

The forwarder takes them from here as they were made. It reads the disk (and decodes) only for what
an earlier life left, and for what did not fit while the ledger was away.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable

from mailgov.mail.events import Event

LIMIT_BYTES = 4_194_304
"""Of the events as they are written; the oldest are let go first. In memory they take about thrice that."""

Entry = tuple[int, Event, int]
"""Sequence, event, and the size of what was written."""


class Tail:
    """Filled by the writer's thread in the order of commits, emptied by the forwarder."""

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._lock = threading.Lock()
        self._entries: deque[Entry] = deque()
        self._bytes = 0
        self._from = 0
        """Every entry with a sequence above this one is here."""

    def start(self, last: int) -> None:
        """What the outbox holds up to `last` is on disk alone."""
        self._from = last

    def add(self, entries: Iterable[Entry]) -> None:
        """Take in what is on disk now."""
        with self._lock:
            for entry in entries:
                self._entries.append(entry)
                self._bytes += entry[2]
            while self._bytes > self._limit_bytes:
                self._drop()

    def after(self, sequence: int, limit: int) -> list[tuple[int, Event]] | None:
        """The entries after `sequence`, in order; None where only the disk knows them all."""
        with self._lock:
            while self._entries and self._entries[0][0] <= sequence:
                self._drop()
            if sequence < self._from or (self._entries and self._entries[0][0] != sequence + 1):
                return None
            return [entry[:2] for entry, _ in zip(self._entries, range(limit), strict=False)]

    def _drop(self) -> None:
        self._from, _, size = self._entries.popleft()
        self._bytes -= size
