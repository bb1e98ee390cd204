"""Officials who use mail, and accounts issued, against traffic and headcounts of known truth."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import update

from mailgov.settings import ProvinceSettings
from mailgov.store import accounts
from mailgov.store.accounts import Post
from mailgov.store.agencies import AgencySpan
from mailgov.store.engine import Database
from mailgov.store.tables import Account, SignIn
from tests.unit.usage.declaring import exempt, headcount
from tests.unit.usage.traffic import Traffic, add_agencies, add_person, address, at_ms
from tests.unit.usage.yardsticks import codes, figure, report_of, row

PT, BD, BN, BN_AGENCIES = (
    "pt.officials-using-mail",
    "bd.officials-using-mail",
    "bn.accounts",
    "bn.agencies-with-accounts",
)
MONTHS = ("2026-10-05", "2026-11-05", "2026-12-05")


def serves(agency: str, person_class: str | None, since: str | None = None) -> Post:
    return Post(agency, person_class, date.fromisoformat(since) if since else None, None)


@pytest.fixture
async def quarter(db: Database) -> Database:
    """October to December 2026, observed from 30/09.

    snv: an (công chức) and em (viên chức) write every month; bao (cán bộ) not in November; khai
    (khác) every month; vanthu, a shared mailbox, every month; vang (công chức) never. dung (công
    chức) writes every month and moves to stc on 16/11. stc has tho (công chức), who writes to
    himself and automatically. htn was merged away on 16/11: its dao (cán bộ), who writes every month,
    is in xtp since. xmoi has nobody.
    """
    await add_agencies(
        db,
        AgencySpan("snv", "Sở Nội vụ", "province"),
        AgencySpan("stc", "Sở Tài chính", "province"),
        AgencySpan("htn", "UBND huyện cũ", "district", valid_until=date(2026, 11, 16)),
        AgencySpan("xtp", "UBND xã", "commune", valid_from=date(2026, 11, 1)),
        AgencySpan("xmoi", "UBND xã mới", "commune", valid_from=date(2025, 7, 1)),
    )
    for name, person_class in (("an", "cong_chuc"), ("em", "vien_chuc"), ("bao", "can_bo"), ("khai", "khac")):
        await add_person(db, name, serves("snv", person_class))
    await add_person(db, "vang", serves("snv", "cong_chuc"))
    await add_person(db, "vanthu", serves("snv", None), kind="shared")
    await add_person(db, "dung", serves("snv", "cong_chuc"), serves("stc", "cong_chuc", "2026-11-16"))
    await add_person(db, "tho", serves("stc", "cong_chuc"))
    await add_person(db, "dao", serves("htn", "can_bo"), serves("xtp", "can_bo", "2026-11-16"))
    traffic = Traffic()
    traffic.sent("an", "snv", "2026-09-30")
    for day in MONTHS:
        for name in ("an", "em", "khai"):
            traffic.sent(name, "snv", day)
        traffic.sent("vanthu", "snv", day, personal=False)
        traffic.sent("dung", "snv" if day < "2026-11-16" else "stc", day)
        traffic.sent("dao", "htn" if day < "2026-11-16" else "xtp", day)
        traffic.sent("tho", "stc", day, to=(address("tho"),))
        traffic.sent("tho", "stc", day, automatic=True)
        if day[5:7] != "11":
            traffic.sent("bao", "snv", day)
    await traffic.apply(db)
    return db


async def declared(db: Database) -> Database:
    await headcount(db, "snv", "2026-Q4", can_bo=1, cong_chuc=2, vien_chuc=1, khac=9, long_leave=1)
    await headcount(db, "stc", "2026-Q4", cong_chuc=2)
    await headcount(db, "xtp", "2026-Q4", can_bo=3)
    await headcount(db, "xmoi", "2026-Q4", can_bo=1)
    return db


async def test_active_persons_over_those_declared(quarter: Database) -> None:
    report = await report_of(await declared(quarter), "2026-Q4")
    assert {code: figure(row(report, PT, code)) for code in ("snv", "stc", "xtp", "xmoi", None)} == {
        "snv": (2, 4, 50.0),  # an and em; neither khai, who is in no target, nor the shared mailbox
        "stc": (1, 2, 50.0),  # dung, who wrote from snv in October and November
        "xtp": (1, 3, 33.33),  # dao, from the merged district
        "xmoi": (0, 1, 0.0),
        None: (4, 10, 40.0),
    }
    assert {code: figure(row(report, BD, code)) for code in ("snv", "stc", "xtp", "xmoi", None)} == {
        "snv": (1, 3, 33.33),  # viên chức are left out of both numbers
        "stc": (1, 2, 50.0),
        "xtp": (1, 3, 33.33),
        "xmoi": (0, 1, 0.0),
        None: (3, 9, 33.33),
    }


async def test_targets_gaps_and_what_they_rest_on(quarter: Database) -> None:
    report = await report_of(await declared(quarter), "2026-Q4")
    pt, bd = row(report, PT, "snv"), row(report, BD, None)
    assert (pt.target_percent, pt.met, pt.gap, pt.kind, pt.status) == (80, False, 2, "target", "due")
    assert (bd.target_percent, bd.met, bd.gap, bd.kind, bd.status) == (100, False, 6, "target", "due")
    assert codes(bd) == ["carried-forward"]
    assert dict(pt.measured) == {"active_persons": 2}
    assert dict(pt.declared) == {"can_bo": 1, "cong_chuc": 2, "vien_chuc": 1}
    assert dict(bd.declared) == {"can_bo": 5, "cong_chuc": 4}
    assert (pt.observed_days, pt.period.days, pt.note, pt.sample) == (92, 92, None, False)
    assert row(report, BD, "snv").definition_hash != pt.definition_hash
    # a commune founded in the period is told, not judged
    xtp = row(report, PT, "xtp")
    assert (xtp.met, xtp.gap, codes(xtp)) == (None, 2, ["existed-in-part"])


@pytest.mark.parametrize(("persons", "met", "gap"), [(5, True, 0), (6, False, 1), (4, True, 0)])
async def test_a_target_is_met_exactly_at_its_line(
    quarter: Database, persons: int, met: bool, gap: int
) -> None:
    await add_person(quarter, "them", serves("stc", "cong_chuc"))
    traffic = Traffic("spool-b")
    for day in MONTHS:
        for name in ("them", "tho"):
            traffic.sent(name, "stc", day)
    await add_person(quarter, "nua", serves("stc", "vien_chuc"))
    for day in MONTHS:
        traffic.sent("nua", "stc", day)
    await traffic.apply(quarter)
    await headcount(quarter, "stc", "2026-Q4", cong_chuc=persons - 1, vien_chuc=1)
    found = row(await report_of(quarter, "2026-Q4"), PT, "stc")
    assert (found.numerator, found.denominator, found.met, found.gap) == (4, persons, met, gap)


async def test_beside_stand_looser_figures_sign_ins_and_long_leave(quarter: Database) -> None:
    async with quarter.write() as session:
        for name, day in (
            ("vang", "2026-12-01"),
            ("an", "2026-10-01"),
            ("an", "2026-10-02"),
            ("tho", "2026-09-30"),
        ):
            session.add(
                SignIn(
                    local_date=date.fromisoformat(day),
                    account=address(name),
                    protocol="imap",
                    count=9,
                    last_ms=1,
                )
            )
    report = await report_of(await declared(quarter), "2026-Q4")
    assert dict(row(report, PT, "snv").beside) == {
        "persons_that_sent": 3,  # an, em, bao
        "signed_in": 2,  # an, vang
        "signed_in_or_sent": 4,
        "long_leave": 1,
    }
    assert dict(row(report, BD, "snv").beside)["persons_that_sent"] == 2
    assert dict(row(report, PT, "stc").beside) == {
        "persons_that_sent": 1,
        "signed_in": 0,  # in September
        "signed_in_or_sent": 1,
        "long_leave": None,
    }
    assert dict(row(report, PT, None).beside)["long_leave"] is None  # not everybody told


async def test_without_any_sign_in_noted_there_is_no_number_of_them(quarter: Database) -> None:
    found = row(await report_of(quarter, "2026-Q4"), PT, "snv")
    assert (found.beside["signed_in"], found.beside["signed_in_or_sent"]) == (None, None)
    assert found.beside["persons_that_sent"] == 3


async def test_undeclared_is_no_percentage_here_and_in_the_province(quarter: Database) -> None:
    await headcount(quarter, "snv", "2026-Q4", cong_chuc=4)
    await headcount(quarter, "stc", "2026-11", cong_chuc=4)  # of another day
    report = await report_of(quarter, "2026-Q4")
    stc, province = row(report, PT, "stc"), row(report, PT, None)
    assert (figure(stc), stc.met, stc.gap, codes(stc)) == ((1, None, None), None, None, ["undeclared"])
    assert dict(stc.declared) == {"can_bo": None, "cong_chuc": None, "vien_chuc": None}
    assert (figure(province), province.met, codes(province)) == ((4, None, None), None, ["declared-in-part"])
    assert province.note is not None
    assert "1/4" in province.note.vi


async def test_a_declared_zero_is_not_undeclared(quarter: Database) -> None:
    await declared(quarter)
    await headcount(quarter, "xmoi", "2026-Q4", revision=2)
    report = await report_of(quarter, "2026-Q4")
    none_there = row(report, PT, "xmoi")
    assert (figure(none_there), none_there.met) == ((0, 0, None), None)
    assert codes(none_there) == ["restated", "denominator-zero"]
    province = row(report, PT, None)
    assert (figure(province), codes(province)) == ((4, 9, 44.44), ["restated"])


async def test_a_numerator_above_its_denominator_is_no_percentage(quarter: Database) -> None:
    await headcount(quarter, "snv", "2026-Q4", cong_chuc=1)
    found = row(await report_of(quarter, "2026-Q4"), PT, "snv")
    assert (figure(found), found.met, found.gap) == ((2, 1, None), None, None)
    assert codes(found) == ["numerator-above-denominator"]


async def test_a_correction_restates_visibly(quarter: Database) -> None:
    await headcount(quarter, "snv", "2026-Q4", cong_chuc=4)
    await headcount(quarter, "snv", "2026-Q4", cong_chuc=5, revision=2)
    found = row(await report_of(quarter, "2026-Q4"), PT, "snv")
    assert (figure(found), codes(found)) == ((2, 5, 40.0), ["restated"])


async def test_a_running_period_is_not_judged(quarter: Database) -> None:
    await headcount(quarter, "snv", "2026-Q4", cong_chuc=2)
    found = row(await report_of(quarter, "2026-Q4", now_ms=at_ms("2026-12-20")), PT, "snv")
    assert (found.percent, found.met, codes(found)) == (100.0, None, ["running"])
    assert (found.observed_days, found.status) == (80, "due")


async def test_a_period_observed_in_part_is_not_judged(quarter: Database) -> None:
    await headcount(quarter, "snv", "2026-09", cong_chuc=1)
    found = row(await report_of(quarter, "2026-09"), PT, "snv")
    assert (figure(found), found.met, codes(found)) == ((1, 1, 100.0), None, ["observed-in-part"])
    assert (found.observed_days, found.period.days) == (1, 30)


async def test_a_month_without_records_gives_no_active_persons(quarter: Database) -> None:
    await headcount(quarter, "snv", "2026-H2", cong_chuc=4)
    found = row(await report_of(quarter, "2026-H2"), PT, "snv")
    assert (figure(found), found.met) == ((None, 4, None), None)
    assert codes(found) == ["month-not-observed", "observed-in-part"]


async def test_a_future_period_has_no_figures(quarter: Database) -> None:
    report = await report_of(quarter, "2027-Q2")
    assert report.indicators is not None
    for one in report.indicators.rows:
        assert (figure(one), one.met, one.agency, codes(one)[-1]) == (
            (None, None, None),
            None,
            None,
            "not-begun",
        )


async def test_an_agency_that_did_not_exist(quarter: Database) -> None:
    report = await report_of(quarter, "2026-12", agency="htn")
    assert report.indicators is not None
    for one in report.indicators.rows:
        assert (figure(one), one.met, one.agency, one.notes[0].code) == (
            (None, None, None),
            None,
            "htn",
            "did-not-exist",
        )
    whole = await report_of(quarter, "2026-12")
    assert whole.indicators is not None
    assert "htn" not in {one.agency for one in whole.indicators.rows}


async def test_one_agency_alone_has_its_own_rows(quarter: Database) -> None:
    report = await report_of(await declared(quarter), "2026-Q4", agency="stc")
    assert report.indicators is not None
    assert {one.agency for one in report.indicators.rows} == {"stc"}
    assert figure(row(report, PT, "stc")) == (1, 2, 50.0)


async def test_a_document_that_is_not_adopted_is_a_reference(quarter: Database) -> None:
    await declared(quarter)
    found = row(await report_of(quarter, "2026-Q4", province=ProvinceSettings()), PT, "snv")
    assert (found.kind, found.met, found.percent, found.target_percent) == ("reference", None, 50.0, 80)


async def test_nobody_is_exempt_from_using_mail(quarter: Database) -> None:
    await exempt(await declared(quarter), PT, "snv")
    found = row(await report_of(quarter, "2026-Q4"), PT, "snv")
    assert (found.met, codes(found)) == (False, [])


async def test_accounts_issued_and_open_over_persons(quarter: Database) -> None:
    await declared(quarter)
    async with quarter.write() as session:
        await accounts.set_suspended(session, address("vang"), at_ms("2026-12-31", 23))
        await accounts.set_suspended(session, address("em"), at_ms("2027-01-01", 0))
    report = await report_of(quarter, "2026-Q4")
    assert {code: figure(row(report, BN, code)) for code in ("snv", "stc", "xtp", "xmoi", None)} == {
        "snv": (3, 4, 75.0),  # an, bao and em, who was suspended after midnight
        "stc": (2, 2, 100.0),
        "xtp": (1, 3, 33.33),
        "xmoi": (0, 1, 0.0),
        None: (6, 10, 60.0),
    }
    found = row(report, BN, None)
    assert (found.kind, found.met, found.target_percent, found.gap) == ("baseline", None, 100, 4)


async def test_agencies_with_an_account_over_agencies(quarter: Database) -> None:
    report = await report_of(quarter, "2026-Q4")
    assert {code: figure(row(report, BN_AGENCIES, code)) for code in ("snv", "xmoi", None)} == {
        "snv": (1, 1, 100.0),
        "xmoi": (0, 1, 0.0),
        None: (3, 4, 75.0),
    }


async def test_before_there_were_accounts_none_is_counted(quarter: Database) -> None:
    async with quarter.write() as session:
        await session.execute(update(Account).values(created_ms=at_ms("2026-12-31", 24)))
    for name in (BN, BN_AGENCIES, "cb.official-mailboxes"):
        found = row(await report_of(quarter, "2026-Q4"), name, None)
        assert (found.numerator, found.percent, codes(found)[0]) == (None, None, "before-the-service")
