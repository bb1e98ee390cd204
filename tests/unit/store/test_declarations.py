"""Declarations and exemptions on both databases."""

from __future__ import annotations

import asyncio
from datetime import date
from pathlib import Path

import pytest

from mailgov.admin import declarations as acts
from mailgov.admin.declaring import NewDeclaration
from mailgov.admin.errors import AdminError
from mailgov.config import default_policy_directory
from mailgov.settings import PolicySettings, Settings
from mailgov.store import declarations, exemptions
from mailgov.store.declarations import Filter, RegisterLine, Series
from mailgov.store.engine import Conflict, Database
from mailgov.usage.periods import Span
from tests.unit.admin.province import OPERATOR, make_context, make_province

POLICY = default_policy_directory()

Q4 = (date(2026, 10, 1), date(2027, 1, 1))
NOVEMBER = (date(2026, 11, 1), date(2026, 12, 1))
LINES = (
    RegisterLine("GM", date(2026, 11, 3), "12/GM-UBND", "Họp giao ban"),
    RegisterLine("LCT", date(2026, 11, 9), queue_id="01M5M4PKQGV294X9FW"),
    RegisterLine("TLH", date(2026, 11, 10), exempt="secret"),
)


def people(agency: str, days: tuple[date, date]) -> Series:
    return Series("headcount", agency, *days)


async def put(db: Database, series: Series, revision: int = 1, **content: int) -> int:
    async with db.write() as session:
        made = await declarations.add(
            session, series, content, revision=revision, actor="cli:test", now_ms=revision
        )
    return made.id


async def test_the_highest_revision_counts_and_the_others_stay(database: Database) -> None:
    await put(database, people("snv", Q4), can_bo=1)
    await put(database, people("snv", Q4), 2, can_bo=2)
    await put(database, people("stc", Q4), can_bo=9)
    async with database.read() as session:
        found = await declarations.latest(session, "headcount", ends=Q4[1])
        past = await declarations.history(session, people("snv", Q4))
        now = await declarations.current(session, people("snv", Q4))
        none = await declarations.current(session, people("snv", NOVEMBER))
    assert [(one.series.agency, one.revision, one.content) for one in found] == [
        ("snv", 2, {"can_bo": 2}),
        ("stc", 1, {"can_bo": 9}),
    ]
    assert [one.content["can_bo"] for one in past] == [1, 2]
    assert now == past[1]
    assert none is None


async def test_a_revision_is_written_once(database: Database) -> None:
    await put(database, people("snv", Q4), can_bo=1)
    with pytest.raises(Conflict):
        await put(database, people("snv", Q4), can_bo=2)
    await put(database, people("snv", NOVEMBER), can_bo=2)
    await put(database, Series("indicator", "snv", *Q4, subject="pt.lan"), count=1)
    await put(database, Series("indicator", "snv", *Q4, subject="bg.units-it-officers"), count=1)


async def test_registers_come_back_line_by_line(database: Database) -> None:
    series = Series("register", "ubnd", *NOVEMBER)
    async with database.write() as session:
        made = await declarations.add(
            session, series, {"entries": 3}, revision=1, actor="x", now_ms=1, register=LINES
        )
    none_issued = await put(database, Series("register", "snv", *NOVEMBER), entries=0)
    async with database.read() as session:
        assert await declarations.get(session, made.id) == made
        assert made.register == LINES
        found = await declarations.latest(session, "register")
        assert [one.register for one in found] == [(), ()]
        whole = await declarations.with_registers(session, found)
        assert [one.register for one in whole] == [(), LINES]
        nothing = await declarations.get(session, none_issued)
        assert nothing is not None
        assert nothing.content == {"entries": 0}
        assert await declarations.get(session, 10**9) is None


async def test_spans_are_chosen_by_their_days(database: Database) -> None:
    year = (date(2026, 1, 1), date(2027, 1, 1))
    for days in (NOVEMBER, Q4, year):
        await put(database, people("snv", days), can_bo=1)
    async with database.read() as session:
        inside = await declarations.latest(session, "headcount", since=Q4[0], until=Q4[1])
        ending = await declarations.latest(session, "headcount", ends=Q4[1], agency="snv")
    assert [one.series.from_date for one in inside] == [Q4[0], NOVEMBER[0]]
    assert [one.series.from_date for one in ending] == [year[0], Q4[0]]


async def test_pages_go_from_the_newest_and_show_what_counts(database: Database) -> None:
    first = await put(database, people("snv", NOVEMBER), can_bo=1)
    other = await put(database, Series("documents", "snv", *NOVEMBER), sent_dm_only=1)
    last = await put(database, people("snv", NOVEMBER), 2, can_bo=2)
    stranger = await put(database, people("stc", Q4), can_bo=2)

    async def ids(wanted: Filter, before: int | None = None, limit: int = 10) -> list[int]:
        async with database.read() as session:
            found = await declarations.page(session, wanted, before=before, limit=limit)
        return [one.id for one in found]

    assert await ids(Filter()) == [stranger, last, other]
    assert await ids(Filter(), limit=1) == [stranger]
    assert await ids(Filter(), before=stranger) == [last, other]
    assert await ids(Filter(agency="snv", kind="headcount")) == [last]
    assert await ids(Filter(since=NOVEMBER[0], until=NOVEMBER[1])) == [last, other]
    assert first not in await ids(Filter(agency="snv"))


async def test_exemptions_hold_on_their_days(database: Database) -> None:
    march, june = date(2026, 3, 1), date(2026, 6, 1)
    async with database.write() as session:

        async def add(agency: str, since: date | None, until: date | None) -> int:
            made = await exemptions.add(
                session,
                obligation="cb.official-mailboxes",
                agency=agency,
                valid_from=since,
                valid_until=until,
                reason="thư ngành",
                now_ms=1,
            )
            return made.id

        always = await add("congan", None, None)
        spring = await add("syt", march, june)
        withdrawn = await add("stp", march, None)
        everyone = await add(exemptions.EVERYONE, june, None)
        await exemptions.end(session, withdrawn, march, 2)
    async with database.read() as session:

        async def on(since: date | None, until: date | None) -> list[int]:
            found = await exemptions.overlapping(session, "cb.official-mailboxes", since, until)
            return [one.id for one in found]

        assert await on(date(2026, 1, 1), march) == [always]
        assert await on(march, june) == [always, spring]
        assert await on(june, None) == [always, everyone]
        assert await on(None, None) == [always, spring, everyone]
        assert await exemptions.overlapping(session, "pt.meeting-documents", None, None) == []
        ended = await exemptions.get(session, withdrawn)
        assert ended is not None
        assert (ended.valid_until, ended.ended_ms, ended.holds(march)) == (march, 2, False)
        shown = await exemptions.page(session, agency="syt")
        assert [one.id for one in shown] == [spring, everyone]
        assert [one.id for one in await exemptions.page(session, after=spring, limit=1)] == [withdrawn]


async def test_of_two_who_declare_the_same_at_once_one_is_told(database: Database, tmp_path: Path) -> None:
    ctx = make_context(database, Settings(data_dir=tmp_path, policy=PolicySettings(directory=POLICY)))
    await make_province(ctx)
    numbers = {"can_bo": 1, "cong_chuc": 2, "vien_chuc": 3, "khac": 4}
    new = NewDeclaration("headcount", "snv", Span(date(2025, 10, 1), date(2025, 11, 1)), numbers)
    done = await asyncio.gather(*(acts.declare(ctx, OPERATOR, new) for _ in range(4)), return_exceptions=True)
    refused = [one for one in done if isinstance(one, AdminError)]
    assert [one.code for one in refused] == ["conflict"] * 3
    async with database.read() as session:
        assert len(await declarations.latest(session, "headcount")) == 1
