"""A spool copied while its worker runs, and a copy made ready for another life."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from mailgov.mail.events import Event
from mailgov.store.spool.model import SpoolError, SpoolPaths
from mailgov.store.spool.schema import connect
from mailgov.store.spool.spool import decoded

PAGES = 1000
"""Copied at a time, so that the worker's checkpoints are not held up."""


def copy_spool(folder: Path, target: Path) -> int:
    """Copy a spool as it stands at one moment, with the bodies it names; returns its messages.

    A message that leaves while its body is copied is left out: it has been handed on. Blocks.
    Raises SpoolError when a body is missing that is not accounted for.
    """
    source, copied = SpoolPaths(folder), SpoolPaths(target)
    copied.bodies.mkdir(mode=0o700, parents=True)
    try:
        with (
            closing(connect(source.database, read_only=True)) as live,
            closing(sqlite3.connect(copied.database, isolation_level=None)) as copy,
        ):
            live.backup(copy, pages=PAGES)
            for message_id, queue_id, name in copy.execute(
                "SELECT id, queue_id, file FROM message WHERE file IS NOT NULL"
            ).fetchall():
                try:
                    _link_or_copy(source.bodies / name, copied.bodies / name)
                except FileNotFoundError:
                    _leave_out(live, copy, message_id, queue_id)
            return int(copy.execute("SELECT count(*) FROM message").fetchone()[0])
    except sqlite3.Error as error:
        raise SpoolError(f"{folder}: {error}") from error


def _link_or_copy(source: Path, target: Path) -> None:
    """A body never changes, so a second name is a copy where the file system allows one."""
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copyfile(source, target)


def _leave_out(live: sqlite3.Connection, copy: sqlite3.Connection, message_id: int, queue_id: str) -> None:
    if live.execute("SELECT 1 FROM message WHERE queue_id=?", (queue_id,)).fetchone():
        raise SpoolError(f"the body of {queue_id} is missing")
    for table, column in (("recipient", "message_id"), ("variant", "message_id"), ("message", "id")):
        copy.execute(f"DELETE FROM {table} WHERE {column}=?", (message_id,))  # noqa: S608 - constants


def spool_id_of(folder: Path) -> str:
    """The id that the spool's events carry. Blocks."""
    with closing(connect(SpoolPaths(folder).database, read_only=True)) as connection:
        return str(connection.execute("SELECT value FROM meta WHERE key='spool_id'").fetchone()[0])


def outbox(folder: Path) -> Iterator[tuple[int, Event | bytes]]:
    """The events that the ledger may not have yet. Blocks."""
    with closing(connect(SpoolPaths(folder).database, read_only=True)) as connection:
        for sequence, payload in connection.execute("SELECT sequence, payload FROM event ORDER BY sequence"):
            yield sequence, decoded(payload)


def queued(folder: Path) -> Iterator[tuple[str, int]]:
    """Queue id and position of every recipient in the spool. Blocks."""
    query = "SELECT m.queue_id, r.position FROM recipient r JOIN message m ON m.id=r.message_id"
    with closing(connect(SpoolPaths(folder).database, read_only=True)) as connection:
        yield from connection.execute(query)


def rename(folder: Path, new_id: str) -> None:
    """Give a restored spool the random id of its new life; its outbox must be in the ledger. Blocks.

    Two spools of one id would number different events alike.
    """
    with closing(connect(SpoolPaths(folder).database)) as connection:
        connection.executescript(
            "BEGIN IMMEDIATE; DELETE FROM event; DELETE FROM sqlite_sequence WHERE name='event'; COMMIT;"
        )
        connection.execute("UPDATE meta SET value=? WHERE key='spool_id'", (new_id,))


def problems(folder: Path) -> list[str]:
    """What is wrong with a spool at rest or at work: pages, and bodies that are missing. Blocks."""
    paths = SpoolPaths(folder)
    try:
        with closing(connect(paths.database, read_only=True)) as connection:
            found = [row[0] for row in connection.execute("PRAGMA quick_check(10)") if row[0] != "ok"]
            for queue_id, name, size in connection.execute(
                "SELECT queue_id, file, size_bytes FROM message WHERE file IS NOT NULL"
            ).fetchall():
                place = paths.bodies / name
                if not place.is_file() or place.stat().st_size != size:
                    gone = "SELECT 1 FROM message WHERE queue_id=?"
                    if connection.execute(gone, (queue_id,)).fetchone():
                        found.append(f"the body of {queue_id} is missing or cut")
    except sqlite3.Error as error:
        return [f"{folder}: {error}"]
    return [f"{folder}: {problem}" for problem in found]
