"""What the fold makes of an event: its issuer and its document's key."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from mailgov.mail.events import MessageEvent, decode, encode
from mailgov.store.engine import Database
from mailgov.store.ledger import apply_events, unapplied_count
from mailgov.store.sql import columns
from mailgov.store.tables import Message
from tests.unit.store.events import START_MS, message, numbered

MONTH_MS = 32 * 86_400_000
UNNUMBERED = replace(message(1), symbol=None, document_class="LCT", thread_id="<1@a>", attachments_hash="ff")


async def kept(database: Database, *events: MessageEvent) -> list[Any]:
    """(issuer, key) of each, in the order of their numbers."""
    await apply_events(database, "5f00", "node", numbered(*events), START_MS)
    assert await unapplied_count(database) == 0
    m = columns(Message)
    async with database.read() as session:
        rows = await session.execute(select(m.issuer, m.document_key).order_by(m.queue_id))
        return [tuple(row) for row in rows]


async def test_keys_are_made_of_what_was_told(database: Database) -> None:
    assert await kept(
        database,
        replace(message(1), issuer="ubnd"),
        replace(message(2, START_MS + MONTH_MS), symbol="12 / GM-UBND"),
        replace(UNNUMBERED, queue_id=f"{3:016x}", issuer="ubnd"),
        replace(UNNUMBERED, queue_id=f"{4:016x}", thread_id=None, attachments_hash=None),
        replace(message(5), source="mx", account=None, agency=None, author="a@bo.example, b@x.vn"),
        replace(message(6), source="mx", account=None, agency=None, author=None, reverse_path="a@BO.example"),
    ) == [
        ("ubnd", "2025:12/GM-UBND"),
        ("H14.01", "2026:12/GM-UBND"),
        ("ubnd", "2025:~<1@a>:ff"),
        ("H14.01", f"2025:~{4:016x}:"),
        ("@bo.example", "2025:12/GM-UBND"),
        ("@bo.example", "2025:12/GM-UBND"),
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"reply": True},
        {"forward": True},
        {"automatic": True},
        {"document_class": None},
        {"verdict": "rejected"},
        {"agency": None, "author": None, "reverse_path": ""},
    ],
)
async def test_what_counts_as_no_document_has_no_key(database: Database, change: dict[str, Any]) -> None:
    ((_, key),) = await kept(database, replace(message(1), **change))
    assert key is None


async def test_long_names_fit_the_index(database: Database) -> None:
    long = replace(UNNUMBERED, issuer="ơ" * 900, thread_id="<" + "ế" * 900 + ">", attachments_hash="ế" * 900)
    numbered_too = replace(message(2), symbol="12/" + "Đ" * 900, issuer="ơ" * 900)
    assert len(await kept(database, long, numbered_too)) == 2


def test_an_event_of_an_earlier_version_is_read() -> None:
    event = message(1)
    raw = encode(event)
    for name in (b"issuer", b"thread_id", b"attachments_hash", b"client", b"helo"):
        raw = raw.replace(b',"' + name + b'":null', b"")
    assert b"issuer" not in raw
    assert b"helo" not in raw
    assert decode(raw) == event
