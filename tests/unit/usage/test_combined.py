"""Agencies that succeed one another, taken together: computed from their figures, never in their place."""

from __future__ import annotations

from datetime import date

import pytest

from mailgov.mail.events import MessageEvent
from mailgov.store import agencies
from mailgov.store.accounts import Post
from mailgov.store.agencies import AgencySpan, Succession
from mailgov.store.engine import Database
from mailgov.usage.indicators.combined import families
from mailgov.usage.report import UsageReport
from tests.unit.usage.declaring import declare, headcount
from tests.unit.usage.traffic import Traffic, add_agencies, add_person
from tests.unit.usage.yardsticks import codes, figure, report_of

MERGED = date(2026, 11, 16)
BG, PT = "bg.electronic-documents", "pt.officials-using-mail"
PAPER = {f"{flow}_{way}": 0 for flow in ("sent", "received") for way in ("dm_only", "paper_only", "parallel")}


def test_who_is_linked_on_any_day_is_one_family() -> None:
    """A district divided into two communes, one of which had been made of two others."""
    links = [
        Succession("a", "b", date(2020, 1, 1)),
        Succession("x", "y", date(2021, 1, 1)),
        Succession("huyen", "b", date(2025, 7, 1)),
        Succession("huyen", "c", date(2025, 7, 1)),
    ]
    assert families(links) == [("a", "b", "c", "huyen"), ("x", "y")]
    assert families([]) == []


@pytest.fixture
async def province(db: Database) -> Database:
    """Stttt went into skhcn on 16/11; each issued documents in its own days, an came over to skhcn."""
    await add_agencies(
        db,
        AgencySpan("skhcn", "Sở KHCN", "province"),
        AgencySpan("stttt", "Sở TTTT", "province", valid_until=MERGED),
        AgencySpan("snv", "Sở Nội vụ", "province"),
    )
    async with db.write() as session:
        await agencies.add_succession(session, "stttt", ["skhcn"], MERGED)
    stttt = Post("stttt", "cong_chuc", None, MERGED)
    await add_person(db, "an", stttt, Post("skhcn", "cong_chuc", MERGED, None))
    await add_person(db, "binh", Post("skhcn", "cong_chuc", None, None))
    traffic = Traffic()
    traffic.sent("an", "stttt", "2026-09-30")
    for day, agency in (("2026-10-05", "stttt"), ("2026-11-05", "stttt"), ("2026-12-05", "skhcn")):
        traffic.sent("an", agency, day, document_class="CV")
        number, event = traffic.events[-1]
        assert isinstance(event, MessageEvent)
        fields = {name: getattr(event, name) for name in MessageEvent.__slots__}
        told = {"symbol": f"{number}/CV-{agency.upper()}", "issuer": agency}
        traffic.events[-1] = number, MessageEvent(**{**fields, **told})
    await traffic.apply(db)
    return db


def together(report: UsageReport, indicator: str) -> list[tuple[str, ...]]:
    assert report.indicators is not None
    return [one.agencies for one in report.indicators.combined if one.row.indicator == indicator]


async def test_the_quarter_of_a_merger_is_the_sum_of_both(province: Database) -> None:
    await declare(province, "documents", "skhcn", "2026-Q4", {**PAPER, "sent_paper_only": 3})
    await declare(province, "documents", "stttt", "2026-Q4", {**PAPER, "sent_paper_only": 1})
    await headcount(province, "skhcn", "2026-Q4", cong_chuc=4)
    report = await report_of(province, "2026-Q4")
    assert report.indicators is not None
    rows = {one.row.indicator: one.row for one in report.indicators.combined}
    assert together(report, BG) == [("skhcn", "stttt")]
    assert figure(rows[BG]) == (3, 7, 42.85)
    assert rows[BG].measured["sent"] == 3
    assert (rows[BG].met, rows[BG].gap, codes(rows[BG])[0]) == (False, 1, "combined")
    assert figure(rows[PT]) == (1, 4, 25.0), "who came over is counted once, where he serves"
    own = {one.agency: figure(one)[:2] for one in report.indicators.rows if one.indicator == BG}
    assert (own["skhcn"], own["stttt"]) == ((1, 4), (2, 3)), "their own figures stay as they are"


async def test_one_that_has_not_declared_leaves_no_figure(province: Database) -> None:
    await declare(province, "documents", "skhcn", "2026-Q4", {**PAPER, "sent_paper_only": 3})
    report = await report_of(province, "2026-Q4")
    assert report.indicators is not None
    (found,) = [one.row for one in report.indicators.combined if one.row.indicator == BG]
    assert (found.denominator, found.percent, found.met) == (None, None, None)


async def test_where_one_alone_lived_there_is_nothing_to_join(province: Database) -> None:
    assert together(await report_of(province, "2026-12"), BG) == []
    assert together(await report_of(province, "2026-10"), BG) == [("skhcn", "stttt")]
    assert (await report_of(province, "2026-10", agency="skhcn")).to_json()["combined"] == []


async def test_it_is_told_to_programs_spreadsheets_and_people(province: Database) -> None:
    await declare(province, "documents", "skhcn", "2026-Q4", {**PAPER, "sent_paper_only": 3})
    await declare(province, "documents", "stttt", "2026-Q4", {**PAPER, "sent_paper_only": 1})
    report = await report_of(province, "2026-Q4")
    (told,) = [one for one in report.to_json()["combined"] if one["indicator"] == BG]
    assert (told["agencies"], told["numerator"], told["denominator"]) == (["skhcn", "stttt"], 3, 7)
    assert "agency" not in told
    assert f"{BG};bac-giang;mục I.1a;skhcn+stttt;Sở KHCN + Sở TTTT;" in report.to_csv()
    text = report.to_text()
    assert "Gộp các cơ quan kế thừa nhau" in text
    assert f"{BG} [skhcn+stttt]" in text
