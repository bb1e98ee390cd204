"""An agency that becomes something else: from a day on, or over the whole span where it was a slip."""

from __future__ import annotations

import json
from datetime import date

import pytest

from mailgov.admin import agencies, agency_changes, figures
from mailgov.admin.agency_changes import SpanChanges
from mailgov.admin.context import AdminContext
from mailgov.admin.errors import AdminError
from mailgov.store.agencies import AgencySpan
from tests.unit.admin.province import NOW_MS, OPERATOR, at, state

TODAY = date(2025, 11, 21)
MARCH = date(2026, 3, 1)


async def test_all_that_an_agency_is_changes_from_a_day_on(ctx: AdminContext) -> None:
    changes: SpanChanges = {
        "name": "Sở  Nội vụ mới",
        "level": "district",
        "abbreviation": "SNVM",
        "parent_code": "VPUBND",
        "mailbox": at("snv"),
        "own_sector_mail": True,
    }
    made = await agency_changes.change_agency(ctx, OPERATOR, "SNV", changes, on=MARCH, reason="Nghị quyết 1")
    assert made == AgencySpan(
        "snv", "Sở Nội vụ mới", "district", "SNVM", "vpubnd", at("snv"), True, MARCH, None
    )
    spans = (await agencies.show_agency(ctx, OPERATOR, "snv")).spans
    assert spans == (AgencySpan("snv", "Sở Nội vụ", "province", valid_until=MARCH), made)
    assert state(ctx).audit[-1] == ("operator", "operator", "agency.change", "snv")
    row = state(ctx).tables["audit"][-1]
    content = next(json.loads(value) for value in row if str(value).startswith("{"))
    assert (content["before"]["level"], content["after"]["level"]) == ("province", "district")
    assert content["reason"] == "Nghị quyết 1"

    taken: SpanChanges = {"parent_code": None, "abbreviation": None, "mailbox": None}
    bare = await agency_changes.change_agency(ctx, OPERATOR, "snv", taken, on=date(2027, 1, 1))
    assert (bare.parent_code, bare.abbreviation, bare.mailbox, bare.level) == (None, None, None, "district")


async def test_a_change_lasts_until_the_next_one_that_is_known(ctx: AdminContext) -> None:
    await agency_changes.change_agency(ctx, OPERATOR, "snv", {"level": "commune"}, on=date(2027, 1, 1))
    await agency_changes.change_agency(ctx, OPERATOR, "snv", {"parent_code": "stc"}, on=MARCH)
    spans = (await agencies.show_agency(ctx, OPERATOR, "snv")).spans
    assert [(span.level, span.parent_code, span.valid_until) for span in spans] == [
        ("province", None, MARCH),
        ("province", "stc", date(2027, 1, 1)),
        ("commune", None, None),
    ]


async def test_figures_of_the_past_stay_whatever_an_agency_becomes(ctx: AdminContext) -> None:
    async def shown(period: str) -> str:
        report = await figures.usage(ctx, OPERATOR, period=period)
        return report.to_csv()

    before = [await shown(period) for period in ("2025-10", "2025-11-01..2025-11-20")]
    changes: SpanChanges = {"level": "commune", "parent_code": "stc", "own_sector_mail": True}
    await agency_changes.change_agency(ctx, OPERATOR, "snv", changes, on=TODAY)
    assert [await shown(period) for period in ("2025-10", "2025-11-01..2025-11-20")] == before
    now = await figures.usage(ctx, OPERATOR, period="2025-11-01..2025-11-21")
    assert {row.code: row.level for row in now.rows if row.code}["snv"] == "commune"


async def test_a_slip_is_corrected_over_the_whole_span_and_with_a_reason(ctx: AdminContext) -> None:
    slip = AgencySpan("xa", "Xã", "province", valid_from=TODAY)
    await agencies.add_agency(ctx, OPERATOR, slip)
    before = state(ctx)
    with pytest.raises(AdminError, match="first day of that span"):
        await agency_changes.change_agency(ctx, OPERATOR, "xa", {"level": "commune"}, on=TODAY)
    with pytest.raises(AdminError, match="from 2025-11-21 on, so figures") as raised:
        await agency_changes.correct_agency(ctx, OPERATOR, "xa", {"level": "commune"}, on=TODAY, reason=None)
    assert (raised.value.status, raised.value.code) == (409, "needs-reason")
    assert state(ctx) == before
    await agency_changes.correct_agency(
        ctx, OPERATOR, "xa", {"level": "commune", "parent_code": "snv"}, on=MARCH, reason="gõ nhầm"
    )
    spans = (await agencies.show_agency(ctx, OPERATOR, "xa")).spans
    assert spans == (AgencySpan("xa", "Xã", "commune", parent_code="snv", valid_from=TODAY),)
    assert state(ctx).audit[-1][2:] == ("agency.change", "xa")
    assert NOW_MS in state(ctx).tables["agency"][-1]  # when it was added stays

    always = await agency_changes.correct_agency(
        ctx, OPERATOR, "snv", {"level": "district"}, on=TODAY, reason="gõ nhầm"
    )
    assert (await agencies.show_agency(ctx, OPERATOR, "snv")).spans == (always,)


@pytest.mark.parametrize(
    ("changes", "on", "detail"),
    [
        ({}, MARCH, "nothing is named"),
        ({"name": "Sở Nội vụ"}, MARCH, "just so already"),
        ({"level": "country"}, MARCH, "no level"),
        ({"name": ""}, MARCH, "1 to 200"),
        ({"parent_code": "SNV"}, MARCH, "above itself"),
        ({"parent_code": "xa"}, MARCH, "above itself: snv below xa below snv"),
        ({"parent_code": "nowhere"}, MARCH, "no such agency"),
        ({"mailbox": "nonsense"}, MARCH, "not an address"),
        ({"level": "commune"}, date(2030, 1, 1), "does not exist on 2030-01-01"),
    ],
)
async def test_what_an_agency_cannot_become(
    ctx: AdminContext, changes: SpanChanges, on: date, detail: str
) -> None:
    await agencies.add_agency(ctx, OPERATOR, AgencySpan("xa", "Xã", "commune", parent_code="snv"))
    await agencies.close_agency(ctx, OPERATOR, "snv", on=date(2029, 1, 1), reason="giải thể")
    before = state(ctx)
    for act in (agency_changes.change_agency, agency_changes.correct_agency):
        with pytest.raises(AdminError, match=detail):
            await act(ctx, OPERATOR, "snv", changes, on=on, reason="gõ nhầm")
    assert state(ctx) == before
