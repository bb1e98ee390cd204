"""The words that records are found by: an upgrade gives older records the same as a batch does new ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, MetaData, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from mailgov.mail.events import MessageEvent
from mailgov.store import terms
from mailgov.store.engine import Database, migrate
from mailgov.store.fold import Fold
from mailgov.store.search import Filter, query
from mailgov.store.sql import table
from mailgov.store.tables import Message, MessageTerm
from tests.unit.store.events import DAY_MS, START_MS, stream
from tests.unit.store.test_schema import empty

__all__ = ["empty"]

RESULTS = ("pass", "fail", None, "none")


def told(number: int, event: MessageEvent) -> MessageEvent:
    """With what strangers bring."""
    return replace(
        event,
        author=f"Dan{number % 3}@dan{number % 5}.test, @, y@two.test",
        message_id=f"<{number}@dan.test>" if number % 4 else None,
        spf=RESULTS[number % 4],
        malware="found Win.Test" if number % 7 == 0 else "clean",
        spam="likely" if number % 6 == 0 else None,
        risks=("macro", "nested") if number % 5 == 0 else (),
    )


def _fill(connection: Connection, fold: Fold) -> None:
    """The records as revision 0003 knew them."""
    metadata = MetaData()
    metadata.reflect(connection, only=["message", "decision"])
    known = {name: set(metadata.tables[name].c.keys()) for name in ("message", "decision")}
    for name, rows in (("message", fold.messages), ("decision", fold.decisions)):
        table_rows = [{k: v for k, v in row.items() if k in known[name]} for row in rows.values()]
        connection.execute(insert(metadata.tables[name]), table_rows)


async def _found(session: AsyncSession) -> list[tuple[Any, ...]]:
    t, m = table(MessageTerm).c, table(Message).c
    query = select(m.queue_id, t.term, t.at_ms).join_from(
        table(MessageTerm), table(Message), m.id == t.message_row
    )
    return sorted(tuple(row) for row in await session.execute(query))


async def test_records_from_before_the_upgrade_are_found_after_it(empty: Database) -> None:
    await migrate(empty, "0003")
    fold = Fold("s", "Asia/Ho_Chi_Minh", {}, {})
    for number, event in stream(7, messages=60):
        fold.apply(told(number, event) if isinstance(event, MessageEvent) else event)
    async with empty.write() as session:
        connection = await session.connection()
        await connection.run_sync(_fill, fold)
    await migrate(empty)
    for row_id, row in enumerate(fold.messages.values(), start=1):
        row["id"] = row_id
    expected = {
        (row["queue_id"], word, row["at_ms"])
        for row in fold.messages.values()
        for word in terms.of_message(row)
    }
    expected |= {
        (row["queue_id"], word, fold.messages[row["queue_id"]]["at_ms"])
        for row in fold.decisions.values()
        for word in terms.of_decision(row)
    }
    async with empty.read() as session:
        assert await _found(session) == sorted(expected)
    assert {word.partition(":")[0] for _, word, _ in expected} >= {
        "from",
        "id",
        "risk",
        "rule",
        "malware",
        "spf",
    }


async def test_a_search_reads_the_run_of_its_word_alone(sqlite_url: str) -> None:
    """By SQLite's own plan: no walk over all records, and no sort of what was found."""
    ledger = Database.open(sqlite_url)
    async with ledger.read() as session:
        connection = await session.connection()
        for wanted in (
            Filter(sender="gmail.com", from_ms=START_MS),
            Filter(rule="risky-attachment", decision="would-reject"),
            Filter(sender="x7@gmail.com", spf="fail", risk="macro", verdict="accepted"),
            Filter(agency="SNV", seat=True, rule="risky-attachment"),
            Filter(agency="SNV", seat=True, decision="reject", account="annv@caobang.gov.vn"),
            Filter(agency="SNV", seat=True, rule="risky-attachment", decision="would-reject", state="held"),
        ):
            asked = query(wanted, [table(Message).c.queue_id], (START_MS + DAY_MS, 1)).limit(51)
            text = asked.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
            plan = [str(row.detail) for row in await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}")]
            assert plan[0].startswith("SEARCH message_term USING"), plan
            assert not any(step.startswith(("SCAN", "USE TEMP B-TREE")) for step in plan), plan
            # What is looked up for each record is that record's own, not all of a rule's or an agency's.
            looked_up = [step for step in plan if step.startswith(("SEARCH decision", "SEARCH message_rec"))]
            assert all("(queue_id=?)" in step or "(message_row=?" in step for step in looked_up), plan
    await ledger.dispose()
