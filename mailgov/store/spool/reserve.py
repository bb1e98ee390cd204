"""Room kept for the day the disk is full: mail that was accepted must be able to leave.

Leases and outcomes are writes too. A file of some megabytes is given up when the disk refuses
one; from then on nothing new is taken (452 4.3.1) until there is room for the file again.
"""

from __future__ import annotations

import os
from pathlib import Path

import structlog

log = structlog.get_logger()

SHARE = 8
"""The reserve is at most this part of a small file system."""


class Reserve:
    """`held` is False while the disk is full. Blocks; calls do not overlap harmfully from threads."""

    def __init__(self, path: Path, size_bytes: int) -> None:
        self._path, self._size_bytes = path, size_bytes
        self.held = False

    def take(self) -> bool:
        """Keep the room, where there is twice as much; returns `held`."""
        if not self.held:
            try:
                self.held = self._allocated()
            except OSError as error:
                self._path.unlink(missing_ok=True)
                log.warning("no room for the spool's reserve", error=str(error))
            if self.held:
                log.info("room kept for outcomes", reserve=str(self._path))
        return self.held

    def room_bytes(self) -> int:
        """Free on the disk. Raises OSError."""
        room = os.statvfs(self._path.parent)
        return room.f_frsize * room.f_bavail

    def _allocated(self) -> bool:
        room = os.statvfs(self._path.parent)
        size = min(self._size_bytes, room.f_frsize * room.f_blocks // SHARE)
        there = self._path.stat().st_size if self._path.exists() else 0
        if there < size and self.room_bytes() < 2 * size:
            return False
        descriptor = os.open(self._path, os.O_CREAT | os.O_WRONLY, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, max(1, size))
        finally:
            os.close(descriptor)
        return True

    def give_up(self) -> bool:
        """Let the room go; False when it had gone before."""
        held, self.held = self.held, False
        if held:
            self._path.unlink(missing_ok=True)
            log.error("the spool's disk is full: nothing new is taken until there is room")
        return held

    def remove(self) -> None:
        """Let the room go whatever is known of it: a start on a full disk needs it."""
        self.held = False
        self._path.unlink(missing_ok=True)
