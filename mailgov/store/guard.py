"""Losable state of a node: who wrote to us lately, failed sign-ins and where people sign in from,
and what its other tables (`guard_tables`) hold for `sending`, `greylist` and `sts_policies`.

A SQLite file beside the spools (WAL, synchronous=OFF) that all workers of the node share. No
decision that may not be lost rests on it alone: correspondents come back from the ledger, and
what is known of sign-ins starts from nothing. A damaged file is replaced, a fault gives what an
empty file would; no call raises for the file. The calls block for a moment: use them in a thread.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeVar

from mailgov.store.guard_tables import BOUNDS, CORRESPONDENT_LIMIT, FAILURE_LIMIT, SCHEMA

T = TypeVar("T")

PRUNE_EVERY = 1000
"""Writes between two looks at the limits."""
BUSY_S = 0.5
"""A worker waits this long for another's write, then goes on without."""
OPEN_ATTEMPTS = 10

_NOTE = """
INSERT INTO correspondent VALUES (?, ?)
ON CONFLICT (address) DO UPDATE SET last_ms = max(last_ms, excluded.last_ms)
"""
_FAIL = """
INSERT INTO sign_in_failure VALUES (?1, 1, ?2)
ON CONFLICT (key) DO UPDATE SET count = CASE WHEN last_ms > ?3 THEN count + 1 ELSE 1 END, last_ms = ?2
RETURNING count
"""


class Failures(NamedTuple):
    """How often it failed, and when last, in ms."""

    times: int
    last_ms: int


class Guard:
    """The node's guard database; safe to use from several threads."""

    def __init__(
        self, path: Path, *, correspondents: int = CORRESPONDENT_LIMIT, failures: int = FAILURE_LIMIT
    ) -> None:
        self._path = path
        own = {"correspondent": correspondents, "sign_in_failure": failures, "sign_in_success": failures}
        self._bounds = {
            table: bound._replace(rows=own.get(table, bound.rows)) for table, bound in BOUNDS.items()
        }
        self._lock = threading.Lock()
        self._writes = 0
        self._connection = self._connect()

    @classmethod
    def open(cls, path: Path) -> Guard:
        """Open the file (made with mode 0600); where that cannot be, keep the state in memory."""
        return cls(path)

    def close(self) -> None:
        """Close the file; no call may follow."""
        with self._lock:
            self._connection.close()

    def wrote_last(self, address: str) -> int | None:
        """When this outside address (look-up form) last wrote to us, in ms, or None."""
        query = "SELECT last_ms FROM correspondent WHERE address = ?"
        return self.run(lambda c: _number(c.execute(query, (address,))), None)

    def note_writer(self, address: str, ms: int) -> None:
        """The address wrote at this time; an earlier time never replaces a later one."""
        self.merge([(address, ms)])

    def merge(self, seen: Iterable[tuple[str, int]]) -> None:
        """Note many (address, ms) at once, such as what other nodes learnt."""
        rows = list(seen)

        def note(connection: sqlite3.Connection) -> None:
            with transaction(connection):
                connection.executemany(_NOTE, rows)

        self.run(note, None, writes=len(rows))

    def note_failure(self, key: str, now_ms: int, window_ms: int) -> int:
        """Count a failed sign-in under `key`; returns how many there were without `window_ms` of quiet."""
        row = (key, now_ms, now_ms - window_ms)
        return self.run(lambda c: _number(c.execute(_FAIL, row)), None, writes=1) or 1

    def failures(self, key: str, now_ms: int, window_ms: int) -> Failures | None:
        """Failed sign-ins under `key`; None once `window_ms` have passed since the last."""
        query = "SELECT count, last_ms FROM sign_in_failure WHERE key = ? AND last_ms > ?"

        def read(connection: sqlite3.Connection) -> Failures | None:
            row = connection.execute(query, (key, now_ms - window_ms)).fetchone()
            return None if row is None else Failures(*row)

        return self.run(read, None)

    def forget_failures(self, key: str) -> None:
        """A sign-in succeeded, or an administrator unlocked it."""
        self.run(lambda c: c.execute("DELETE FROM sign_in_failure WHERE key = ?", (key,)), None)

    def note_success(self, key: str, now_ms: int) -> None:
        """A sign-in succeeded under `key`, such as an account and the network that it came from."""
        statement = "INSERT OR REPLACE INTO sign_in_success VALUES (?, ?)"
        self.run(lambda c: c.execute(statement, (key, now_ms)), None, writes=1)

    def last_success(self, key: str) -> int | None:
        """When a sign-in last succeeded under `key`, in ms, or None."""
        query = "SELECT last_ms FROM sign_in_success WHERE key = ?"
        return self.run(lambda c: _number(c.execute(query, (key,))), None)

    def run(self, work: Callable[[sqlite3.Connection], T], otherwise: T, *, writes: int = 0) -> T:
        """`work` on the file, for the modules of this room; `otherwise` where the file is at fault."""
        with self._lock:
            try:
                result = work(self._connection)
                self._prune(writes)
            except (sqlite3.Error, UnicodeEncodeError, OverflowError) as error:
                if _damaged(error):
                    self._replace()
                return otherwise  # locked, full, closed or no text for a database: as if nothing were known
            return result

    def _prune(self, writes: int) -> None:
        self._writes += writes
        if self._writes < PRUNE_EVERY:
            return
        self._writes = 0
        for table, (key, limit) in self._bounds.items():  # names are constants
            count = _number(self._connection.execute(f"SELECT count(*) FROM {table}")) or 0  # noqa: S608 - as above
            if count > limit:
                oldest = f"SELECT {key} FROM {table} ORDER BY last_ms LIMIT ?"  # noqa: S608 - as above
                self._connection.execute(
                    f"DELETE FROM {table} WHERE {key} IN ({oldest})",  # noqa: S608 - as above
                    (count - limit + limit // 10,),
                )

    def _replace(self) -> None:
        """Start anew beside the damaged file, which goes."""
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()
        self._remove()
        self._connection = self._connect()

    def _connect(self) -> sqlite3.Connection:
        for _ in range(OPEN_ATTEMPTS):
            try:
                return _open(self._path)
            except sqlite3.Error as error:
                if _damaged(error):
                    self._remove()
                else:  # another worker is making the file at this moment, and SQLite does not wait for that
                    time.sleep(BUSY_S / OPEN_ATTEMPTS)
            except OSError:
                break
        return _open(None)

    def _remove(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            with contextlib.suppress(OSError):
                Path(f"{self._path}{suffix}").unlink()


def _open(path: Path | None) -> sqlite3.Connection:
    if path is not None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    name = ":memory:" if path is None else str(path)
    connection = sqlite3.connect(name, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=OFF")
        connection.executescript(SCHEMA)
    except BaseException:
        connection.close()
        raise
    return connection


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """A write transaction from its first statement on: what was read in it still stands."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def _damaged(error: Exception) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _number(cursor: sqlite3.Cursor) -> int | None:
    row = cursor.fetchone()
    return None if row is None else int(row[0])
