"""Corrections of a class: what was counted moves with them, and their history stays."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from sqlalchemy import select
from sqlmodel import SQLModel

from mailgov.mail.events import Event
from mailgov.store import classes, documents
from mailgov.store.documents import DocumentCounts
from mailgov.store.engine import Database
from mailgov.store.ledger import apply_events
from mailgov.store.rollup import rebuild
from mailgov.store.sql import columns, table
from mailgov.store.tables import Message, RollupDaily, RollupDocument, RollupOutbound
from tests.unit.store.events import DAY_MS, START_MS, message, numbered, outcome, recipient, stream

FIRST, AFTER = date(2025, 11, 29), date(2025, 12, 9)
NOVEMBER, DECEMBER, JANUARY = date(2025, 11, 1), date(2025, 12, 1), date(2026, 1, 1)
ONE = f"{1:016x}"


async def rollups(database: Database) -> list[list[dict[str, Any]]]:
    async def rows(model: type[SQLModel]) -> list[dict[str, Any]]:
        target = table(model)
        found = await session.execute(select(target).order_by(*target.primary_key))
        return [dict(row._mapping) for row in found]

    async with database.read() as session:
        return [await rows(model) for model in (RollupDaily, RollupOutbound, RollupDocument)]


async def correct(
    database: Database, queue_id: str, document_class: str | None, symbol: str | None = None, now_ms: int = 5
) -> classes.Classed:
    async with database.write() as session:
        return await classes.correct(
            session, queue_id, document_class, symbol, actor="vt", reason="nhầm", now_ms=now_ms
        )


async def counted(database: Database, start: date = NOVEMBER, end: date = JANUARY) -> dict[str, Any]:
    async with database.read() as session:
        return await documents.counts(session, start, end)


@pytest.mark.parametrize("seed", range(2))
async def test_after_corrections_the_counts_are_those_of_the_records(database: Database, seed: int) -> None:
    chance = random.Random(seed)
    events = stream(seed, messages=80)
    cut = len(events) // 2
    await apply_events(database, "5f00", "node", events[:cut], START_MS)
    async with database.read() as session:
        ids = sorted((await session.execute(select(columns(Message).queue_id))).scalars())
    for number, queue_id in enumerate(chance.choices(ids, k=30)):
        symbol = chance.choice([None, None, "1/GM-UBND", "99/CV-X"])
        await correct(database, queue_id, chance.choice([None, "GM", "CV", "LCT"]), symbol, now_ms=number)
    await apply_events(database, "5f00", "node", events[cut:], START_MS)
    made = await rollups(database)
    assert len(made[2]) > 10
    await rebuild(database, FIRST, AFTER)
    assert await rollups(database) == made


async def test_a_correction_keeps_the_class_by_rule_and_its_history(database: Database) -> None:
    await apply_events(database, "5f00", "node", numbered(message(1)), START_MS)
    first = await correct(database, ONE, None)
    assert (first.document_class, first.rule_class, first.checked, first.document_key) == (
        None, "GM", True, None,
    )  # fmt: skip
    second = await correct(database, ONE, "TB", "12/TB-UBND", now_ms=6)
    assert (second.document_class, second.rule_class, second.document_key) == (
        "TB", "GM", "2025:12/TB-UBND",
    )  # fmt: skip
    async with database.read() as session:
        assert await classes.find(session, ONE) == second
        changes = await classes.history(session, ONE)
    assert [(one.at_ms, one.class_before, one.class_after, one.symbol_after) for one in changes] == [
        (5, "GM", None, None),
        (6, None, "TB", "12/TB-UBND"),
    ]
    assert {(one.actor, one.reason) for one in changes} == {("vt", "nhầm")}


async def test_what_arrives_after_a_correction_counts_under_the_corrected_class(database: Database) -> None:
    await apply_events(database, "5f00", "node", numbered(message(1)), START_MS)
    await correct(database, ONE, "TB", "12/TB-UBND")
    await apply_events(database, "5f00", "node", numbered(outcome(1), start=2), START_MS)
    daily, _, kept = await rollups(database)
    assert [(row["flow"], row["document_class"], row["messages"]) for row in daily] == [
        ("sent", "TB", 1),
        ("received", "TB", 1),
    ]
    assert {(row["flow"], row["document_key"]) for row in kept} == {
        ("sent", "2025:12/TB-UBND"),
        ("received", "2025:12/TB-UBND"),
    }


async def test_a_document_counts_on_its_first_day_of_the_year_for_each_agency(database: Database) -> None:
    later = START_MS + 2 * DAY_MS
    events: list[Event] = [
        message(1, START_MS, recipient()),
        replace(message(2, later, recipient()), account="khac@caobang.gov.vn"),
        outcome(2, at_ms=later),
        outcome(1, at_ms=later + DAY_MS),
        replace(message(3, later), symbol=None, document_class="LCT", thread_id="<3@a>"),
    ]
    await apply_events(database, "5f00", "node", numbered(*events), START_MS)
    assert await counted(database, NOVEMBER, DECEMBER) == {"H14.01": DocumentCounts(sent=1)}
    assert await counted(database, DECEMBER) == {
        "H14.01": DocumentCounts(sent=1, sent_unnumbered=1),
        "H14.02": DocumentCounts(received=1),
    }
    async with database.read() as session:
        assert await documents.first_sent(session, "H14.01", ["2025:12/GM-UBND", "2025:13/GM-UBND"]) == {
            "2025:12/GM-UBND": date(2025, 11, 30)
        }
        found = await documents.carriers(session, [ONE, "none"])
    assert {one.key for one in found.values()} == {"2025:12/GM-UBND"}

    await correct(database, ONE, None)
    assert await counted(database, NOVEMBER, DECEMBER) == {}
    assert (await counted(database, DECEMBER))["H14.01"].sent == 2


async def test_what_an_agency_issued_does_not_reach_it_as_received(database: Database) -> None:
    home = replace(recipient(), agency="H14.01", account="b@caobang.gov.vn")
    event = replace(message(1, START_MS, home), issuer="H14.01")
    await apply_events(
        database, "5f00", "node", numbered(event, replace(outcome(1), agency="H14.01")), START_MS
    )
    assert await counted(database) == {"H14.01": DocumentCounts(sent=1)}


async def test_the_sample_is_drawn_from_what_could_be_a_document(database: Database) -> None:
    events = [
        message(1),
        replace(message(2), reply=True),
        replace(message(3), forward=True),
        replace(message(4), automatic=True),
        replace(message(5), verdict="rejected"),
        replace(message(6), account=None, source="mx"),
        replace(message(7), document_class=None),
        message(8, START_MS + DAY_MS),
    ]
    await apply_events(database, "5f00", "node", numbered(*events), START_MS)
    await correct(database, ONE, "TB")
    async with database.write() as session:
        drawn = await classes.population(session, NOVEMBER, DECEMBER)
        assert drawn == [(ONE, "H14.01", "GM"), (f"{7:016x}", "H14.01", None)]
        await classes.keep_sample(session, NOVEMBER, drawn)
        await classes.confirm(session, ONE, "TB", actor="vt", now_ms=9)
    async with database.read() as session:
        one, seven = await classes.sample(session, NOVEMBER)
        assert (one.rule_class, one.confirmed_class, one.confirmed_ms, one.actor) == ("GM", "TB", 9, "vt")
        assert one.subject == "12/GM-UBND: Giấy mời họp"
        assert (seven.rule_class, seven.confirmed_ms) == (None, None)
        assert await classes.sample(session, NOVEMBER, "H14.02") == []
        assert await classes.sampled(session, ONE) == one
        assert await classes.sampled(session, f"{2:016x}") is None
        assert await classes.sample_result(session, NOVEMBER, DECEMBER) == classes.SampleResult(2, 1, 1)
        assert await classes.sample_result(session, DECEMBER, JANUARY) == classes.SampleResult()
