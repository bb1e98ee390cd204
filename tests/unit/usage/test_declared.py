"""What was declared for a period: the latest, exactly, or nothing."""

from __future__ import annotations

from datetime import date

import pytest

from mailgov.store import declarations
from mailgov.store.declarations import RegisterLine, Series
from mailgov.store.engine import Database
from mailgov.usage import declared
from mailgov.usage.declared import DOCUMENT_COUNTS, tiles
from mailgov.usage.periods import Span, parse

QUARTER = parse("2026-Q4").span
MONTHS = parse("2026-Q4").months


def span(text: str) -> Span:
    return parse(text).span


async def put(
    db: Database,
    kind: str,
    agency: str,
    days: Span,
    content: dict[str, int],
    *,
    revision: int = 1,
    **more: object,
) -> None:
    subject = str(more.pop("subject", ""))
    async with db.write() as session:
        await declarations.add(
            session,
            Series(kind, agency, days.start, days.end, subject),
            content,
            revision=revision,
            actor="x",
            now_ms=1,
            **more,  # type: ignore[arg-type]  # passed on
        )


def counts(*numbers: int) -> dict[str, int]:
    return dict(zip(DOCUMENT_COUNTS, numbers, strict=True))


def people(n: int) -> dict[str, int]:
    return {"can_bo": n, "cong_chuc": 10 * n, "vien_chuc": 100 * n, "khac": 1000 * n}


async def test_a_headcount_is_of_the_last_day_whatever_the_span(db: Database) -> None:
    await put(db, "headcount", "snv", MONTHS[2], people(1))
    await put(db, "headcount", "stc", QUARTER, {**people(2), "long_leave": 3})
    await put(db, "headcount", "syt", MONTHS[1], people(4))
    await put(db, "headcount", "snv", MONTHS[2], people(5), revision=2)
    async with db.read() as session:
        found = await declared.headcounts(session, QUARTER)
        one = await declared.headcounts(session, QUARTER, "stc")
    assert set(found) == {"snv", "stc"}, "syt declared for another day"
    assert (found["snv"].can_bo, found["snv"].origin.restated) == (5, True)
    assert (found["stc"].long_leave, found["snv"].long_leave) == (3, None)
    assert found["stc"].of(("can_bo", "cong_chuc")) == 22
    assert found["stc"].total == 2222, "those on leave are counted in their class"
    assert set(one) == {"stc"}


async def test_zero_is_declared_and_absent_is_not(db: Database) -> None:
    await put(db, "headcount", "snv", QUARTER, people(0))
    await put(db, "documents", "snv", QUARTER, counts(0, 0, 0, 0, 0, 0))
    await put(db, "register", "snv", QUARTER, {"entries": 0})
    async with db.read() as session:
        assert (await declared.headcounts(session, QUARTER))["snv"].total == 0
        assert set(await declared.documents(session, QUARTER)) == {"snv"}
        assert (await declared.registers(session, QUARTER))["snv"].lines == ()
        assert await declared.documents(session, MONTHS[0]) == {}
        assert await declared.registers(session, QUARTER, "stc") == {}


async def test_documents_of_months_make_up_a_quarter_only_when_none_is_missing(db: Database) -> None:
    for n, month in enumerate(MONTHS, start=1):
        await put(db, "documents", "snv", month, counts(n, 0, 0, 0, 0, 10 * n), sample=n == 2)
    for month in MONTHS[:2]:
        await put(db, "documents", "stc", month, counts(1, 1, 1, 1, 1, 1))
    async with db.read() as session:
        found = await declared.documents(session, QUARTER)
    assert set(found) == {"snv"}
    assert (found["snv"].sent_dm_only, found["snv"].received_parallel) == (6, 60)
    assert (found["snv"].origin.sample, found["snv"].origin.restated) == (True, False)
    assert len(found["snv"].origin.ids) == 3


async def test_the_period_itself_goes_before_its_parts(db: Database) -> None:
    for month in MONTHS:
        await put(db, "documents", "snv", month, counts(1, 0, 0, 0, 0, 0))
    await put(db, "documents", "snv", QUARTER, counts(7, 0, 0, 0, 0, 0))
    async with db.read() as session:
        assert (await declared.documents(session, QUARTER))["snv"].sent_dm_only == 7


async def test_registers_of_months_follow_each_other(db: Database) -> None:
    for month in reversed(MONTHS):
        line = RegisterLine("GM", month.start, f"{month.start.month}/GM-UBND")
        await put(db, "register", "ubnd", month, {"entries": 1}, register=[line])
    async with db.read() as session:
        found = (await declared.registers(session, QUARTER))["ubnd"]
    assert [line.symbol for line in found.lines] == ["10/GM-UBND", "11/GM-UBND", "12/GM-UBND"]


async def test_an_indicator_is_of_exactly_its_period(db: Database) -> None:
    await put(db, "indicator", "snv", MONTHS[2], {"count": 3}, subject="bd.databases")
    await put(db, "indicator", "stc", QUARTER, {"numerator": 3, "denominator": 0}, subject="bd.databases")
    await put(db, "indicator", "stc", QUARTER, {"count": 1}, subject="bd.other")
    async with db.read() as session:
        found = await declared.indicators(session, "bd.databases", QUARTER)
    assert [(code, one.numerator, one.denominator, one.count) for code, one in found.items()] == [
        ("stc", 3, 0, None)
    ]


@pytest.mark.parametrize(
    ("pieces", "chosen"),
    [
        (["2026-Q4"], ["2026-Q4"]),
        (["2026-10", "2026-11", "2026-12", "2026-Q4"], ["2026-Q4"]),
        (["2026-10", "2026-11", "2026-12"], ["2026-10", "2026-11", "2026-12"]),
        (["2026-10", "2026-12"], None),
        (["2026-10", "2026-10-31..2026-11-30", "2026-12"], None),
        (["2026-10-01..2026-11-30", "2026-10", "2026-11", "2026-12"], ["2026-10-01..2026-11-30", "2026-12"]),
        (["2026-10", "2026-11-01..2026-12-31", "2026-10-01..2026-11-30", "2026-12"],
         ["2026-10-01..2026-11-30", "2026-12"]),
        (["2026", "2026-09", "2027-01"], None),
        ([], None),
    ],
)  # fmt: skip
def test_tiling(pieces: list[str], chosen: list[str] | None) -> None:
    found = tiles(QUARTER, [span(one) for one in pieces])
    assert found == (None if chosen is None else [span(one) for one in chosen])


def test_tiling_of_many_days_is_quick() -> None:
    """Every span between 60 days: far more ways than could be tried one by one."""
    days = [date.fromordinal(QUARTER.start.toordinal() + n) for n in range(60)]
    pieces = [Span(a, b) for a in days for b in days if a < b]
    whole = Span(days[0], days[-1])
    assert tiles(whole, [piece for piece in pieces if piece != whole]) is not None
