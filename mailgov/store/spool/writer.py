"""The one thread that writes to a spool: group commit.

Operations that arrive together (`gathering`) share a transaction and so one sync of the disk. An operation
is answered only after its transaction is on disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import sqlite3
import threading
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import structlog

from mailgov.store.spool import rows
from mailgov.store.spool.gathering import Answers, Batch, Gathering, Job, Operation
from mailgov.store.spool.model import Change, SpoolError, SpoolFull
from mailgov.store.spool.reserve import Reserve
from mailgov.store.spool.schema import CLEANING, connect

log = structlog.get_logger()

FREE_PAGES = 128
"""Pages of 4 KB that are worth giving back to a disk that was full."""
_FULL_CODES = frozenset({sqlite3.SQLITE_FULL})
_DISK_CODES = frozenset({sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_CANTOPEN})


class SpoolWriter:
    """Runs operations in order, each exactly once, in shared transactions.

    The first of some changes in a row has `Written` of them all as its result, the others have None.
    """

    def __init__(
        self,
        path: Path,
        reserve: Reserve,
        *,
        window_s: float,
        group_limit: int,
        queue_limit: int,
        expected: Callable[[], int] = lambda: 0,
    ) -> None:
        """`expected` says how many messages are on their way here, with those that wait already."""
        self._path, self._reserve = path, reserve
        self._handed: SimpleQueue[Batch | None] = SimpleQueue()
        self._gathering = Gathering(
            self._handed.put,
            window_s=window_s,
            group_limit=group_limit,
            queue_limit=queue_limit,
            expected=expected,
        )
        self._answers: Answers = []
        self._connection = _ready(path)
        self._thread = threading.Thread(target=self._run, name="spool-writer", daemon=True)
        self.commits = 0
        self.operations = 0
        self._thread.start()

    async def run(
        self, work: Operation | Change, after: Callable[[Any], None] | None = None, *, grows: bool = False
    ) -> Any:
        """The operation's result, once it is on disk. Raises SpoolError or SpoolFull if it is not.

        One that `grows` the spool is refused while the disk is full.
        """
        if grows and not self._reserve.held:
            raise SpoolFull("the disk is full")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self._gathering.add(Job(work, future, after, grows), loop)
        # A session that goes away takes no commit back: it cancels the answer alone.
        return await future

    def later(self, work: Operation | Change, after: Callable[[Any], None] | None = None) -> None:
        """Run the operation soon, unanswered; a failure is logged and leaves things as they were."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            loop = None
        self._gathering.add(Job(work, after=after), loop)

    def close(self) -> None:
        """Finish what was handed in, then close the database. Blocks."""
        self._gathering.close()
        self._handed.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (batch := self._handed.get()) is not None:
            self._commit(batch.jobs)
            answers, self._answers = self._answers, []
            if unheard := self._gathering.done(batch, answers):
                log.warning("spool answer had no listener", answers=unheard)
            if not self._reserve.held:
                self._shrink()
        self._connection.close()

    def _commit(self, batch: list[Job]) -> None:
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
                if job.after is not None and result is not None:
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

    def _answer_full(self, batch: list[Job], error: Exception) -> None:
        self._answer(batch, [_as_spool_error(error)] * len(batch))

    def _transaction(self, batch: list[Job]) -> list[Any]:
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        results: list[Any] = []
        for _, alike in groupby([job.work for job in batch], lambda work: isinstance(work, Change)):
            works = list(alike)
            changes = [work for work in works if isinstance(work, Change)]
            if changes:
                results += (rows.apply(connection, changes), *[None] * (len(changes) - 1))
            else:
                results += [work(connection) for work in works if not isinstance(work, Change)]
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

    def _answer(self, batch: list[Job], results: list[Any]) -> None:
        """Told to the loop when all of what was handed in together is done."""
        for job, result in zip(batch, results, strict=True):
            if job.future is not None:
                self._answers.append((job.future, result))


def _ready(path: Path) -> sqlite3.Connection:
    connection = connect(path)
    try:
        connection.executescript(CLEANING)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


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
