"""What waits, looked for; and the history of what was tried."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mailgov.mail.events import Event
from mailgov.store import queue
from mailgov.store.engine import Database
from mailgov.store.ledger import apply_events
from mailgov.store.queue import QueueFilter, _page
from tests.unit.store.events import START_MS, message, numbered, outcome, recipient

GREY = "451 4.7.1 Greylisted, xin thử lại: 100%_chậm"


@pytest.fixture(autouse=True)
async def records(database: Database) -> None:
    events: list[Event] = [
        message(1, START_MS, recipient(0), recipient(1, "outbound")),
        replace(message(2, START_MS + 2), account="bình@caobang.gov.vn", agency="H14.07"),
        replace(message(3, START_MS + 3), account=None, agency=None, source="mx", reverse_path=""),
        message(5, START_MS + 4, recipient(0), recipient(1), recipient(2, "outbound", "held")),
        outcome(1, 0),
        replace(outcome(1, 1, "deferred"), reply=GREY, mx_host="mx.e.vn", due_ms=START_MS + 900),
        outcome(5, 0),
    ]
    await apply_events(database, "5f00", "node-1", numbered(*events), START_MS)


async def found(database: Database, wanted: QueueFilter | None = None) -> list[tuple[int, int]]:
    entries = await queue.waiting(database, wanted)
    recipients, messages = await queue.count(database, wanted or QueueFilter())
    assert (recipients, messages) == (len(entries), len({one.queue_id for one in entries}))
    return [(int(one.queue_id, 16), one.position) for one in entries]


async def test_all_that_waits_the_oldest_first(database: Database) -> None:
    entries = await queue.waiting(database)
    assert [(int(one.queue_id, 16), one.position, one.state) for one in entries] == [
        (1, 1, "deferred"),
        (2, 0, "queued"),
        (3, 0, "queued"),
        (5, 1, "queued"),
        (5, 2, "held"),
    ]
    assert (entries[0].spool_id, entries[0].last_reply, entries[0].account) == (
        "5f00", GREY, "an@caobang.gov.vn",
    )  # fmt: skip
    rest = await queue.waiting(database, limit=2, after=entries[0].id)
    assert [one.id for one in rest] == [entries[1].id, entries[2].id]


@pytest.mark.parametrize(
    ("wanted", "seen"),
    [
        (QueueFilter(states=("held",)), [(5, 2)]),
        (QueueFilter(states=("queued", "deferred"), queue_id=f"{5:016x}"), [(5, 1)]),
        (QueueFilter(states=("delivered",)), []),
        (QueueFilter(agency="H14.07"), [(2, 0)]),
        (QueueFilter(queue_id=f"{5:016x}"), [(5, 1), (5, 2)]),
        (QueueFilter(reverse_path=""), [(3, 0)]),
        (QueueFilter(reverse_path="bình@caobang.gov.vn"), [(2, 0)]),
        (QueueFilter(reply="GREYLISTED, XIN"), [(1, 1)]),
        (QueueFilter(reply="100%_"), [(1, 1)]),
        (QueueFilter(reply="1%1"), []),
        (QueueFilter(from_ms=START_MS + 2, until_ms=START_MS + 4), [(2, 0), (3, 0)]),
    ],
)
async def test_search(database: Database, wanted: QueueFilter, seen: list[tuple[int, int]]) -> None:
    assert await found(database, wanted) == seen


async def test_search_by_recipient_and_domain(database: Database) -> None:
    entry = next(one for one in await queue.waiting(database) if one.direction == "outbound")
    assert entry.address is not None
    domain = entry.address.rpartition("@")[2]
    by_address = await found(database, QueueFilter(recipient=entry.address))
    assert (1, 1) in by_address
    assert set(by_address) <= set(await found(database, QueueFilter(domain=domain)))
    assert await found(database, QueueFilter(domain=domain[1:])) == [], "a domain is no end of another"


async def test_the_history_of_attempts(database: Database) -> None:
    again = [
        replace(outcome(1, 1, "held", at_ms=START_MS + 1500), reply="hold by quantri: xem lại", attempts=1),
        replace(outcome(1, 1, at_ms=START_MS + 2000), reply="250 2.0.0 ok", attempts=2, mx_host="mx.e.vn"),
        replace(outcome(1, 1, "bounced", at_ms=START_MS + 3000), reply="what is final stays"),
    ]
    told = numbered(*again, start=8)
    await apply_events(database, "5f00", "node-1", told, START_MS)
    restored = [(number - 7, event) for number, event in told]
    await apply_events(database, "5f01", "node-1", restored, START_MS)
    tried = await queue.attempts(database, f"{1:016x}")
    assert [(one.position, one.state, one.reply) for one in tried] == [
        (1, "deferred", GREY),
        (1, "held", "hold by quantri: xem lại"),
        (1, "delivered", "250 2.0.0 ok"),
    ]
    assert (tried[0].mx_host, tried[0].due_ms) == ("mx.e.vn", START_MS + 900)
    assert await queue.attempts(database, f"{5:016x}") == [], "its recipient tells of a first delivery"


async def test_a_page_reads_no_more_than_itself(sqlite_url: str) -> None:
    """By SQLite's own plan: each state's index has the order, and nothing is sorted but the pages' rows."""
    ledger = Database.open(sqlite_url)
    async with ledger.read() as session:
        connection = await session.connection()
        for wanted, leads in (
            (QueueFilter(states=("deferred",)), "ix_message_recipient_state (state=? AND rowid>?)"),
            (QueueFilter(queue_id="01Q"), "message USING"),
        ):
            asked = _page(wanted, 1000, 7)
            text = asked.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
            plan = [str(row.detail) for row in await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}")]
            assert leads in plan[0], plan
            assert wanted.queue_id or not any("TEMP B-TREE" in step for step in plan), plan
    await ledger.dispose()
