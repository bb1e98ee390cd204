"""The spool's tables and pragmas.

A spool is local to a node and has one writer. Rows of finished recipients go at once: what
became of them is the ledger's to tell. Event sequences come from AUTOINCREMENT, so a number
is never used twice although the table empties (the ledger skips what it has seen).
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

import structlog

from mailgov.store.spool.model import SpoolUnfit

log = structlog.get_logger()

VERSION = 2
"""2: a message's row has its body and first variant; of 1 they stay where they are."""

TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE message (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  queue_id TEXT NOT NULL UNIQUE,
  received_ms INTEGER NOT NULL,
  reverse_path TEXT NOT NULL,
  smtputf8 INTEGER NOT NULL,
  eight_bit INTEGER NOT NULL,
  size_bytes INTEGER NOT NULL,
  file TEXT,
  context TEXT NOT NULL
);
CREATE TABLE body (message_id INTEGER PRIMARY KEY, data BLOB NOT NULL);  -- of version 1
CREATE TABLE variant (  -- the second and later ones; of version 1 all
  message_id INTEGER NOT NULL, number INTEGER NOT NULL, prefix BLOB NOT NULL, splices TEXT NOT NULL,
  PRIMARY KEY (message_id, number)
) WITHOUT ROWID;
CREATE TABLE recipient (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  message_id INTEGER NOT NULL,
  position INTEGER NOT NULL,
  address TEXT NOT NULL,
  destination TEXT NOT NULL,
  variant INTEGER NOT NULL,
  state TEXT NOT NULL,
  leased INTEGER NOT NULL,
  due_ms INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  last_reply TEXT,
  context TEXT NOT NULL
);
CREATE INDEX recipient_message ON recipient (message_id);
CREATE TABLE event (sequence INTEGER PRIMARY KEY AUTOINCREMENT, payload BLOB NOT NULL);
"""
SECOND = """
ALTER TABLE message ADD COLUMN prefix BLOB;
ALTER TABLE message ADD COLUMN splices TEXT;
ALTER TABLE message ADD COLUMN data BLOB;
"""
"""In one row they take fewer pages and statements. The bytes come last: reading the rest stops before."""


READY = """
CREATE INDEX IF NOT EXISTS recipient_ready ON recipient (state, due_ms, destination, leased);
DROP INDEX IF EXISTS recipient_due;
CREATE INDEX IF NOT EXISTS recipient_waiting ON recipient (destination, message_id, state, attempts)
  WHERE state='ready' AND attempts>0;
CREATE INDEX IF NOT EXISTS message_file ON message (file) WHERE file IS NOT NULL;
"""
"""Who is due is asked of the index alone: a million rows that wait for a next hop that hangs are passed over
in a fraction of a second. Earlier versions know the first two columns, and work with it too.

What waits for a next hop that is back is asked of the other one, by destination. A message that leaves at its
first attempt is never in there and costs nothing, and a lease does not touch it. The last one tells a start
which files are known, without going over the rows, whose bytes are mostly in them.
"""

CLEANING = """
CREATE TEMP TABLE freed (file TEXT NOT NULL);
CREATE TEMP TRIGGER last_recipient_gone AFTER DELETE ON main.recipient
WHEN NOT EXISTS (SELECT 1 FROM main.recipient WHERE message_id=old.message_id)
BEGIN
  INSERT INTO freed SELECT file FROM message WHERE id=old.message_id AND file IS NOT NULL;
  DELETE FROM message WHERE id=old.message_id;
  DELETE FROM body WHERE message_id=old.message_id;
  DELETE FROM variant WHERE message_id=old.message_id;
END;
"""
"""For the writer's connection alone: with its last recipient a message goes, and its file is told.

In the database's own code, because each statement of ours may wait for the interpreter to be free.
"""


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """A connection with the spool's settings; transactions are opened by hand.

    synchronous=FULL: a commit returns when the write-ahead log is synced. `secure_delete`
    overwrites what is deleted: delivered mail does not linger in free pages.
    """
    target = f"file:{path}?mode=ro" if read_only else str(path)
    connection = sqlite3.connect(
        target, uri=read_only, isolation_level=None, check_same_thread=False, timeout=10.0
    )
    if not read_only:
        if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":  # a full disk cannot be told
            connection.executescript(
                "PRAGMA page_size=4096; PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL;"
            )
        connection.executescript(
            "PRAGMA synchronous=FULL; PRAGMA secure_delete=ON; PRAGMA journal_size_limit=67108864;"
        )
    connection.executescript("PRAGMA busy_timeout=10000; PRAGMA temp_store=MEMORY; PRAGMA cache_size=-8000;")
    return connection


def prepare(connection: sqlite3.Connection, spool_id: str) -> str:
    """Create the tables in a new spool; return the spool's id (`spool_id` for a new one).

    One of an earlier version is brought up to this one. Raises SpoolUnfit for one of a later version.
    """
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        raise SpoolUnfit(
            f"was written by a newer version (schema {version}, known {VERSION}): run that one again"
        )
    if version < VERSION:
        steps = (TABLES if version == 0 else "") + SECOND
        _at_once(connection, f"{steps} PRAGMA user_version={VERSION};")
    _index(connection)
    connection.execute("INSERT OR IGNORE INTO meta VALUES ('spool_id', ?)", (spool_id,))
    row = connection.execute("SELECT value FROM meta WHERE key='spool_id'").fetchone()
    return str(row[0])


def _index(connection: sqlite3.Connection) -> None:
    """The index that claims are made by; a spool of an earlier version gets it where the disk has room."""
    try:
        _at_once(connection, READY)
    except sqlite3.OperationalError as error:
        log.warning("the spool's index could not be made", error=str(error))


def _at_once(connection: sqlite3.Connection, script: str) -> None:
    try:
        connection.executescript(f"BEGIN IMMEDIATE; {script} COMMIT;")
    except sqlite3.Error:
        if connection.in_transaction:  # a full disk has ended it already
            connection.execute("ROLLBACK")
        raise
