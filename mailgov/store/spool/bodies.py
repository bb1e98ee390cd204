"""Bodies on their way in: kept in memory while small, written to a file as they come when not."""

from __future__ import annotations

import asyncio
import errno
import mmap
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from mailgov.store.spool.model import Body, SpoolError, SpoolFull, SpoolPaths

WRITE_CHUNK_BYTES = 262_144
"""File writes are handed to a thread in pieces of this size: a hop costs more than a write."""


_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})


class BodyWriter:
    """Takes a message's bytes in chunks. `finish` makes them durable, `discard` leaves no trace.

    The caller awaits each call before the next one. Memory held is at most `memory_bytes`
    plus one write chunk.
    """

    def __init__(
        self,
        paths: SpoolPaths,
        executor: Executor,
        queue_id: str,
        memory_bytes: int,
        room: Callable[[], bool] = lambda: True,
    ) -> None:
        self._paths, self._executor, self._memory_bytes, self._room = paths, executor, memory_bytes, room
        self._name = queue_id
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._file: BinaryIO | None = None
        self._sealed = False
        self.size_bytes = 0

    @property
    def _temporary(self) -> Path:
        return self._paths.incoming / self._name

    @property
    def _final(self) -> Path:
        return self._paths.bodies / self._name

    async def write(self, chunk: bytes) -> None:
        """Take the next bytes. Raises SpoolError where the disk refuses or is known to be full."""
        if not self._room():
            raise SpoolFull(f"body of {self._name}: the disk is full")
        self._pending.append(chunk)
        self._pending_bytes += len(chunk)
        self.size_bytes += len(chunk)
        bound = self._memory_bytes if self._file is None else WRITE_CHUNK_BYTES
        if self._pending_bytes > bound:
            await self._in_thread(self._flush)

    @contextmanager
    def view(self) -> Iterator[bytes | mmap.mmap]:
        """All bytes so far, to look at; blocks, so call it in a thread when `in_file`.

        Raises SpoolError where the disk refuses.
        """
        if self._file is None:
            self._pending = [b"".join(self._pending)]
            yield self._pending[0]
            return
        with self._told():
            self._flush()
        with self._temporary.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
            yield view

    @property
    def in_file(self) -> bool:
        """True once the body has outgrown memory."""
        return self._file is not None

    async def finish(self) -> Body:
        """The body: as bytes, or as a file that is synced and named on disk (its folder too)."""
        if self._file is None:
            return Body(self.size_bytes, data=b"".join(self._pending))
        await self._in_thread(self._seal)
        return Body(self.size_bytes, file=self._name)

    async def discard(self) -> None:
        """Forget everything; a file, finished or not, is unlinked before this returns.

        Only for a body that no row names: not after a commit that may have taken place.
        """
        self._pending.clear()
        self._pending_bytes = 0
        if self._file is not None or self._sealed:
            file, self._file = self._file, None
            if file is not None:
                file.close()
            await self._in_thread(self._unlink)

    def discard_soon(self) -> None:
        """As `discard`, without waiting; what a crash leaves is swept at the next start."""
        self._pending.clear()
        self._pending_bytes = 0
        if self._file is not None:
            file, self._file = self._file, None
            file.close()
            self._executor.submit(self._unlink)

    def _flush(self) -> None:
        if self._file is None:
            descriptor = os.open(self._temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            self._file = os.fdopen(descriptor, "wb", buffering=0)
        data = memoryview(b"".join(self._pending))
        while data:
            data = data[self._file.write(data) :]
        self._pending.clear()
        self._pending_bytes = 0

    def _seal(self) -> None:
        self._flush()
        file, self._file = self._file, None
        if file is None:  # _flush opened it; here for the type checker and for -O
            raise SpoolError("no file to seal")
        self._sealed = True  # from here on `discard` has two names to look at
        with file:
            os.fsync(file.fileno())
        self._temporary.rename(self._final)
        sync_folder(self._paths.bodies)

    def _unlink(self) -> None:
        self._temporary.unlink(missing_ok=True)
        if self._sealed:
            self._final.unlink(missing_ok=True)

    async def _in_thread(self, work: Callable[[], None]) -> None:
        with self._told():
            await asyncio.get_running_loop().run_in_executor(self._executor, work)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What the disk says, as a SpoolError."""
        try:
            yield
        except OSError as error:
            kind = SpoolFull if error.errno in _NO_ROOM else SpoolError
            raise kind(f"body of {self._name}: {error}") from error


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sweep(paths: SpoolPaths, known: set[str]) -> int:
    """Remove files that no row names: what a kill left between file and transaction."""
    removed = 0
    for folder, keep in ((paths.incoming, set[str]()), (paths.bodies, known)):
        for entry in folder.iterdir():
            if entry.name not in keep:
                entry.unlink(missing_ok=True)
                removed += 1
    return removed
