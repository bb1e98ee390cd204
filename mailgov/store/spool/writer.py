"""The one thread that writes to a spool: group commit.

Operations that arrive together share a transaction and so one sync of the disk. An operation
is answered only after its transaction is on disk. Lazy ones (outcomes: losing one costs a
repeated delivery, never a message) wait a little for company.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from mailgov.store.spool.model import SpoolError, SpoolFull
from mailgov.store.spool.reserve import Reserve
from mailgov.store.spool.schema import CLEANING, connect

log = structlog.get_logger()

Operation = Callable[[sqlite3.Connection], Any]
OFTEN_S = 0.05
"""Mail comes often where the last commit is not older than this."""
FREE_PAGES = 128
"""Pages of 4 KB that are worth giving back to a disk that was full."""
_FULL_CODES = frozenset({sqlite3.SQLITE_FULL})
_DISK_CODES = frozenset({sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_CANTOPEN})


@dataclass(slots=True)
class _Job:
    operation: Operation
    loop: asyncio.AbstractEventLoop | None
    future: asyncio.Future[Any] | None
    after: Callable[[Any], None] | None = None
    """Called in the writer's thread with the result, once it is on disk."""
    grows: bool = False
    """It brings new mail: refused while the disk is full, so that what there is can leave."""


class SpoolWriter:
    """Runs operations in order, each exactly once, in shared transactions."""

    def __init__(
        self,
        path: Path,
        reserve: Reserve,
        *,
        window_s: float,
        group_limit: int,
        queue_limit: int,
        lazy_s: float = 0.05,
        expected: Callable[[], int] = lambda: 0,
    ) -> None:
        """`expected` says how many messages are on their way here, with those that wait already."""
        self._path, self._reserve = path, reserve
        self._window_s, self._group_limit, self._queue_limit = window_s, group_limit, queue_limit
        self._lazy_s, self._expected = lazy_s, expected
        self._urgent: deque[_Job] = deque()
        self._lazy: deque[_Job] = deque()
        self._lazy_since = 0.0
        self._wanted = 1
        """How many urgent operations wake the thread."""
        self._committed = 0.0
        self._wake = threading.Condition()
        self._closing = False
        self._connection = _ready(path)
        self._thread = threading.Thread(target=self._run, name="spool-writer", daemon=True)
        self.commits = 0
        self.operations = 0
        self._thread.start()

    async def run(
        self, operation: Operation, after: Callable[[Any], None] | None = None, *, grows: bool = False
    ) -> Any:
        """The operation's result, once it is on disk. Raises SpoolError or SpoolFull if it is not.

        One that `grows` the spool is refused while the disk is full.
        """
        if grows and not self._reserve.held:
            raise SpoolFull("the disk is full")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        with self._wake:
            if self._closing:
                raise SpoolError("the spool is closing")
            if len(self._urgent) >= self._queue_limit:
                raise SpoolFull("too many operations wait for the spool")
            self._urgent.append(_Job(operation, loop, future, after, grows))
            if len(self._urgent) >= self._wanted:
                self._wake.notify()
        # A session that goes away takes no commit back: it cancels the answer alone.
        return await future

    def later(self, operation: Operation, after: Callable[[Any], None] | None = None) -> None:
        """Run the operation soon, unanswered; a failure is logged and leaves things as they were."""
        with self._wake:
            if not self._lazy:
                self._lazy_since = time.monotonic()
                self._wake.notify()
            self._lazy.append(_Job(operation, None, None, after))

    def close(self) -> None:
        """Finish what was handed in, then close the database. Blocks."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()

    def _run(self) -> None:
        last_group = 0
        while True:
            batch = self._gather(last_group)
            if batch is None:
                break
            last_group = sum(1 for job in batch if job.future is not None)
            self._commit(batch)
            self._committed = time.monotonic()
            if not self._reserve.held:
                self._shrink()
        self._connection.close()

    def _gather(self, last_group: int) -> list[_Job] | None:
        """The next batch; None when closing and nothing is left."""
        with self._wake:
            while not self._urgent:
                lazy_wait = self._lazy_since + self._lazy_s - time.monotonic() if self._lazy else None
                if self._closing and not self._lazy:
                    return None
                if self._lazy and (self._closing or (lazy_wait or 0) <= 0):
                    break
                self._wake.wait(lazy_wait)
            if self._urgent:
                self._await_company(last_group)
            batch: list[_Job] = []
            for waiting in (self._urgent, self._lazy):
                while waiting and len(batch) < self._group_limit:
                    batch.append(waiting.popleft())
            if self._lazy:
                self._lazy_since = time.monotonic()
            return batch

    def _await_company(self, last_group: int) -> None:
        """Wait a little where the batch before had company, or where mail comes often and more is on its way.

        A commit costs as much as several messages in it; a lone session is not slowed.
        """
        now = time.monotonic()
        often = now - self._committed < OFTEN_S
        self._wanted = min(max(last_group, self._expected() if often else 1), self._group_limit)
        end = now + self._window_s
        while len(self._urgent) < self._wanted and not self._closing and (left := end - time.monotonic()) > 0:
            self._wake.wait(left)
        self._wanted = 1

    def _commit(self, batch: list[_Job]) -> None:
        try:
            results: list[Any] = self._transaction(batch)
        except Exception as error:  # noqa: BLE001 - each operation is answered, whatever it raised
            self._recover(error)
            if _is_full(error) and self._reserve.give_up():
                self._answer_full([job for job in batch if job.grows], error)
                self._overwrite("FAST")
                for job in batch:
                    if not job.grows:
                        self._commit([job])
                return
            if len(batch) > 1 and (_is_full(error) or not _is_disk_trouble(error)):
                # One bad operation must not fail the others, and a small one fits where all do not:
                # each gets a transaction of its own.
                for job in batch:
                    self._commit([job])
                return
            failure = _as_spool_error(error)
            log.error("spool write failed", error=str(error), operations=len(batch))
            results = [failure] * len(batch)
        else:
            for job, result in zip(batch, results, strict=True):
                if job.after is not None:
                    job.after(result)
        self._answer(batch, results)

    def _shrink(self) -> None:
        """Give the disk back what mail that has left took of the database and its log; then look for room.

        Not before there is something to give, or room for all that the log holds: a checkpoint may make
        the file larger, out of the room that outcomes need.
        """
        try:
            free = self._connection.execute("PRAGMA freelist_count").fetchone()[0]
            if free >= FREE_PAGES or self._reserve.room_bytes() > self._log_bytes() > 0:
                self._connection.executescript("PRAGMA incremental_vacuum")  # `execute` steps once: one page
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except (sqlite3.Error, OSError) as error:
            log.warning("the spool could not be made smaller", error=str(error))
        if self._reserve.take():
            self._overwrite("ON")

    def _overwrite(self, mode: str) -> None:
        """ON: what is deleted is overwritten, which needs room in the log. FAST: only where it costs none."""
        with contextlib.suppress(sqlite3.Error):
            self._connection.execute(f"PRAGMA secure_delete={mode}")

    def _log_bytes(self) -> int:
        """The size of the write-ahead log."""
        log_file = self._path.with_name(f"{self._path.name}-wal")
        return log_file.stat().st_size if log_file.exists() else 0

    def _answer_full(self, batch: list[_Job], error: Exception) -> None:
        self._answer(batch, [_as_spool_error(error)] * len(batch))

    def _transaction(self, batch: list[_Job]) -> list[Any]:
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        results = [job.operation(connection) for job in batch]
        connection.execute("COMMIT")
        self.commits += 1
        self.operations += len(batch)
        return results

    def _recover(self, error: Exception) -> None:
        """Roll back; after trouble with the disk, start again with a connection that knows nothing."""
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            if _is_full(error) or not _is_disk_trouble(error):
                return
        except sqlite3.Error:
            log.warning("spool rollback failed, reopening")
        try:
            self._connection.close()
        except sqlite3.Error as close_error:
            log.warning("spool close failed", error=str(close_error))
        try:
            self._connection = _ready(self._path)
        except sqlite3.Error as open_error:
            # The closed connection stays: each operation fails, and the next one tries again.
            log.error("spool cannot be reopened", error=str(open_error))

    @staticmethod
    def _answer(batch: list[_Job], results: list[Any]) -> None:
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Any]]] = {}
        for job, result in zip(batch, results, strict=True):
            if job.loop is not None and job.future is not None:
                by_loop.setdefault(job.loop, []).append((job.future, result))
        for loop, answers in by_loop.items():
            try:
                loop.call_soon_threadsafe(_deliver, answers)
            except RuntimeError:  # the loop is closed: nobody listens any more
                log.warning("spool answer had no listener", answers=len(answers))


def _ready(path: Path) -> sqlite3.Connection:
    connection = connect(path)
    try:
        connection.executescript(CLEANING)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _deliver(answers: list[tuple[asyncio.Future[Any], Any]]) -> None:
    for future, result in answers:
        if future.done():
            continue
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result)


def _primary_code(error: Exception) -> int | None:
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def _is_full(error: Exception) -> bool:
    return _primary_code(error) in _FULL_CODES or getattr(error, "errno", None) == errno.ENOSPC


def _is_disk_trouble(error: Exception) -> bool:
    if isinstance(error, sqlite3.ProgrammingError):  # a connection that could not be reopened
        return True
    return isinstance(error, OSError) or _primary_code(error) in _FULL_CODES | _DISK_CODES


def _as_spool_error(error: Exception) -> SpoolError:
    return SpoolFull(str(error)) if _is_full(error) else SpoolError(str(error))
