"""The first figure against traffic whose truth is known."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from mailgov.settings import Settings
from mailgov.store.accounts import Post
from mailgov.store.agencies import AgencySpan
from mailgov.store.engine import Database, LedgerUnavailable
from mailgov.store.increments import PROVIDERS
from mailgov.usage.definitions import COUNTS, DEFINITIONS, TABLES
from mailgov.usage.periods import Calendar, PeriodError, parse
from mailgov.usage.report import Row, UnknownAgency, UsageReport, usage_report
from mailgov.usage.tables import Tables
from tests.unit.usage.traffic import OUTSIDE, Traffic, add_agencies, add_person, address, at_ms, post

SETTINGS = Settings()
OVER = at_ms("2027-01-10")
Q4_CIVIL: dict[str, Any] = {"period": "2026-Q4", "calendar": "civil"}
Q4_ADMINISTRATIVE: dict[str, Any] = {"period": "2026-Q4", "calendar": "administrative"}


async def report_of(db: Database, now_ms: int = OVER, **asked: Any) -> UsageReport:
    return await usage_report(db, settings=SETTINGS, now_ms=now_ms, **asked)


def row(report: UsageReport, code: str | None) -> Row:
    return next(one for one in report.rows if one.code == code)


def counts(report: UsageReport, code: str | None) -> dict[str, int | None]:
    return dict(row(report, code).counts.items())


@pytest.fixture
async def quarter(db: Database) -> Database:
    """Four people of two agencies and a shared mailbox through October to December 2026.

    an: every month. binh: not in November. chi: writes to herself alone in December. dung: moves
    from snv to stc on 16/11, every month, once more on 10/12 from stc. A scanner sends as vanthu.
    """
    since = date(2025, 1, 1)
    await add_agencies(
        db,
        AgencySpan("snv", "Sở Nội vụ", "province", valid_from=since),
        AgencySpan("stc", "Sở Tài chính", "province", valid_from=since),
        AgencySpan("xtp", "Xã Thông Nông", "commune", valid_from=date(2026, 11, 1)),
        AgencySpan("htn", "UBND huyện cũ", "district", valid_until=date(2025, 7, 1)),
    )
    for name in ("an", "binh", "chi"):
        await add_person(db, name, post("snv"))
    await add_person(db, "dung", post("snv"), post("stc", "2026-11-16"))
    await add_person(db, "vanthu", Post("snv", None, None, None), kind="shared")
    traffic = Traffic()
    for day in ("2026-10-05", "2026-11-05", "2026-12-05"):
        traffic.sent("an", "snv", day, to=(address("binh"), OUTSIDE), document_class="CV")
        traffic.sent("vanthu", "snv", day, personal=False)
    traffic.sent("binh", "snv", "2026-10-05")
    traffic.sent("binh", "snv", "2026-12-05")
    traffic.sent("binh", "snv", "2026-11-10", automatic=True)
    traffic.sent("chi", "snv", "2026-10-31", hour=23)
    traffic.sent("chi", "snv", "2026-11-20")
    traffic.sent("chi", "snv", "2026-12-20", to=(address("chi"),))
    traffic.sent("dung", "snv", "2026-10-20")
    traffic.sent("dung", "snv", "2026-11-15")
    reached = traffic.sent("dung", "stc", "2026-12-10", to=(address("an"), address("binh")))
    traffic.delivered(reached, 0, "an", "snv", "2026-12-10")
    traffic.delivered(reached, 1, "binh", "snv", "2027-01-02")
    await traffic.apply(db)
    return db


async def test_a_civil_quarter_is_counted_exactly(quarter: Database) -> None:
    report = await report_of(quarter, **Q4_CIVIL)
    assert counts(report, "snv") == {
        "sent_messages": 14,
        "automatic_messages": 1,
        "messages_to_others": 13,
        "recipients": 17,
        "received_messages": 1,
        "accounts_that_sent": 5,
        "active_persons": 1,  # an; binh misses November, chi misses December
        "persons_that_sent": 3,
    }
    assert counts(report, "stc") == {
        "sent_messages": 1,
        "automatic_messages": 0,
        "messages_to_others": 1,
        "recipients": 2,
        "received_messages": 0,
        "accounts_that_sent": 1,
        "active_persons": 1,  # dung, who wrote from snv in October and November
        "persons_that_sent": 1,
    }
    assert report.province is not None
    assert dict(report.province.items()) == {
        "sent_messages": 15,
        "automatic_messages": 1,
        "messages_to_others": 14,
        "recipients": 19,
        "received_messages": 1,
        "accounts_that_sent": 5,  # dung sent from both
        "active_persons": 2,
        "persons_that_sent": 4,
    }
    assert report.sample is False


async def test_an_administrative_quarter_is_counted_exactly(quarter: Database) -> None:
    """15/09 to 14/12: the same traffic falls into the months 15/09, 15/10 and 15/11."""
    report = await report_of(quarter, **Q4_ADMINISTRATIVE)
    assert counts(report, "snv") == {
        "sent_messages": 13,
        "automatic_messages": 1,
        "messages_to_others": 13,
        "recipients": 16,
        "received_messages": 1,
        "accounts_that_sent": 5,
        "active_persons": 1,  # an: 05/10, 05/11, 05/12
        "persons_that_sent": 3,
    }
    # dung wrote on 20/10, 15/11 and 10/12: nothing from 15/09 to 14/10
    assert counts(report, "stc")["active_persons"] == 0
    assert counts(report, "stc")["persons_that_sent"] == 1
    assert report.observed_days == 71  # from 05/10 to 14/12 of 91 days
    assert report.note is not None
    assert report.note.code == "observed-in-part"


async def test_a_message_just_before_midnight_belongs_to_its_local_day(quarter: Database) -> None:
    october = await report_of(quarter, period="2026-10")
    november = await report_of(quarter, period="2026-11")
    assert counts(october, "snv")["persons_that_sent"] == 4  # chi wrote at 23:00 on 31/10
    assert counts(november, "snv")["sent_messages"] == 5


async def test_a_person_counts_where_he_serves_on_the_last_day(quarter: Database) -> None:
    october = await report_of(quarter, period="2026-10")
    assert counts(october, "snv")["active_persons"] == 4
    assert counts(october, "stc")["active_persons"] == 0
    moved = await report_of(quarter, period="2026-11-01..2026-11-15")
    assert counts(moved, "snv")["active_persons"] == 2  # an and dung
    after = await report_of(quarter, period="2026-11-01..2026-11-16")
    assert (counts(after, "snv")["active_persons"], counts(after, "stc")["active_persons"]) == (1, 1)


async def test_one_message_moves_the_figures_by_exactly_one(quarter: Database) -> None:
    before = await report_of(quarter, **Q4_CIVIL)
    traffic = Traffic("spool-b")
    traffic.sent("chi", "snv", "2026-12-28")
    await traffic.apply(quarter)
    after = await report_of(quarter, **Q4_CIVIL)
    changes = {
        key: (value or 0) - (counts(before, "snv")[key] or 0) for key, value in counts(after, "snv").items()
    }
    assert changes == {
        "sent_messages": 1,
        "automatic_messages": 0,
        "messages_to_others": 1,
        "recipients": 1,
        "received_messages": 0,
        "accounts_that_sent": 0,
        "active_persons": 1,  # chi's December
        "persons_that_sent": 0,
    }
    assert counts(after, "stc") == counts(before, "stc")


async def test_one_agency_alone_says_the_same_and_no_more(quarter: Database) -> None:
    whole = await report_of(quarter, **Q4_CIVIL)
    for code in ("snv", "stc", "xtp"):
        alone = await report_of(quarter, **Q4_CIVIL, agency=code)
        assert alone.province is None
        assert alone.rows == (row(whole, code),)


async def test_an_agency_that_did_not_exist_has_no_figure(quarter: Database) -> None:
    report = await report_of(quarter, **Q4_CIVIL, agency="htn")
    assert set(counts(report, "htn").values()) == {None}
    note = row(report, "htn").note
    assert note is not None
    assert (note.code, note.vi) == ("did-not-exist", "Không tồn tại trong kỳ (đến hết 30/06/2025).")
    everybody = await report_of(quarter, **Q4_CIVIL)
    assert [one.code for one in everybody.rows] == ["snv", "stc", "xtp"]
    before = await report_of(quarter, period="2025-H1")
    assert [one.code for one in before.rows] == ["snv", "stc", "htn"]


async def test_an_agency_that_began_in_the_period_is_counted_with_a_note(quarter: Database) -> None:
    found = row(await report_of(quarter, **Q4_CIVIL), "xtp")
    assert found.counts.sent_messages == 0
    assert found.note is not None
    assert (found.note.code, found.note.vi) == ("existed-in-part", "Tồn tại một phần kỳ (từ 01/11/2026).")
    assert row(await report_of(quarter, period="2026-12"), "xtp").note is None


async def test_an_unknown_agency_is_an_error(quarter: Database) -> None:
    with pytest.raises(UnknownAgency):
        await report_of(quarter, **Q4_CIVIL, agency="nowhere")


async def test_a_future_period_has_no_figures(quarter: Database) -> None:
    report = await report_of(quarter, now_ms=at_ms("2026-09-01"), **Q4_CIVIL)
    assert report.to_json()["period"]["progress"] == "future"
    assert report.note is not None
    assert report.note.code == "not-begun"
    assert report.province is not None
    assert set(dict(report.province.items()).values()) == {None}
    assert all(value is None for one in report.rows for _, value in one.counts.items())
    assert report.observed_days == 0


async def test_a_running_period_is_judged_on_the_months_that_have_begun(quarter: Database) -> None:
    report = await report_of(quarter, now_ms=at_ms("2026-11-21", 18), **Q4_CIVIL)
    assert report.to_json()["period"]["progress"] == "running"
    assert report.observed_days == 47  # 05/10 to 20/11: today is not over
    assert report.note is not None
    assert report.note.vi == "Kỳ chưa kết thúc: đã theo dõi 47/92 ngày."
    assert counts(report, "snv")["active_persons"] == 2  # an and chi, over October and November
    assert counts(report, "stc")["active_persons"] == 1


async def test_a_month_of_which_nothing_was_observed_leaves_active_persons_open(quarter: Database) -> None:
    report = await report_of(quarter, period="2026-H2")
    found = row(report, "snv")
    assert found.counts.active_persons is None
    assert found.counts.persons_that_sent == 3
    assert found.note is not None
    assert found.note.code == "month-not-observed"
    assert "01/07/2026 – 31/07/2026" in found.note.en
    assert report.province is not None
    assert report.province.active_persons is None
    assert report.province.sent_messages == 15


async def test_the_first_day_of_the_service_counts_at_once(db: Database) -> None:
    await add_agencies(db, AgencySpan("snv", "Sở Nội vụ", "province"))
    await add_person(db, "an", post("snv"))
    traffic = Traffic()
    traffic.sent("an", "snv", "2026-11-21")
    await traffic.apply(db)
    report = await report_of(db, now_ms=at_ms("2026-11-21", 18), period="2026-11")
    assert (counts(report, "snv")["active_persons"], report.observed_days) == (1, 0)


async def test_an_empty_ledger_gives_zeros_and_says_that_nothing_was_observed(db: Database) -> None:
    await add_agencies(db, AgencySpan("snv", "Sở Nội vụ", "province"))
    report = await report_of(db, **Q4_CIVIL)
    assert report.observed_days == 0
    assert counts(report, "snv")["sent_messages"] == 0
    assert counts(report, "snv")["active_persons"] is None


async def test_sample_rows_mark_the_report(quarter: Database) -> None:
    traffic = Traffic("spool-s")
    traffic.sent("an", "snv", "2026-12-08", sample=True)
    await traffic.apply(quarter)
    assert (await report_of(quarter, **Q4_CIVIL)).sample is True
    assert (await report_of(quarter, **Q4_CIVIL, agency="snv")).sample is True
    assert (await report_of(quarter, **Q4_CIVIL, agency="stc")).sample is False
    assert (await report_of(quarter, period="2026-11")).sample is False


async def test_mail_of_no_agency_stands_apart_and_the_sum_is_whole(quarter: Database) -> None:
    traffic = Traffic("spool-n")
    for day in ("2026-10-07", "2026-11-07", "2026-12-07"):
        traffic.sent("nobody", None, day)
    await traffic.apply(quarter)
    report = await report_of(quarter, **Q4_CIVIL)
    assert report.rows[-1].code is None
    assert counts(report, None)["active_persons"] == 1
    assert report.province is not None
    for name, total in report.province.items():
        moved = name == "accounts_that_sent"  # dung: one account of the province, of two agencies
        assert total == sum(dict(one.counts.items())[name] or 0 for one in report.rows) - moved


async def test_outside_recipients_by_provider_and_rejections_by_rule(quarter: Database) -> None:
    before = (await report_of(quarter, **Q4_CIVIL)).tables
    assert before.outbound_by_provider == {
        "free": 0, "paid-foreign": 0, "domestic": 13, "gateway": 0, "unknown": 0,
    }  # fmt: skip
    assert before.rejected_by_rule == {}
    traffic = Traffic("spool-t")
    traffic.sent("an", "snv", "2026-10-01", to=(OUTSIDE, "x@gmail.com", address("binh")), provider="free")
    traffic.sent("an", "snv", "2026-12-31", provider=None, hour=23)
    traffic.sent("an", "stc", "2026-11-01", provider="paid-foreign")
    traffic.sent("an", "snv", "2027-01-01", provider="free")
    traffic.rejected("an", "snv", "2026-10-07", "cold-free-mail")
    traffic.rejected("an", "snv", "2026-10-08", "cold-free-mail")
    traffic.rejected("dung", "stc", "2026-10-08", "own-free-mail")
    traffic.rejected("chi", None, "2026-12-30", "secrecy-mark")
    traffic.rejected("chi", "snv", "2027-01-01", "cold-free-mail")
    await traffic.apply(quarter)
    report = await report_of(quarter, **Q4_CIVIL)
    assert row(report, "snv").tables.outbound_by_provider == {
        "free": 2, "paid-foreign": 0, "domestic": 13, "gateway": 0, "unknown": 1,
    }  # fmt: skip
    assert row(report, "snv").tables.rejected_by_rule == {"cold-free-mail": 2}
    assert row(report, "stc").tables.rejected_by_rule == {"own-free-mail": 1}
    assert row(report, None).tables.rejected_by_rule == {"secrecy-mark": 1}
    assert row(report, "xtp").tables == Tables(dict.fromkeys(PROVIDERS, 0), {})
    answer = report.to_json()
    whole = {"free": 2, "paid-foreign": 1, "domestic": 13, "gateway": 0, "unknown": 1}
    assert answer["province"]["outbound_by_provider"] == whole
    assert answer["province"]["rejected_by_rule"] == {
        "cold-free-mail": 2, "own-free-mail": 1, "secrecy-mark": 1,
    }  # fmt: skip
    assert answer["agencies"][0]["rejected_by_rule"] == {"cold-free-mail": 2}
    alone = await report_of(quarter, **Q4_CIVIL, agency="snv")
    assert alone.rows == (row(report, "snv"),)
    assert alone.tables == row(report, "snv").tables


async def test_where_nothing_is_counted_the_small_tables_are_null_too(quarter: Database) -> None:
    gone = await report_of(quarter, **Q4_CIVIL, agency="htn")
    future = await report_of(quarter, now_ms=at_ms("2026-09-01"), **Q4_CIVIL)
    for report in (gone, future):
        assert all(found == Tables() for found in (report.tables, *(one.tables for one in report.rows)))
        table = [line for line in report.to_text("vi").splitlines() if line.startswith("Tổng")]
        assert [line.split() for line in table] == [["Tổng", "–"], ["Tổng", "–"]]


async def test_sample_records_of_the_small_tables_alone_mark_the_report(quarter: Database) -> None:
    traffic = Traffic("spool-s")
    traffic.rejected("an", "stc", "2026-10-08", "cold-free-mail", sample=True)
    await traffic.apply(quarter)
    assert (await report_of(quarter, **Q4_CIVIL)).sample is True
    assert (await report_of(quarter, **Q4_CIVIL, agency="stc")).sample is True
    assert (await report_of(quarter, **Q4_CIVIL, agency="snv")).sample is False


async def test_text_has_the_small_tables_of_the_whole_report(quarter: Database) -> None:
    traffic = Traffic("spool-t")
    traffic.sent("an", "snv", "2026-10-01", provider="free")
    traffic.rejected("an", "snv", "2026-10-07", "cold-free-mail")
    traffic.rejected("chi", None, "2026-10-07", "secrecy-\x1b[31mmark\n")
    await traffic.apply(quarter)
    lines = (await report_of(quarter, **Q4_CIVIL)).to_text().splitlines()
    assert "\x1b" not in "".join(lines)
    assert not any(line.startswith("Không thuộc cơ quan") for line in lines)  # only zeros to show
    start = next(n for n, line in enumerate(lines) if line.startswith("Miễn phí, ở nước ngoài [free]"))
    outbound = [line.rsplit(maxsplit=1) for line in lines[start : start + 7]]
    assert [count for _, count in outbound if "-" not in count] == ["1", "0", "13", "0", "0", "14"]
    start = next(n for n, line in enumerate(lines) if line.startswith("cold-free-mail "))
    assert [lines[n].split() for n in (start, start + 1, start + 3)] == [
        ["cold-free-mail", "1"],
        ["secrecy-[31mmark", "1"],
        ["Tổng", "2"],
    ]
    assert all(len(line) <= 150 for line in lines)


async def test_a_large_quarter_agrees_with_a_count_by_hand(db: Database) -> None:
    """1,500 random messages of 30 people; the truth is computed from the messages themselves."""
    chance = random.Random(20261121)
    codes = ("a1", "a2", "a3")
    await add_agencies(db, *(AgencySpan(code, code.upper(), "province") for code in codes))
    people: dict[str, Callable[[date], str]] = {}
    for number in range(30):
        first, second, day = (
            *chance.sample(codes, 2),
            date(2026, 9, 1) + timedelta(days=chance.randrange(120)),
        )
        moves = number % 4 == 0
        posts = (post(first), post(second, day.isoformat())) if moves else (post(first),)
        await add_person(db, f"p{number}", *posts)
        people[f"p{number}"] = _served(first, second if moves else first, day)
    traffic = Traffic()
    told: list[tuple[str, date, bool, bool]] = []
    traffic.sent("p0", people["p0"](date(2026, 9, 1)), date(2026, 9, 1))
    told.append(("p0", date(2026, 9, 1), False, True))
    for _ in range(1500):
        name = f"p{min(29, int(chance.expovariate(0.12)))}"
        day = date(2026, 9, 1) + timedelta(days=chance.randrange(122))
        automatic, alone = chance.random() < 0.1, chance.random() < 0.1
        to = (address(name),) if alone else (OUTSIDE,)
        traffic.sent(name, people[name](day), day, to=to, automatic=automatic)
        told.append((name, day, automatic, not alone))
    await traffic.apply(db)
    for calendar in Calendar:
        for text in ("2026-Q4", "2026-10", "2026-11", "2026-09-20..2026-12-03"):
            report = await report_of(db, period=text, calendar=calendar)
            _check(report, told, people)


def _served(first: str, second: str, day: date) -> Callable[[date], str]:
    return lambda on: second if on >= day else first


def _check(
    report: UsageReport,
    told: list[tuple[str, date, bool, bool]],
    people: dict[str, Callable[[date], str]],
) -> None:
    period = report.period
    inside = [one for one in told if period.start <= one[1] < period.end]
    months: dict[str, set[int]] = defaultdict(set)
    for name, day, automatic, others in inside:
        if others and not automatic:
            months[name].add(next(n for n, m in enumerate(period.months) if m.start <= day < m.end))
    for code in ("a1", "a2", "a3"):
        mine = [one for one in inside if people[one[0]](one[1]) == code]
        here = {name for name in months if people[name](period.span.last) == code}
        assert counts(report, code) == {
            "sent_messages": len(mine),
            "automatic_messages": sum(one[2] for one in mine),
            "messages_to_others": sum(one[3] for one in mine),
            "recipients": len(mine),
            "received_messages": 0,
            "accounts_that_sent": len({one[0] for one in mine}),
            "active_persons": sum(len(months[name]) == len(period.months) for name in here),
            "persons_that_sent": len(here),
        }, (period.text, period.calendar, code)


async def test_json_carries_the_definitions_with_article_and_hash(quarter: Database) -> None:
    settings = SETTINGS.model_copy(
        update={
            "province": SETTINGS.province.model_copy(update={"directive_numbers": {"cao-bang": "99/CT-UBND"}})
        }
    )
    answer = (await usage_report(quarter, settings=settings, now_ms=OVER, **Q4_ADMINISTRATIVE)).to_json()
    assert answer["period"] == {
        "text": "2026-Q4",
        "kind": "quarter",
        "calendar": "administrative",
        "cut_off_day": 15,
        "from": "2026-09-15",
        "to": "2026-12-15",
        "progress": "whole",
        "label": {"vi": "Quý IV năm 2026", "en": "Quarter IV of 2026"},
        "months": [
            {"from": "2026-09-15", "to": "2026-10-15"},
            {"from": "2026-10-15", "to": "2026-11-15"},
            {"from": "2026-11-15", "to": "2026-12-15"},
        ],
    }
    assert (answer["days"], answer["generated_at"]) == (91, "2027-01-10T09:00:00+07:00")
    assert [one["id"] for one in answer["definitions"]] == [one.id for one in DEFINITIONS]
    active = next(one for one in answer["definitions"] if one["id"] == "active_persons")
    assert active["articles"][0] == {
        "directive": "phu-tho",
        "document": "Chỉ thị 16/2009/CT-UBND (tỉnh Phú Thọ, 23/09/2009)",
        "article": "mục 1",
    }
    assert active["articles"][2]["document"].startswith("Chỉ thị 99/CT-UBND ")
    assert len(active["definition_hash"]) == 64
    assert len({one["definition_hash"] for one in answer["definitions"]}) == len(DEFINITIONS)
    assert set(answer["agencies"][0]) >= {one.id for one in DEFINITIONS}
    assert set(answer["province"]) >= {one.id for one in (*COUNTS, *TABLES)}


async def test_text_is_a_table_for_people(quarter: Database) -> None:
    text = (await report_of(quarter, **Q4_CIVIL)).to_text()
    lines = text.splitlines()
    assert lines[0].startswith("SỬ DỤNG THƯ ĐIỆN TỬ – Quý IV năm 2026; 01/10/2026 – 31/12/2026; ")
    assert lines[2].startswith("USE OF MAIL – Quarter IV of 2026; 01/10/2026 – 31/12/2026; ")
    table = [
        line for line in lines if line.startswith(("Sở Nội vụ [snv]", "Sở Tài chính [stc]", "Toàn tỉnh"))
    ]
    assert [line.split()[-8:] for line in table] == [
        ["14", "1", "13", "17", "1", "5", "1", "3"],
        ["1", "0", "1", "2", "0", "1", "1", "1"],
        ["15", "1", "14", "19", "1", "5", "2", "4"],
    ]
    assert len({len(line) for line in table}) == 1
    assert all(len(line) <= 150 and line == line.rstrip() for line in lines)
    assert "(1) Tồn tại một phần kỳ (từ 01/11/2026)." in lines
    assert "Phú Thọ" in text


async def test_text_in_one_language(quarter: Database) -> None:
    report = await report_of(quarter, **Q4_CIVIL)
    assert "Active persons" not in report.to_text("vi")
    assert "Người dùng thường xuyên" not in report.to_text("en").replace("\n", " ")
    with pytest.raises(ValueError, match="vi, en or both"):
        report.to_text("fr")


async def test_a_hostile_name_stays_on_its_line(db: Database) -> None:
    await add_agencies(db, AgencySpan("x", "Sở \x1b[31m đỏ\n\u202eđảo\u2028 " + "dài " * 40, "province"))
    text = (await report_of(db, **Q4_CIVIL)).to_text()
    assert not {"\x1b", "\u202e", "\u2028"} & set(text)
    assert sum("[x]" in line for line in text.splitlines()) == 1


async def test_thousands_have_a_point_and_sample_data_is_called_so(db: Database) -> None:
    await add_agencies(db, AgencySpan("snv", "Sở Nội vụ", "province"))
    traffic = Traffic()
    for _ in range(1234):
        traffic.sent("an", "snv", "2026-10-05", sample=True)
    await traffic.apply(db)
    text = (await report_of(db, **Q4_CIVIL)).to_text("vi")
    assert " 1.234 " in text
    assert "CÓ SỐ LIỆU MẪU" in text


async def test_errors_are_named(quarter: Database) -> None:
    with pytest.raises(PeriodError):
        await report_of(quarter, period="2026-Q9")
    with pytest.raises(PeriodError):
        await report_of(quarter, period="2026", calendar="lunar")
    given = await report_of(quarter, period=parse("2026-11"))
    assert given.period.text == "2026-11"


async def test_a_ledger_that_is_away_says_so(away: Database) -> None:
    with pytest.raises(LedgerUnavailable):
        await report_of(away, **Q4_CIVIL)


def test_the_guide_states_every_definition_with_its_articles() -> None:
    guide = (Path(__file__).parents[3] / "docs" / "usage.md").read_text(encoding="utf-8")
    for definition in DEFINITIONS:
        (line,) = [line for line in guide.splitlines() if line.startswith(f"| `{definition.id}` |")]
        assert definition.heading_vi in line
        assert all(article in line for _, article in definition.articles)
