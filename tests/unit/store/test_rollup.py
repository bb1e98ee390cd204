"""The daily rollups: rebuilt they are what the fold made, and the figures come out of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from sqlalchemy import delete, select, update
from sqlmodel import SQLModel

from mailgov.mail.events import Event
from mailgov.store.engine import Database
from mailgov.store.increments import PROVIDERS
from mailgov.store.ledger import apply_events
from mailgov.store.rollup import (
    ActiveFigures,
    accounts_that_sent,
    active_by_month,
    agency_figures,
    rebuild,
)
from mailgov.store.sql import columns, table
from mailgov.store.tables import RollupDaily, RollupDocument, RollupOutbound
from tests.unit.store.events import DAY_MS, START_MS, message, numbered, outcome, recipient, stream

FIRST, AFTER = date(2025, 11, 29), date(2025, 12, 9)
ROLLUPS = (RollupDaily, RollupOutbound, RollupDocument)
DECEMBER = (date(2025, 12, 1), date(2026, 1, 1))
NOVEMBER = (date(2025, 11, 1), date(2025, 12, 1))


async def apply(database: Database, *events: Event, spool_id: str = "5f00") -> None:
    await apply_events(database, spool_id, "node-1", numbered(*events), START_MS)


async def rollup(database: Database, model: type[SQLModel] = RollupDaily) -> list[dict[str, Any]]:
    target = table(model)
    async with database.read() as session:
        found = await session.execute(select(target).order_by(*target.primary_key))
        return [dict(row._mapping) for row in found]


@pytest.mark.parametrize("seed", range(4))
async def test_rebuilding_gives_exactly_what_folding_gave(database: Database, seed: int) -> None:
    events = stream(seed)
    for start in range(0, len(events), 50):
        await apply_events(database, "5f00", "node-1", events[start : start + 50], START_MS)
    made = [await rollup(database, model) for model in ROLLUPS]
    folded, outbound, documents = made
    assert {row["flow"] for row in folded} == {"sent", "received"}
    assert {row["provider"] for row in outbound} == set(PROVIDERS)
    assert {row["flow"] for row in documents} == {"sent", "received"}
    assert await rebuild(database, FIRST, AFTER) == sum(map(len, made))
    assert [await rollup(database, model) for model in ROLLUPS] == made

    async with database.write() as session:
        await session.execute(update(RollupDaily).values(messages=999))
        await session.execute(delete(RollupDaily).where(columns(RollupDaily).account < "c"))
        await session.execute(update(RollupOutbound).values(recipients=999))
        await session.execute(delete(RollupOutbound).where(columns(RollupOutbound).provider == "free"))
        await session.execute(update(RollupDocument).values(first_date=FIRST))
        await session.execute(delete(RollupDocument).where(columns(RollupDocument).flow == "sent"))
    await rebuild(database, FIRST, AFTER)
    assert [await rollup(database, model) for model in ROLLUPS] == made


async def test_rebuilding_leaves_other_days_alone(database: Database) -> None:
    await apply(database, message(1, START_MS), message(2, START_MS + DAY_MS))
    async with database.write() as session:
        await session.execute(update(RollupDaily).values(messages=5))
    await rebuild(database, date(2025, 12, 1), date(2025, 12, 2))
    assert [(row["local_date"].day, row["messages"]) for row in await rollup(database)] == [(30, 5), (1, 1)]


async def test_agency_figures(database: Database) -> None:
    own = replace(
        message(3), to_others=False, recipients=(replace(recipient(), account="an@caobang.gov.vn"),)
    )
    await apply(
        database,
        message(1, START_MS, recipient(0), recipient(1, "outbound")),
        replace(message(2), account="bình@caobang.gov.vn", automatic=True),
        own,
        outcome(1),
        outcome(2, at_ms=START_MS + DAY_MS),
        replace(message(4, START_MS + DAY_MS), agency=None, sample=True),
    )
    first, second = await agency_figures(database, *NOVEMBER)
    assert (first.agency, first.sent, first.sent_automatic, first.to_others, first.accounts) == (
        "H14.01",
        3,
        1,
        2,
        2,
    )
    assert (first.recipients, first.recipients_internal, first.recipients_outbound) == (4, 3, 1)
    assert (first.received, first.size_bytes, first.sample) == (0, 3 * 2048, False)
    assert (second.agency, second.sent, second.received, second.accounts) == ("H14.02", 0, 1, 0)

    none, later = await agency_figures(database, *DECEMBER)
    assert (none.agency, none.sent, none.sample) == ("", 1, True)
    assert (later.agency, later.received, later.sample) == ("H14.02", 1, False)
    assert await agency_figures(database, *DECEMBER, agency="H14.02") == [later]
    assert await agency_figures(database, date(2024, 1, 1), date(2025, 1, 1)) == []


async def test_an_account_that_moved_is_one_account_of_all(database: Database) -> None:
    await apply(
        database,
        message(1),
        replace(message(2), agency="H14.02"),
        replace(message(3), account="bình@caobang.gov.vn"),
        outcome(1),
    )
    assert [one.accounts for one in await agency_figures(database, *NOVEMBER)] == [2, 1]
    assert await accounts_that_sent(database, *NOVEMBER) == 2
    assert await accounts_that_sent(database, *DECEMBER) == 0


async def test_active_in_each_span(database: Database) -> None:
    an, binh, chi, moved = (f"{name}@caobang.gov.vn" for name in ("an", "binh", "chi", "moved"))
    december = START_MS + DAY_MS
    events = [
        replace(message(1), account=an),
        replace(message(2, december), account=an),
        replace(message(3), account=binh),
        replace(message(4, december), account=binh, to_others=False),
        replace(message(5, december), account=binh, automatic=True),
        replace(message(6), account=chi, personal=False),
        replace(message(7, december), account=chi, personal=False),
        replace(message(8), account=moved),
        replace(message(9, december), account=moved, agency="H14.02", sample=True),
    ]
    await apply(database, *events)
    whole, first, second = await active_by_month(database, [NOVEMBER, DECEMBER])
    assert whole == ActiveFigures(
        agency=None,
        each=frozenset({an, moved}),
        some=frozenset({an, binh, moved}),
        per_span=(3, 2),
        sample=True,
    )
    assert whole.active == 2
    assert first == ActiveFigures(
        "H14.01", frozenset({an}), frozenset({an, binh, moved}), (3, 1), sample=False
    )
    assert second == ActiveFigures("H14.02", frozenset(), frozenset({moved}), (0, 1), sample=True)
    assert await active_by_month(database, [NOVEMBER, DECEMBER], "H14.01") == [first]


async def test_no_activity_is_an_empty_set_not_an_error(database: Database) -> None:
    (nobody,) = await active_by_month(database, [NOVEMBER])
    assert (nobody.agency, nobody.active, nobody.per_span) == (None, 0, (0,))
    assert await active_by_month(database, []) == []
