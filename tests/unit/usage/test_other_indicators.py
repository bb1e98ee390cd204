"""Addresses on free services, what agencies declare themselves, and every row's shape."""

from __future__ import annotations

import csv
import io
import json
from datetime import date

import pytest

from mailgov.settings import ProvinceSettings
from mailgov.store import accounts, agencies, directory
from mailgov.store.accounts import Post
from mailgov.store.agencies import AgencySpan
from mailgov.store.engine import Database
from mailgov.usage.report import UnknownAgency
from mailgov.usage.targets import UnknownDirective
from tests.unit.usage.declaring import declare, exempt, headcount
from tests.unit.usage.traffic import Traffic, add_agencies, add_person, address, at_ms
from tests.unit.usage.yardsticks import ALL, POLICY, codes, figure, report_of, row

CB = "cb.official-mailboxes"
FIELDS = {
    *("indicator", "directive", "article", "agency", "period", "numerator", "denominator", "percent"),
    *("target_percent", "met", "gap", "kind", "status", "observed_days", "days", "definition_hash"),
    *("sources", "note"),
}


@pytest.fixture
async def province(db: Database) -> Database:
    """Four agencies, one with mail of its own sector, one that ended; December is observed whole."""
    await add_agencies(
        db,
        AgencySpan("snv", "Sở Nội vụ", "province", mailbox=address("snv")),
        AgencySpan("stc", '=HYPERLINK("http://x")', "province", mailbox="sotaichinh.cb@gmail.com"),
        AgencySpan("thue", "Thuế tỉnh", "province", mailbox="thue@yahoo.com", own_sector_mail=True),
        AgencySpan("xtp", "UBND xã", "commune"),
        AgencySpan("htn", "UBND huyện", "district", mailbox="h@gmail.com", valid_until=date(2025, 7, 1)),
    )
    await add_person(db, "an", Post("snv", "cong_chuc", None, None))
    await add_person(db, "binh", Post("stc", "cong_chuc", None, None))
    traffic = Traffic()
    traffic.sent("an", "snv", "2026-11-30", to=("dan@gmail.com",), provider="free")
    traffic.sent("an", "snv", "2026-12-01", to=("dan@gmail.com", "b@yahoo.com"), provider="free")
    await traffic.apply(db)
    return db


async def addresses(db: Database) -> None:
    async with db.write() as session:
        await agencies.register_address(session, "stc", "so@yahoo.com")
        await accounts.register_address(session, address("an"), "an@gmail.com")
        await directory.add_alias(session, address("snv"), "forward", ["x@gmail.com", address("binh")], 1)
        await directory.add_alias(
            session,
            address("all"),
            "list",
            ["y@hotmail.com", "z@gmail.com", address("an"), address("binh")],
            1,
        )
        await directory.add_alias(session, address("bt"), "alias", ["u@gmail.com", address("binh")], 1)
        await directory.add_alias(session, address("ok"), "alias", ["a@vnn.vn", "b@mygmail.com"], 1)


async def test_official_addresses_on_free_services_are_counted(province: Database) -> None:
    await addresses(province)
    report = await report_of(province, "2026-12")
    snv, stc, whole = row(report, CB, "snv"), row(report, CB, "stc"), row(report, CB, None)
    assert dict(snv.measured) == {"published": 0, "registered": 0, "alias": 0, "list": 0, "forward": 1}
    assert dict(stc.measured) == {"published": 1, "registered": 1, "alias": 1, "list": 0, "forward": 0}
    # the list serves two agencies: it is the province's
    assert dict(whole.measured) == {"published": 1, "registered": 1, "alias": 1, "list": 2, "forward": 1}
    assert (figure(whole), whole.target_count, whole.gap) == ((6, None, None), 0, 6)
    assert (whole.kind, whole.status, whole.met, whole.target_percent) == ("duty", "due", None, None)
    assert codes(whole) == ["state-today"]


async def test_mail_to_citizens_and_own_addresses_stand_beside_and_are_no_breach(province: Database) -> None:
    await addresses(province)
    found = row(await report_of(province, "2026-12"), CB, "snv")
    assert dict(found.beside) == {"personal_registered": 1, "recipients_on_free_services": 2}
    assert found.numerator == 1


async def test_nothing_on_free_services_is_a_zero(province: Database) -> None:
    found = row(await report_of(province, "2026-12"), CB, "snv")
    assert (figure(found), found.gap) == ((0, None, None), 0)


async def test_what_the_service_is_to_count_is_not_declared_meanwhile(province: Database) -> None:
    content = {"numerator": 5, "denominator": 6}
    await declare(province, "indicator", "snv", "2026-12", content, subject="service.steady")
    report = await report_of(province, "2026-12")
    assert figure(row(report, "service.steady", None)) == (None, None, None)
    assert report.indicators is not None
    assert not [
        one for one in report.indicators.rows if (one.indicator, one.agency) == ("service.steady", "snv")
    ]


async def test_own_sector_mail_and_dated_exemptions_are_left_out(province: Database) -> None:
    report = await report_of(province, "2026-12")
    thue = row(report, CB, "thue")
    assert (thue.numerator, thue.gap, thue.target_count) == (1, None, None)
    assert codes(thue) == ["state-today", "exempt"]
    assert row(report, CB, None).numerator == 1  # stc's alone
    await exempt(province, CB, "stc", "2026-12-01", "2027-01-01")
    assert row(await report_of(province, "2026-12"), CB, None).numerator == 0
    november = await report_of(province, "2026-11")
    assert (row(november, CB, "stc").gap, row(november, CB, None).numerator) == (1, 1)


async def test_an_exemption_for_everyone(province: Database) -> None:
    await exempt(province, CB, "")
    report = await report_of(province, "2026-12")
    assert row(report, CB, None).numerator == 0
    assert "exempt" in codes(row(report, CB, "stc"))


async def test_declared_figures_of_every_agency_make_the_province(province: Database) -> None:
    for agency, has in (("snv", 1), ("stc", 0), ("thue", 1)):
        content = {"numerator": has, "denominator": 1}
        await declare(province, "indicator", agency, "2026-12", content, subject="pt.lan")
    await declare(
        province, "indicator", "xtp", "2026-12", {"numerator": 0, "denominator": 1}, subject="pt.lan"
    )
    report = await report_of(province, "2026-12")
    whole, stc, xtp = row(report, "pt.lan", None), row(report, "pt.lan", "stc"), row(report, "pt.lan", "xtp")
    assert (figure(whole), whole.target_percent, whole.met, whole.gap) == ((2, 3, 66.66), 100, False, 1)
    assert (figure(stc), stc.met) == ((0, 1, 0.0), False)
    # communes are not named: their figure is told, nothing is asked of them, the province leaves it out
    assert (figure(xtp), xtp.target_percent, xtp.met, xtp.gap) == ((0, 1, 0.0), None, None, None)
    assert codes(xtp) == ["level-not-covered"]


async def test_declared_figures_of_some_agencies_make_no_province(province: Database) -> None:
    content = {"numerator": 1, "denominator": 1}
    await declare(province, "indicator", "snv", "2026-12", content, subject="pt.lan")
    whole = row(await report_of(province, "2026-12"), "pt.lan", None)
    assert (figure(whole), whole.met, codes(whole)) == ((None, None, None), None, ["declared-in-part"])


async def test_a_declared_figure_of_another_period_is_none(province: Database) -> None:
    content = {"numerator": 1, "denominator": 1}
    await declare(province, "indicator", "snv", "2026-11", content, subject="pt.lan")
    report = await report_of(province, "2026-12")
    assert codes(row(report, "pt.lan", None)) == ["no-figure"]
    assert report.indicators is not None
    assert not [one for one in report.indicators.rows if (one.indicator, one.agency) == ("pt.lan", "snv")]


async def test_what_each_agency_is_to_have_is_no_sum_of_the_province(province: Database) -> None:
    """Sixteen officers in one department are not one in each (PT mục 2)."""
    for agency, officers in (("snv", 16), ("stc", 0), ("thue", 1)):
        await declare(province, "indicator", agency, "2026-12", {"count": officers}, subject="pt.it-officers")
    report = await report_of(province, "2026-12")
    whole = row(report, "pt.it-officers", None)
    assert (figure(whole), whole.target_percent, whole.target_count) == ((2, 3, 66.66), 100, None)
    assert (whole.gap, whole.met, whole.kind) == (1, None, "duty")
    assert dict(whole.declared) == {"agencies_that_have_it": 2, "agencies": 3, "count": 17}
    stc, snv = row(report, "pt.it-officers", "stc"), row(report, "pt.it-officers", "snv")
    assert (stc.numerator, stc.target_count, stc.gap) == (0, 1, 1)
    assert (snv.numerator, snv.target_count, snv.gap) == (16, 1, 0)


async def test_who_is_not_covered_makes_no_figure_of_the_province(province: Database) -> None:
    """Districts ended in 2025: a department's own number says nothing of them."""
    await declare(province, "indicator", "snv", "2026-12", {"count": 5}, subject="bd.one-stop-districts")
    whole = row(await report_of(province, "2026-12"), "bd.one-stop-districts", None)
    assert (figure(whole), whole.met, whole.gap) == ((None, None, None), None, None)
    assert codes(whole)[0] == "nobody-covered"


@pytest.mark.parametrize(("count", "met", "gap"), [(10, False, 1), (11, True, 0), (0, False, 11)])
async def test_a_count_declared_for_the_province(province: Database, count: int, met: bool, gap: int) -> None:
    await declare(province, "indicator", "", "2026-12", {"count": count}, subject="bd.one-stop-districts")
    found = row(await report_of(province, "2026-12"), "bd.one-stop-districts", None)
    assert (figure(found), found.target_count, found.met, found.gap) == ((count, None, None), 11, met, gap)
    assert "carried-forward" in codes(found)


async def test_every_obligation_has_a_row_of_the_province(province: Database) -> None:
    report = await report_of(province, "2026-12")
    assert report.indicators is not None
    every = {one.id for document in POLICY.directives.values() for one in document.obligations}
    assert {one.indicator for one in report.indicators.rows if one.agency is None} == every
    for one in report.indicators.rows:
        assert one.percent is not None or one.notes or one.numerator is not None, one.indicator
        assert len(one.definition_hash) == 64


async def test_rows_have_the_fields_of_the_interface(province: Database) -> None:
    body = (await report_of(province, "2026-12")).to_json()
    hashes = {one["id"]: one["definition_hash"] for one in body["definitions"]}
    for one in body["indicators"]:
        assert one.keys() >= FIELDS
        assert set(one["sources"]) == {"measured", "declared"}
        assert one["period"] == {"from": "2026-12-01", "to": "2027-01-01"}
        assert hashes[one["indicator"]] == one["definition_hash"]
    json.dumps(body)


async def test_one_document_alone(province: Database) -> None:
    report = await report_of(province, "2026-12", directive="phu-tho")
    assert report.indicators is not None
    assert {one.directive for one in report.indicators.rows} == {"phu-tho"}
    assert report.to_json()["directive"] == "phu-tho"
    with pytest.raises(UnknownDirective):
        await report_of(province, "2026-12", directive="phu-thoo")
    with pytest.raises(UnknownAgency):
        await report_of(province, "2026-12", agency="nowhere")


async def test_a_plan_that_is_not_carried_is_told_as_ended(province: Database) -> None:
    report = await report_of(province, "2026-12", province=ProvinceSettings(directives=ALL))
    found = row(report, "bd.officials-using-mail", None)
    assert (found.kind, found.status, found.target_percent, found.met) == ("reference", "ended", 100, None)
    assert codes(found) == ["declared-in-part", "ended"]


async def test_sample_declarations_mark_the_report(province: Database) -> None:
    assert (await report_of(province, "2026-12")).sample is False
    await headcount(province, "snv", "2026-12", cong_chuc=2, sample=True)
    report = await report_of(province, "2026-12")
    assert (row(report, "bn.accounts", "snv").sample, report.sample) == (True, True)
    assert row(report, "bn.accounts", "stc").sample is False


async def test_the_spreadsheet_has_a_bom_decimal_commas_and_no_live_formula(province: Database) -> None:
    await headcount(province, "snv", "2026-12", cong_chuc=3)
    text = (await report_of(province, "2026-12")).to_csv()
    assert text.startswith("\ufeffindicator;directive;")
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), delimiter=";"))
    (found,) = [one for one in rows if (one["indicator"], one["agency"]) == ("bn.accounts", "snv")]
    assert (found["numerator"], found["denominator"], found["percent"]) == ("1", "3", "33,33")
    assert (found["first_day"], found["last_day"], found["met"]) == ("01/12/2026", "31/12/2026", "")
    assert {one["name"] for one in rows if one["agency"] == "stc"} == {'\'=HYPERLINK("http://x")'}
    assert not [cell for one in rows for cell in one.values() if cell and cell[0] in "=+-@\t\r"]
    sent = [one for one in rows if one["indicator"] == "sent_messages"]
    assert {one["agency"]: one["numerator"] for one in sent}[""] == "1"
    assert {one["kind"] for one in sent} == {"count"}


async def test_the_text_shows_each_figure_and_what_has_none(province: Database) -> None:
    await headcount(province, "snv", "2026-12", cong_chuc=3, long_leave=1)
    text = (await report_of(province, "2026-12", agency="snv")).to_text()
    line = next(one for one in text.splitlines() if one.startswith("pt.officials-using-mail [snv]"))
    assert line.split()[-7:] == ["1", "3", "33,33", "80", "2", "chưa", "đạt"]
    assert "người có đăng nhập" in text
    assert "nghỉ dài hạn (khai)" in text
    assert "No figure: A mail server cannot know: agencies declare it." in " ".join(text.split())
    assert "Numerator: holders of a personal account" in " ".join(text.split())
    province_text = (await report_of(province, "2026-12")).to_text()
    assert "pt.officials-using-mail [snv]" not in province_text
    assert (
        "pt.officials-using-mail [snv]"
        in (await report_of(province, "2026-12", directive="phu-tho")).to_text()
    )


async def test_the_running_day_counts_the_state_of_today(province: Database) -> None:
    found = row(await report_of(province, "2026-12", now_ms=at_ms("2026-12-05")), CB, "stc")
    assert (found.numerator, found.met, codes(found)) == (1, None, ["state-today", "running"])
