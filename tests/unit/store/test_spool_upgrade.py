"""A spool that an earlier version left, with mail in it; and one of a later version."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from mailgov.mail.events import OutcomeEvent
from mailgov.settings import SpoolSettings
from mailgov.store.spool import (
    Body,
    Change,
    Progress,
    QueuedMessage,
    QueuedRecipient,
    Spool,
    SpoolUnfit,
    Variant,
)

NOW = 1_794_000_000_000
FIRST = """
PRAGMA journal_mode=WAL;
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE message (id INTEGER PRIMARY KEY AUTOINCREMENT, queue_id TEXT NOT NULL UNIQUE,
  received_ms INTEGER NOT NULL, reverse_path TEXT NOT NULL, smtputf8 INTEGER NOT NULL,
  eight_bit INTEGER NOT NULL, size_bytes INTEGER NOT NULL, file TEXT, context TEXT NOT NULL);
CREATE TABLE body (message_id INTEGER PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE variant (message_id INTEGER NOT NULL, number INTEGER NOT NULL, prefix BLOB NOT NULL,
  splices TEXT NOT NULL, PRIMARY KEY (message_id, number)) WITHOUT ROWID;
CREATE TABLE recipient (id INTEGER PRIMARY KEY AUTOINCREMENT, message_id INTEGER NOT NULL,
  position INTEGER NOT NULL, address TEXT NOT NULL, destination TEXT NOT NULL, variant INTEGER NOT NULL,
  state TEXT NOT NULL, leased INTEGER NOT NULL, due_ms INTEGER NOT NULL, attempts INTEGER NOT NULL,
  last_reply TEXT, context TEXT NOT NULL);
CREATE INDEX recipient_due ON recipient (state, due_ms);
CREATE INDEX recipient_message ON recipient (message_id);
CREATE TABLE event (sequence INTEGER PRIMARY KEY AUTOINCREMENT, payload BLOB NOT NULL);
PRAGMA user_version=1;
INSERT INTO meta VALUES ('spool_id', 'of old');
INSERT INTO message VALUES (7, '01OLD', 1793999999000, 'an@caobang.gov.vn', 0, 0, 12, NULL,
  '{"document_class":"CV","automatic":false,"message_id":"<a@b>","facts":null}');
INSERT INTO body VALUES (7, CAST('Subject: x' || char(13, 10) AS BLOB));
INSERT INTO variant VALUES (7, 0, CAST('Received: by us' || char(13, 10) AS BLOB), '[[0, 0, "X"]]');
INSERT INTO recipient VALUES (1, 7, 0, 'a@x.vn', 'x.vn', 0, 'ready', 1, 1794003600000, 2, '451 later', '{}');
INSERT INTO recipient VALUES (2, 7, 1, 'b@x.vn', 'x.vn', 0, 'held', 0, 0, 0, NULL, '{"agency":"SNV"}');
INSERT INTO event VALUES (41, CAST('{"kind":"outcome","queue_id":"01OLD","position":0,"at_ms":1,'
  || '"state":"deferred","reply":"451 later","attempts":2,"mx_host":null,"mx_provider":null,"account":null,'
  || '"agency":null,"document_class":null,"automatic":false,"size_bytes":12,"sample":false,"decision":null}'
  AS BLOB));
"""
"""The schema of the first version, as it was, and a queue that is not empty."""


def left(folder: Path, *more: str) -> Path:
    folder.mkdir(parents=True)
    with closing(sqlite3.connect(folder / "spool.sqlite")) as connection:
        connection.executescript(FIRST)
        for line in more:
            connection.executescript(line)
    return folder


def opened(folder: Path, executor: ThreadPoolExecutor) -> Spool:
    return Spool.open(folder, settings=SpoolSettings(), executor=executor, new_id="new", now_ms=NOW)


async def test_a_queue_of_the_first_version_is_taken_over(tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as executor:
        spool = opened(left(tmp_path / "0"), executor)
        assert spool.id == "of old", "the ledger knows it by this name"
        (message,) = await spool.claim(NOW, 10)
        assert [(r.address, r.attempts, r.last_reply) for r in message.recipients] == [
            ("a@x.vn", 2, "451 later")
        ]
        assert message.variants[0].head(await spool.body_bytes(message)) == (
            b"Received: by us\r\nXSubject: x\r\n"
        )
        ((sequence, event),) = await spool.events(0, 10)
        assert (sequence, isinstance(event, OutcomeEvent)) == (41, True)
        new = QueuedMessage(
            queue_id="02NEW",
            received_ms=NOW,
            reverse_path="an@caobang.gov.vn",
            body=Body(14, data=b"Subject: new\r\n"),
            variants=(Variant(b"A: 1\r\n"), Variant(b"B: 2\r\n", ((0, 3, b"\xff"),))),
            recipients=(QueuedRecipient(0, "c@x.vn", "x.vn", variant=1, due_ms=NOW),),
        )
        await spool.apply(Change(messages=[new]))
        spool.close()
        again = opened(tmp_path / "0", executor)
        assert again.id == "of old"
        old, new_again = await again.claim(NOW, 10)
        assert (old.queue_id, new_again.variants) == ("01OLD", new.variants)
        assert await again.body_bytes(new_again) == b"Subject: new\r\n"
        assert old.variants[0].head(await again.body_bytes(old)) == b"Received: by us\r\nXSubject: x\r\n"
        gone = [Progress("01OLD", 0, None, 3), Progress("01OLD", 1, None, 3), Progress("02NEW", 0, None, 1)]
        await again.apply(Change(progress=gone))
        assert await again.find("01OLD") is None
        again.close()
    with closing(sqlite3.connect(tmp_path / "0" / "spool.sqlite")) as connection:
        left_over = (
            "SELECT message_id FROM body UNION SELECT message_id FROM variant UNION SELECT id FROM message"
        )
        assert connection.execute(left_over).fetchall() == []


async def test_a_queue_of_a_later_version_is_left_as_it_is(tmp_path: Path) -> None:
    folder = left(tmp_path / "0", "PRAGMA user_version=1000;")
    with (
        ThreadPoolExecutor(2) as executor,
        pytest.raises(SpoolUnfit, match="written by a newer version"),
    ):
        opened(folder, executor)
    with closing(sqlite3.connect(folder / "spool.sqlite")) as connection:
        assert connection.execute("SELECT count(*) FROM recipient WHERE leased=1").fetchone() == (1,)
