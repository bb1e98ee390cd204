"""One spool folder: held under a lock by one live process, written by one thread."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import sqlite3
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Executor
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar
from weakref import WeakSet

import structlog

from mailgov.mail.events import Event, decode
from mailgov.settings import SpoolSettings
from mailgov.store.spool import deaths, rows, waiting
from mailgov.store.spool.bodies import BodyWriter, sweep, sync_folder
from mailgov.store.spool.model import Change, QueuedMessage, SpoolError, SpoolHeld, SpoolPaths, SpoolUnfit
from mailgov.store.spool.passed import Passed
from mailgov.store.spool.reserve import Reserve
from mailgov.store.spool.schema import connect, prepare
from mailgov.store.spool.tail import Tail
from mailgov.store.spool.unfit import DAMAGED, why_unfit
from mailgov.store.spool.waiting import Turn
from mailgov.store.spool.writer import SpoolWriter

log = structlog.get_logger()
T = TypeVar("T")

LEASE_MS = 3_600_000
"""Longer than any attempt may last: RFC 5321 4.5.3.2 adds up to about half an hour."""
WAKE_LIMIT = 200
"""Recipients woken in one transaction: bounds how long new mail waits for it."""
COUNT_S = 0.02
"""A count of the queue that takes longer is not made each time that it is asked for."""


class Spool:
    """Open with `Spool.open`; `close` when done. Methods that touch the disk are coroutines."""

    def __init__(self, paths: SpoolPaths, lock: int, executor: Executor, settings: SpoolSettings) -> None:
        self._paths, self._lock, self._executor = paths, lock, executor
        self._settings = settings
        self.id = ""
        self._reserve = Reserve(paths.reserve, settings.reserve_bytes)
        self._writer: SpoolWriter
        self._reader: sqlite3.Connection
        self._reading = asyncio.Lock()
        self._passed = Passed()
        self._depth: dict[str, int] = {}
        self._depth_until_s = 0.0
        self._tail = Tail()
        self._told = 0
        """The last event that the ledger may have: any from before the start, since then what was read."""
        self._bodies = WeakSet[BodyWriter]()
        """Of the messages that come in; they go when their sessions let them go."""

    @classmethod
    def open(
        cls, folder: Path, *, settings: SpoolSettings, executor: Executor, new_id: str, now_ms: int
    ) -> Spool:
        """Take the folder (made if missing), recover it, start its writer. Blocks.

        `new_id` names a spool that is new; it must be random. Raises SpoolHeld when another
        process has it, and SpoolUnfit, which changes nothing, where only a person can help. Leases of an
        earlier life are lifted, files that no row names are removed.
        """
        try:
            return cls._open(folder, settings, executor, new_id, now_ms)
        except Exception as error:
            why = why_unfit(error)
            if why is None:
                raise
            raise SpoolUnfit(f"the queue in {folder} {why}") from error

    @classmethod
    def _open(
        cls, folder: Path, settings: SpoolSettings, executor: Executor, new_id: str, now_ms: int
    ) -> Spool:
        paths = SpoolPaths(folder)
        for place in (folder, paths.incoming, paths.bodies):
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(paths.lock, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            raise SpoolHeld(f"another process holds the spool in {folder}") from None
        spool = cls(paths, lock, executor, settings)
        try:
            spool._recover(new_id, now_ms)
        except BaseException:
            os.close(lock)
            raise
        return spool

    def _recover(self, new_id: str, now_ms: int) -> None:
        old_mask = os.umask(0o077)
        try:
            connection = connect(self._paths.database)
        finally:
            os.umask(old_mask)
        try:
            self._look_for_loss(connection)
            self.id = self._despite_full_disk(lambda: prepare(connection, new_id))
            lifted = self._lift(connection, now_ms)
            self._tail.start(rows.last_event(connection))
            self._told = rows.last_used(connection)
            known = {row[0] for row in connection.execute("SELECT file FROM message WHERE file IS NOT NULL")}
        finally:
            connection.close()
        removed = sweep(self._paths, known)
        for folder in (self._paths.folder, self._paths.folder.parent):
            sync_folder(folder)  # a new spool's own name must outlive a power cut too
        if lifted or removed:
            log.info("spool recovered", spool=self.id, in_flight=lifted, orphans=removed)
        self._reserve.take()
        s = self._settings
        self._writer = SpoolWriter(
            self._paths.database,
            self._reserve,
            window_s=s.group_window_s,
            group_limit=s.group_limit,
            queue_limit=s.queue_limit,
            expected=self._bodies.__len__,
        )
        self._reader = connect(self._paths.database, read_only=True)

    def _look_for_loss(self, connection: sqlite3.Connection) -> None:
        """Raise SpoolUnfit where the database is new and bodies are not: a sweep would take them."""
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        bodies = 0 if version else sum(1 for _ in self._paths.bodies.iterdir())
        if bodies:
            there = "1 body is there" if bodies == 1 else f"{bodies} bodies are there"
            raise SpoolUnfit(DAMAGED.format(f"its database is empty, but {there}"))

    def _lift(self, connection: sqlite3.Connection, now_ms: int) -> int:
        """End the leases of an earlier life, on a full disk too."""
        limit = self._settings.set_aside_after
        lifted = self._despite_full_disk(lambda: deaths.lift(connection, now_ms, limit))
        if lifted.set_aside:
            log.error("messages set aside: the worker died on them", queue_ids=lifted.set_aside, times=limit)
        return lifted.in_flight

    def _despite_full_disk(self, work: Callable[[], T]) -> T:
        """What work returns; where it fails it is done again with the reserve's room."""
        try:
            return work()
        except sqlite3.OperationalError:
            self._reserve.remove()
            return work()

    def last_seen_ms(self) -> int | None:
        """What `note_time` was last told, in an earlier life too; None where it never was."""
        try:
            return self._paths.seen.stat().st_mtime_ns // 1_000_000
        except OSError:
            return None

    def note_time(self, now_ms: int) -> None:
        """It is attended now, by the wall clock. Blocks; what cannot be written is lost."""
        with contextlib.suppress(OSError):
            self._paths.seen.touch(mode=0o600)
            os.utime(self._paths.seen, ns=(now_ms * 1_000_000, now_ms * 1_000_000))

    @property
    def full(self) -> bool:
        """True while the disk has no room: nothing new may be taken."""
        return not self._reserve.held

    async def look_for_room(self) -> None:
        """After the disk was full: take new mail again once there is room."""
        if self.full:
            with contextlib.suppress(SpoolError):  # tried again soon
                await self._writer.run(lambda _: None)  # the writer looks for room after each commit

    def body_writer(self, queue_id: str, memory_bytes: int) -> BodyWriter:
        """Where a message's bytes go as they arrive."""
        writer = BodyWriter(self._paths, self._executor, queue_id, memory_bytes, lambda: not self.full)
        self._bodies.add(writer)
        return writer

    async def apply(self, change: Change) -> None:
        """Write a change; when this returns it is on disk. Raises SpoolError if it is not.

        New messages whose commit failed lose their body files: they were never acknowledged.
        """
        try:
            grows = bool(change.messages and not change.progress)
            await self._writer.run(change, self._written, grows=grows)
        except SpoolError:
            self._unlink([m.body.file for m in change.messages if m.body.file])
            raise

    def apply_later(self, change: Change) -> None:
        """Write a change soon. Only for outcomes: losing one repeats a delivery, no more."""
        self._writer.later(change, self._written)

    async def act(self, change: Change, states: Collection[str]) -> frozenset[int]:
        """Write an act on recipients of one message; returns the positions that it was written for.

        Left alone is who is in none of `states` and who is leased: an attempt is under way, or its outcome on
        its way to the disk.
        """
        positions: frozenset[int]
        _, positions = await self._writer.run(
            lambda c: rows.act(c, change, states), lambda found: self._written(found[0])
        )
        return positions

    async def claim(
        self,
        now_ms: int,
        limit: int,
        *,
        skip: Collection[str] = (),
        local: bool = True,
        remote: bool = True,
    ) -> list[QueuedMessage]:
        """Due recipients, leased to this process and grouped by message; see `rows.Due`.

        Nothing is written where nothing is due: an idle queue costs no sync.
        """
        from_ms = self._passed.from_ms(now_ms, skip, local=local, remote=remote)
        due = rows.Due(now_ms, skip, local=local, remote=remote, from_ms=from_ms)
        found = await self._read(lambda c: due.ids(c, limit))
        until_ms = found[-1][1] if len(found) == limit else now_ms
        self._passed.note(now_ms, skip, local=local, remote=remote, until_ms=until_ms)
        if not found:
            return []
        ids = [one for one, _ in found]
        # The writer, which new mail waits for, does what must be one transaction and no more.
        leased: list[int] = await self._writer.run(lambda c: rows.lease(c, ids, now_ms, now_ms + LEASE_MS))
        return await self._read(lambda c: rows.claimed(c, leased))

    async def take(
        self, now_ms: int, turns: Sequence[Turn], limit: int
    ) -> tuple[list[QueuedMessage], list[int | None]]:
        """What waits for these destinations, due or not, leased as by `claim`, in turn between them.

        About `limit` recipients at most; those of one message at a destination stay together. With them, for
        each turn, the row of its last message, to go on after; None where nothing is left.
        """
        found = await self._read(lambda c: waiting.look(c, turns, limit))
        if not found.recipients:
            return [], found.until
        until_ms = now_ms + LEASE_MS
        leased: list[int] = await self._writer.run(lambda c: waiting.lease(c, found.recipients, until_ms))
        return await self._read(lambda c: rows.claimed(c, leased)), found.until

    async def destinations(self, after: str, limit: int) -> list[str]:
        """So many for which something waits, by name, from the first one behind `after`."""
        return await self._read(lambda c: waiting.destinations(c, after, limit))

    async def heed_clock(self, now_ms: int, longest_wait_ms: int) -> int:
        """Recipients that wait longer than anything may are due now; returns how many.

        They were put off by a clock that has been set back since.
        """
        latest_ms = now_ms + max(longest_wait_ms, LEASE_MS)
        if not await self._read(lambda c: rows.ahead(c, latest_ms)):
            return 0
        moved: int = await self._writer.run(
            lambda c: rows.heed_clock(c, now_ms, latest_ms, now_ms + LEASE_MS)
        )
        return moved

    async def wake(self, now_ms: int, domains: Collection[str] | None = None) -> int:
        """What waits for these domains, or for any outside, is due now; returns how many recipients.

        A piece at a time, so that new mail gets between.
        """
        named = None if domains is None else sorted(domains)
        after_ms, total = now_ms, 0
        while True:
            found = await self._read(partial(rows.asleep, after_ms=after_ms, domains=named, limit=WAKE_LIMIT))
            ids = [one for one, _ in found]
            total += await self._writer.run(partial(rows.wake, ids=ids, now_ms=now_ms)) if ids else 0
            if len(found) < WAKE_LIMIT:
                return total
            after_ms = max(after_ms, found[-1][1] - 1)  # others may be due at the same moment as the last

    async def noted(self, key: Literal["routes", "recovering"]) -> Any:
        """What `note` was given last; None where nobody has written it down."""
        query = "SELECT value FROM meta WHERE key=?"
        row = await self._read(lambda c: c.execute(query, (key,)).fetchone())
        return None if row is None else json.loads(row[0])

    async def note(self, key: Literal["routes", "recovering"], value: Any) -> None:
        """Write down what a later life is to know: the routes that mail was last tried by, who was back."""
        row = key, json.dumps(value, sort_keys=True)
        await self._writer.run(lambda c: c.execute("INSERT OR REPLACE INTO meta VALUES (?,?)", row).rowcount)

    async def find(self, queue_id: str) -> QueuedMessage | None:
        """A message with its waiting recipients, as of the last commit."""
        return await self._read(_at_once(lambda c: rows.find(c, queue_id)))

    async def body_bytes(self, message: QueuedMessage) -> bytes:
        """The whole body of a message that is not in a file (and so is small)."""
        if message.body.data is not None:
            return message.body.data
        data = await self._read(lambda c: rows.body(c, message.queue_id))
        if data is None:
            raise SpoolError(f"no body for {message.queue_id}")
        return data

    def body_file(self, message: QueuedMessage) -> Path | None:
        """The file that holds a large body; None when the body is a row."""
        return self._paths.bodies / message.body.file if message.body.file else None

    async def events(self, after: int, limit: int) -> list[tuple[int, Event | bytes]]:
        """Outbox entries with a sequence above `after`, in order; raw bytes where unreadable."""
        query = "SELECT sequence, payload FROM event WHERE sequence>? ORDER BY sequence LIMIT ?"
        found = await self._read(lambda c: c.execute(query, (after, limit)).fetchall())
        self._told = max(self._told, found[-1][0] if found else 0)
        return [(row[0], decoded(row[1])) for row in found]

    async def sequences(self) -> tuple[int, int]:
        """The sequence before the first outbox entry, and the last one that the ledger may have.

        If it has more, this is an older copy, however many events came since it was opened.
        """

        def before(connection: sqlite3.Connection) -> int:
            (first,) = connection.execute("SELECT min(sequence) FROM event").fetchone()
            return rows.last_used(connection) if first is None else int(first - 1)

        return await self._read(_at_once(before)), self._told

    async def untold(self, after: int, limit: int) -> Sequence[tuple[int, Event | bytes]]:
        """As `events`, from memory where they are still there."""
        found = self._tail.after(after, limit)
        if found is None:
            return await self.events(after, limit)
        self._told = max(self._told, found[-1][0] if found else 0)
        return found

    def forget_events(self, up_to: int) -> None:
        """Empty the outbox up to a sequence that the ledger has committed."""
        self._writer.later(lambda c: c.execute("DELETE FROM event WHERE sequence<=?", (up_to,)))

    @property
    def commits(self) -> int:
        """Transactions so far: against the operations, what group commit saves."""
        return self._writer.commits

    async def depth(self) -> dict[str, int]:
        """Recipients by state (`ready`, `held`), and `events` waiting for the ledger.

        Where counting takes long the last count stands for a while: it takes a fiftieth of the time at most.
        """
        if time.monotonic() < self._depth_until_s:
            return dict(self._depth)

        def count(connection: sqlite3.Connection) -> dict[str, int]:
            depth = dict(
                connection.execute("SELECT state, count(*) FROM recipient GROUP BY state").fetchall()
            )
            depth["events"] = connection.execute("SELECT count(*) FROM event").fetchone()[0]
            return depth

        began_s = time.monotonic()
        self._depth = await self._read(count)
        took_s = time.monotonic() - began_s
        if took_s > COUNT_S:
            self._depth_until_s = time.monotonic() + 50 * took_s
        return dict(self._depth)

    async def _read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        async with self._reading:
            try:
                return await asyncio.get_running_loop().run_in_executor(self._executor, query, self._reader)
            except sqlite3.Error as error:
                raise SpoolError(str(error)) from error

    def _written(self, written: rows.Written) -> None:
        """A change is on disk: told in the writer's thread, in the order of commits."""
        self._tail.add(written.entries)
        self._unlink(written.freed)

    def _unlink(self, names: list[str]) -> None:
        for name in names:
            (self._paths.bodies / name).unlink(missing_ok=True)

    def close(self) -> None:
        """Finish what was handed in, end all leases, and let the folder go. Blocks."""
        self._writer.later(deaths.give_back)
        self._writer.close()
        self._reader.close()
        os.close(self._lock)


def _at_once(query: Callable[[sqlite3.Connection], T]) -> Callable[[sqlite3.Connection], T]:
    """For several statements: as of one commit, or a message that leaves between two would be half there."""

    def read(connection: sqlite3.Connection) -> T:
        connection.execute("BEGIN")
        try:
            return query(connection)
        finally:
            connection.execute("ROLLBACK")

    return read


def decoded(payload: bytes) -> Event | bytes:
    """An event of the outbox; the bytes as they are where this version cannot read them."""
    try:
        return decode(payload)
    except (ValueError, TypeError, KeyError):
        return bytes(payload)
