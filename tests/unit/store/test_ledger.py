"""Events into the ledger: exactly once, whoever sends them and however often, and never stuck."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlmodel import SQLModel

from mailgov.mail.events import Event, MessageEvent, OutcomeEvent, encode
from mailgov.store.calendar import TIMEZONE
from mailgov.store.correspondents import changed_since, last_written
from mailgov.store.engine import Database, LedgerUnavailable
from mailgov.store.fold import Fold
from mailgov.store.increments import Counts, DocumentKey, Key, OutboundKey
from mailgov.store.ledger import applied_sequence, apply_events, unapplied_count
from mailgov.store.sql import columns, table
from mailgov.store.tables import (
    Correspondent,
    DecisionRow,
    Message,
    MessageRecipient,
    RollupDaily,
    RollupDocument,
    RollupOutbound,
    SpoolPosition,
    UnappliedEvent,
)
from tests.unit.store.events import DAY_MS, START_MS, decision, message, numbered, outcome, recipient, stream

SPOOL = "5f00"
NOW = START_MS + 5000


async def apply(database: Database, events: list[tuple[int, Event]], spool_id: str = SPOOL) -> int:
    return await apply_events(database, spool_id, "node-1", events, NOW)


async def rows(database: Database, model: type[SQLModel]) -> list[dict[str, Any]]:
    """All rows by primary key, without the numbers that the database gives."""
    target = table(model)
    async with database.read() as session:
        found = await session.execute(select(target).order_by(*target.primary_key))
        return [dict(row._mapping) for row in found]


async def contents(database: Database) -> dict[str, Any]:
    """The whole ledger's traffic in a form that two ledgers can be compared by."""
    m, r = columns(Message), columns(MessageRecipient)
    wanted = [c for c in m if c.name != "id"] + [c for c in r if c.name not in {"id", "message_row"}]
    query = select(*wanted).join(table(MessageRecipient), r.message_row == m.id, isouter=True)
    async with database.read() as session:
        messages = [tuple(row) for row in await session.execute(query.order_by(m.queue_id, r.position))]
    others = (RollupDaily, RollupOutbound, DecisionRow, Correspondent)
    return {"messages": messages} | {
        str(model): [dict(row) for row in await rows(database, model)] for model in others
    }


async def test_a_message_and_its_outcome(database: Database) -> None:
    event = replace(
        message(1, START_MS, recipient(0), recipient(1, "outbound")), decisions=(decision(7, position=1),)
    )
    assert await applied_sequence(database, SPOOL) == 0
    assert await apply(database, numbered(event)) == 1
    assert (
        await apply(
            database,
            numbered(replace(outcome(1, 1), mx_host="mx.example.vn", tls="TLSv1.3 X verified=no"), start=2),
        )
        == 2
    )
    assert await applied_sequence(database, SPOOL) == 2

    (found,) = await rows(database, Message)
    assert found["queue_id"] == event.queue_id
    assert found["local_date"].isoformat() == "2025-11-30"
    assert found["subject"] == event.subject
    assert found["signatures"] == ["dkim"]
    inside, outside = await rows(database, MessageRecipient)
    assert (inside["state"], inside["delivered_ms"]) == ("queued", None)
    assert (outside["state"], outside["delivered_ms"]) == ("delivered", START_MS + 1000)
    assert (inside["tls"], outside["tls"]) == (None, "TLSv1.3 X verified=no")
    assert (outside["mx_host"], outside["mx_provider"], outside["attempts"]) == (
        "mx.example.vn",
        "domestic",
        1,
    )
    (decided,) = await rows(database, DecisionRow)
    assert (decided["id"], decided["position"], decided["facts"]) == (
        decision(7).id,
        1,
        {"recipient.domain": "gmail.com", "recipient.wrote_in_days": None},
    )
    (position,) = await rows(database, SpoolPosition)
    assert (position["applied_sequence"], position["node"]) == (2, "node-1")


async def test_a_batch_sent_twice_counts_once(database: Database) -> None:
    events = stream(1, messages=40)
    last = await apply(database, events)
    before = await contents(database)
    assert await apply(database, events) == last
    assert await apply(database, events[-5:]) == last
    assert await contents(database) == before


@pytest.mark.parametrize("size", [1, 7, 1000])
async def test_how_the_stream_is_cut_does_not_matter(database: Database, size: int) -> None:
    """Batches of any size leave what one fold of the whole stream in memory gives."""
    events = stream(2, messages=30)
    for start in range(0, len(events), size):
        await apply(database, events[start : start + size])

    fold = Fold(SPOOL, TIMEZONE, {}, {})
    for _, event in events:
        fold.apply(event)
    found = {
        (row["queue_id"], row["position"]): (row["state"], row["account"], row["delivered_ms"])
        for row in await recipients_with_queue_id(database)
    }
    assert found == {
        key: (row["state"], row["account"], row["delivered_ms"]) for key, row in fold.recipients.items()
    }
    rollup = {
        Key(*list(row.values())[:8]): Counts(*list(row.values())[8:])
        for row in await rows(database, RollupDaily)
    }
    assert rollup == fold.rollup
    outbound = {
        OutboundKey(*list(row.values())[:4]): row["recipients"]
        for row in await rows(database, RollupOutbound)
    }
    assert outbound == fold.outbound
    assert len({key.provider for key in outbound}) == 5
    documents = {
        DocumentKey(*list(row.values())[:4]): (row["first_date"], row["sample"])
        for row in await rows(database, RollupDocument)
    }
    assert documents == fold.documents
    assert len({key.flow for key in documents}) == 2
    assert await unapplied_count(database) == 0


async def recipients_with_queue_id(database: Database) -> list[dict[str, Any]]:
    m, r = columns(Message), columns(MessageRecipient)
    query = select(m.queue_id, *r).join(table(MessageRecipient), r.message_row == m.id)
    async with database.read() as session:
        return [dict(row._mapping) for row in await session.execute(query)]


async def test_forwarders_that_race_apply_once(database: Database) -> None:
    events = stream(3, messages=30)
    parts = [events[:40], events[:60], events, events[20:], events[:10]]
    await apply(database, events[:20])
    await asyncio.gather(*(apply(database, part) for part in parts))
    assert await apply(database, events) == len(events)
    raced = await contents(database)
    assert len({row[0] for row in raced["messages"]}) == 30
    messages = [event for _, event in events if isinstance(event, MessageEvent)]
    sent = sum(event.verdict == "accepted" and event.account is not None for event in messages)
    assert sum(row["messages"] for row in raced[str(RollupDaily)] if row["flow"] == "sent") == sent


async def test_spools_do_not_share_positions(database: Database) -> None:
    await apply(database, numbered(message(1)), "aaaa")
    assert await apply(database, numbered(message(2)), "bbbb") == 1
    assert len(await rows(database, Message)) == 2


async def test_a_restored_spool_tells_again_under_a_new_id(database: Database) -> None:
    events = numbered(message(1), outcome(1))
    await apply(database, events, "aaaa")
    before = await contents(database)
    assert await apply(database, events, "bbbb") == 2
    assert await contents(database) == before
    assert await unapplied_count(database) == 0


async def test_another_message_with_a_known_queue_id_is_set_aside(database: Database) -> None:
    await apply(database, numbered(message(1)), "aaaa")
    await apply(database, numbered(message(1, START_MS + 1), message(2)), "bbbb")
    assert len(await rows(database, Message)) == 2
    (aside,) = await rows(database, UnappliedEvent)
    assert (aside["spool_id"], aside["problem"]) == ("bbbb", "another message has this queue id")


async def test_what_cannot_be_applied_is_set_aside_and_the_stream_goes_on(database: Database) -> None:
    unknown_state = replace(outcome(1), state="teleported")  # type: ignore[arg-type]  # from a later version
    events: list[tuple[int, Event | bytes]] = [
        (1, outcome(99)),
        (2, b'{"kind":"message","of":"tomorrow"}'),
        (3, b"\xff not json"),
        (4, encode(message(1))),
        (5, outcome(1, 5)),
        (6, unknown_state),
        (7, message(2, START_MS, recipient(0), recipient(0))),
        (8, outcome(1)),
    ]
    assert await apply_events(database, SPOOL, "node-1", events, NOW) == 8
    aside = {row["sequence"]: row for row in await rows(database, UnappliedEvent)}
    assert list(aside) == [1, 2, 3, 5, 6, 7]
    assert aside[1]["payload"] == encode(outcome(99))
    assert aside[1]["problem"] == "the message is unknown"
    assert aside[3]["payload"] == b"\xff not json"
    assert aside[5]["problem"] == "the recipient is unknown"
    assert "teleported" in aside[6]["problem"]
    (delivered,) = await rows(database, MessageRecipient)
    assert delivered["state"] == "delivered"
    assert await unapplied_count(database) == 6


async def test_an_event_that_the_database_refuses_is_found_among_the_others(database: Database) -> None:
    events = numbered(*(message(number) for number in range(1, 12)))
    events[6] = (7, replace(message(7), size_bytes=1 << 70))
    assert await apply(database, events) == 11
    assert [row["sequence"] for row in await rows(database, UnappliedEvent)] == [7]
    assert len(await rows(database, Message)) == 10


async def test_hostile_text_reaches_both_databases(database: Database) -> None:
    event = replace(message(1), subject="a\x00b\ud800", message_id="x" * 5000, author="\x00@\x00")
    assert await apply(database, numbered(event)) == 1
    (found,) = await rows(database, Message)
    assert (found["subject"], len(found["message_id"])) == ("a\ufffdb?", 1000)


WEIRD: list[Any] = [
    {"a": 1},
    ["x"],
    -(1 << 70),
    1.5,
    float("nan"),
    "\x00\ud800" * 5000,
    b"\xff",
    object(),
    True,
    None,
]


async def test_no_value_of_any_field_stops_the_stream(database: Database) -> None:
    """Fields of every type come from another version's JSON: each is applied or set aside, alone."""
    values = itertools.cycle(WEIRD)
    events: list[Event] = [message(0)]
    for number, name in enumerate(MessageEvent.__dataclass_fields__):
        events.append(replace(message(number + 1), **{name: next(values)}))
    odd = [{name: next(values)} for name in OutcomeEvent.__dataclass_fields__]
    events += [replace(outcome(0, state="deferred"), **field) for field in odd]
    events += [message(1000), outcome(1000)]
    assert await apply(database, numbered(*events)) == len(events)
    assert (await rows(database, MessageRecipient))[-1]["state"] == "delivered"
    applied, aside = len(await rows(database, Message)), await unapplied_count(database)
    assert applied > 2
    assert 10 < aside < len(events) - 2


async def test_a_ledger_without_its_tables_is_unavailable_and_nothing_is_set_aside(database_url: str) -> None:
    """A relay that is newer than the schema waits for the migration."""
    database = Database.open(database_url, timeout_s=1, create=True)
    rename = "ALTER TABLE message RENAME COLUMN {} TO {}"
    async with database.write() as session:
        await session.execute(text(rename.format("subject", "gone")))
    try:
        with pytest.raises(LedgerUnavailable):
            await apply(database, numbered(message(1)))
        assert await unapplied_count(database) == 0
    finally:
        async with database.write() as session:
            await session.execute(text(rename.format("gone", "subject")))
        await database.dispose()


async def test_no_events_are_no_work(database: Database) -> None:
    assert await apply(database, []) == 0
    assert await rows(database, SpoolPosition) == []


async def test_a_gap_in_the_stream_is_recorded_and_passed(database: Database) -> None:
    await apply(database, [(1, message(1)), (5, message(5))])
    assert await apply(database, [(9, message(9))]) == 9
    assert [(row["sequence"], row["problem"]) for row in await rows(database, UnappliedEvent)] == [
        (2, "events 2 to 4 never arrived"),
        (6, "events 6 to 8 never arrived"),
    ]


async def test_final_states_stay_and_waiting_ones_move(database: Database) -> None:
    steps = ["deferred", "held", "queued", "deferred", "delivered", "bounced", "queued", "delivered"]
    states = []
    await apply(database, numbered(message(1)))
    for number, state in enumerate(steps, 2):
        at_ms = START_MS + number * DAY_MS
        event = replace(outcome(1), state=state, at_ms=at_ms)  # type: ignore[arg-type]  # each is a state
        await apply(database, [(number, event)])
        (row,) = await rows(database, MessageRecipient)
        states.append(row["state"])
    assert states == ["deferred", "held", "queued", "deferred", *["delivered"] * 4]
    assert row["delivered_ms"] == START_MS + 6 * DAY_MS
    assert row["delivered_date"].isoformat() == "2025-12-06"
    received = [row for row in await rows(database, RollupDaily) if row["flow"] == "received"]
    assert [(row["messages"], row["local_date"].isoformat()) for row in received] == [(1, "2025-12-06")]


async def test_rollup_of_one_message(database: Database) -> None:
    recipients = (recipient(0), recipient(1, "outbound"), recipient(2))
    late = START_MS - 1  # still the day before
    await apply(
        database, numbered(message(1, late, *recipients), outcome(1, 0), outcome(1, 1), outcome(1, 2))
    )
    sent, *received = sorted(await rows(database, RollupDaily), key=lambda row: row["flow"], reverse=True)
    assert {name: sent[name] for name in sent if name not in {"local_date", "sample", "automatic"}} == {
        "agency_code": "H14.01",
        "account": "an@caobang.gov.vn",
        "flow": "sent",
        "document_class": "GM",
        "personal": True,
        "messages": 1,
        "to_others": 1,
        "recipients": 3,
        "recipients_internal": 2,
        "recipients_outbound": 1,
        "size_bytes": 2048,
    }
    assert sent["local_date"].isoformat() == "2025-11-29"
    assert [(row["account"], row["agency_code"], row["messages"]) for row in received] == [
        ("hop0@caobang.gov.vn", "H14.02", 1),
        ("hop2@caobang.gov.vn", "H14.02", 1),
    ]


async def test_a_rejection_is_a_record_without_figures(database: Database) -> None:
    event = replace(message(1, START_MS, recipient(state="rejected")), verdict="rejected")
    await apply(database, numbered(event))
    assert (await rows(database, Message))[0]["verdict"] == "rejected"
    assert await rows(database, RollupDaily) == []
    outside = message(2, START_MS, recipient(0, "outbound", "rejected"))
    await apply(database, [(2, replace(outside, verdict="rejected"))])
    assert await rows(database, RollupOutbound) == []


async def test_outside_recipients_count_under_the_provider_known_at_acceptance(database: Database) -> None:
    late = START_MS - 1  # still the day before
    free, left_out = recipient(0, "outbound"), recipient(1, "outbound", "rejected")
    odd, unasked = recipient(2, "outbound"), recipient(3, "outbound")
    free, odd = replace(free, mx_provider="free"), replace(odd, mx_provider="of a later version")
    event = message(1, late, free, left_out, odd, replace(unasked, mx_provider=None), recipient(4))
    later = replace(outcome(1, 0, at_ms=START_MS + DAY_MS), mx_provider="gateway")
    passed_on = replace(message(2, late, free), source="mx", account=None, agency=None)
    notice = replace(passed_on, queue_id="notice", source="own")
    await apply(database, numbered(event, passed_on, notice, later))
    found = [tuple(row.values()) for row in await rows(database, RollupOutbound)]
    day = date(2025, 11, 29)
    assert found == [
        (day, "", "free", False, 1),
        (day, "H14.01", "free", False, 1),
        (day, "H14.01", "unknown", False, 2),
    ]
    record = (await rows(database, MessageRecipient))[0]
    assert (record["mx_provider"], record["accepted_provider"]) == ("gateway", "free")


async def test_who_wrote_from_outside_is_remembered(database: Database) -> None:
    def inbound(number: int, at_ms: int, path: str, author: str | None = None) -> Event:
        return replace(
            message(number, at_ms), source="mx", account=None, reverse_path=path, author=author or path
        )

    await apply(
        database,
        numbered(
            inbound(1, START_MS + 2000, "Dan@Example.VN"),
            inbound(2, START_MS + 1000, "dan@example.vn"),
            inbound(3, START_MS + 9000, "bounces@lists.example", "never@example.vn"),
            inbound(4, START_MS + 9000, "bounces@other.example", "one@other.example, never@other.example"),
            inbound(5, START_MS + 500, "bounce-1@news.other.example", "news@other.example"),
            replace(message(6), reverse_path="own@caobang.gov.vn"),
            replace(inbound(7, START_MS, "refused@example.vn"), verdict="rejected"),  # type: ignore[arg-type]  # as is
        ),
    )
    asked = [
        "dan@example.vn",
        "bounces@lists.example",
        "bounces@other.example",
        "news@other.example",
        "never@example.vn",
        "never@other.example",
        "own@caobang.gov.vn",
        "refused@example.vn",
    ]
    assert await last_written(database, asked) == {
        "dan@example.vn": START_MS + 2000,
        "bounces@lists.example": START_MS + 9000,
        "bounces@other.example": START_MS + 9000,
        "news@other.example": START_MS + 500,
    }
    await apply(database, [(8, inbound(8, START_MS, "dan@example.vn"))])
    assert (await last_written(database, ["dan@example.vn"]))["dan@example.vn"] == START_MS + 2000
    first = await changed_since(database, (0, ""), limit=2)
    rest = await changed_since(database, (first[-1][2], first[-1][0]))
    assert sorted(address for address, *_ in first + rest) == sorted(asked[:4])
