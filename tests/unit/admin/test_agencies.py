from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date

import pytest

from mailgov.admin import accounts, agencies, agency_changes, figures, queue, registered, tokens
from mailgov.admin.accounts import NewAccount
from mailgov.admin.agency_tree import MAX_ABOVE
from mailgov.admin.context import Actor, AdminContext
from mailgov.admin.errors import AdminError
from mailgov.identity.roles import Role
from mailgov.store.agencies import AgencySpan, Succession
from tests.unit.admin.province import OPERATOR, SNV_ADMIN, at, state

MARCH = date(2026, 3, 1)


async def test_a_new_name_is_a_new_span_and_the_past_stays(ctx: AdminContext) -> None:
    await agency_changes.rename_agency(ctx, OPERATOR, "snv", on=MARCH, name="Sở Nội vụ và Lao động")
    detail = await agencies.show_agency(ctx, OPERATOR, "snv")
    assert [(span.name, span.valid_from, span.valid_until) for span in detail.spans] == [
        ("Sở Nội vụ", None, MARCH),
        ("Sở Nội vụ và Lao động", MARCH, None),
    ]
    on_the_day = {span.code: span.name for span in await agencies.list_agencies(ctx, OPERATOR, day=MARCH)}
    assert on_the_day["snv"] == "Sở Nội vụ và Lao động"


async def test_names_are_kept_composed_and_in_one_line(ctx: AdminContext) -> None:
    span = await agencies.add_agency(
        ctx, OPERATOR, AgencySpan("sxd", "So\u031b\u0309  Xây\ndựng", "province")
    )
    assert span.name == "Sở Xây dựng"


async def test_closing_names_those_who_still_serve_there(ctx: AdminContext) -> None:
    with pytest.raises(AdminError, match="not empty on 2026-03-01: 2 accounts serve there; place") as raised:
        await agencies.close_agency(ctx, OPERATOR, "snv", on=MARCH)
    assert (raised.value.code, raised.value.status) == ("needs-reason", 409)
    result = await agencies.close_agency(ctx, OPERATOR, "snv", on=MARCH, reason="giải thể")
    assert result.left == (at("annv"), at("snv"))
    assert result.moved == ()
    listed = {span.code for span in await agencies.list_agencies(ctx, OPERATOR, day=MARCH)}
    assert listed == {"stc", "vpubnd"}


async def test_merging_into_one_moves_the_accounts_on_that_day(ctx: AdminContext) -> None:
    result = await agencies.merge_agencies(ctx, OPERATOR, "snv", into=["stc"], on=MARCH)
    assert result.moved == (at("annv"), at("snv"))
    account = await accounts.show_account(ctx, OPERATOR, at("annv"))
    assert account.agency_on(date(2026, 2, 28)) == "snv"
    assert account.agency_on(MARCH) == "stc"
    assert [post.person_class for post in account.posts] == ["cong_chuc", "cong_chuc"]
    detail = await agencies.show_agency(ctx, OPERATOR, "stc")
    assert detail.successions == (Succession("snv", "stc", MARCH),)


async def test_dissolving_into_several_leaves_placing_to_people(ctx: AdminContext) -> None:
    result = await agencies.merge_agencies(ctx, OPERATOR, "snv", into=["stc", "vpubnd", "stc"], on=MARCH)
    assert result.left == (at("annv"), at("snv"))
    account = await accounts.show_account(ctx, OPERATOR, at("annv"))
    assert account.agency_on(MARCH) == "snv"
    detail = await agencies.show_agency(ctx, OPERATOR, "snv")
    assert {succession.to_code for succession in detail.successions} == {"stc", "vpubnd"}


async def test_an_agency_may_come_back_later(ctx: AdminContext) -> None:
    await agencies.close_agency(ctx, OPERATOR, "snv", on=MARCH, reason="giải thể")
    again = AgencySpan("snv", "Sở Nội vụ", "province", valid_from=date(2027, 1, 1))
    await agencies.add_agency(ctx, OPERATOR, again)
    assert len((await agencies.show_agency(ctx, OPERATOR, "snv")).spans) == 2


@pytest.mark.parametrize(
    ("span", "detail"),
    [
        (AgencySpan("snv", "Twice", "province"), "there already"),
        (AgencySpan("snv", "Overlaps", "province", valid_until=MARCH), "there already"),
        (AgencySpan("", "No code", "province"), "not an agency code"),
        (AgencySpan("a/b", "Slash", "province"), "not an agency code"),
        (AgencySpan("a" * 36, "Long", "province"), "not an agency code"),
        (AgencySpan("x", "", "province"), "1 to 200"),
        (AgencySpan("x", "\u202eabc", "province"), "visible"),
        (AgencySpan("x", "n" * 201, "province"), "1 to 200"),
        (AgencySpan("x", "Level", "country"), "no level"),
        (AgencySpan("x", "Empty", "province", valid_from=MARCH, valid_until=MARCH), "no day"),
        (AgencySpan("x", "Parent", "commune", parent_code="nowhere"), "no such agency"),
        (AgencySpan("x", "Itself", "commune", parent_code="x"), "above itself"),
        (AgencySpan("x", "Mailbox", "commune", mailbox="nonsense"), "not an address"),
    ],
)
async def test_bad_agencies_change_nothing(ctx: AdminContext, span: AgencySpan, detail: str) -> None:
    before = state(ctx)
    with pytest.raises(AdminError, match=detail):
        await agencies.add_agency(ctx, OPERATOR, span)
    assert state(ctx) == before


async def test_what_stands_below_an_agency_that_ends_is_named(ctx: AdminContext) -> None:
    for code in ("xa", "xb"):
        await agencies.add_agency(ctx, OPERATOR, AgencySpan(code, "Xã", "commune", parent_code="vpubnd"))
    await accounts.move_account(ctx, OPERATOR, at("vpubnd"), agency="stc", on=date(2026, 1, 1))
    await agency_changes.change_agency(ctx, OPERATOR, "xb", {"parent_code": None}, on=MARCH)
    with pytest.raises(AdminError, match="not empty on 2026-02-01: below it: xa, xb; place"):
        await agencies.close_agency(ctx, OPERATOR, "vpubnd", on=date(2026, 2, 1))
    with pytest.raises(AdminError, match="not empty on 2026-03-01: below it: xa; place"):
        await agencies.close_agency(ctx, OPERATOR, "vpubnd", on=MARCH)
    merged = await agencies.merge_agencies(ctx, OPERATOR, "vpubnd", into=["stc"], on=MARCH)
    assert merged.below == ("xa",)
    await agency_changes.change_agency(ctx, OPERATOR, "xa", {"parent_code": "stc"}, on=MARCH)
    with pytest.raises(AdminError, match="ends on 2026-03-01 already"):
        await agencies.close_agency(ctx, OPERATOR, "vpubnd", on=MARCH)
    late = AgencySpan("late", "Muộn", "commune", valid_from=MARCH)
    await agencies.add_agency(ctx, OPERATOR, late)
    with pytest.raises(AdminError, match="no day before 2026-03-01"):
        await agencies.close_agency(ctx, OPERATOR, "late", on=MARCH)


async def test_an_agency_that_comes_back_is_not_above_itself(ctx: AdminContext) -> None:
    await agencies.add_agency(ctx, OPERATOR, AgencySpan("a", "A", "district", valid_until=MARCH))
    await agencies.add_agency(ctx, OPERATOR, AgencySpan("b", "B", "commune", parent_code="a"))
    again = AgencySpan("a", "A", "district", parent_code="b", valid_from=date(2026, 6, 1))
    with pytest.raises(AdminError, match="above itself: a below b below a"):
        await agencies.add_agency(ctx, OPERATOR, again)


async def test_agencies_stand_one_above_the_other_so_far_and_no_further(ctx: AdminContext) -> None:
    for number in range(MAX_ABOVE + 1):
        parent = f"x{number - 1}" if number else None
        await agencies.add_agency(ctx, OPERATOR, AgencySpan(f"x{number}", "X", "commune", parent_code=parent))
    with pytest.raises(AdminError, match="more than 20 agencies above it"):
        await agencies.add_agency(
            ctx, OPERATOR, AgencySpan("deep", "X", "commune", parent_code=f"x{MAX_ABOVE}")
        )


@pytest.mark.parametrize(
    ("code", "into", "on", "detail"),
    [
        ("snv", [], MARCH, "one or more other"),
        ("snv", ["snv"], MARCH, "not into itself"),
        ("snv", ["nowhere"], MARCH, "no agency nowhere"),
        ("nowhere", ["snv"], MARCH, "no such agency"),
    ],
)
async def test_bad_mergers_change_nothing(
    ctx: AdminContext, code: str, into: list[str], on: date, detail: str
) -> None:
    before = state(ctx)
    with pytest.raises(AdminError, match=detail):
        await agencies.merge_agencies(ctx, OPERATOR, code, into=into, on=on)
    assert state(ctx) == before


async def test_an_agency_ends_once(ctx: AdminContext) -> None:
    await agencies.close_agency(ctx, OPERATOR, "snv", on=MARCH, reason="giải thể")
    for day in (MARCH, date(2026, 4, 1)):
        with pytest.raises(AdminError, match="snv ends on 2026-03-01 already"):
            await agencies.close_agency(ctx, OPERATOR, "snv", on=day)
    earlier = await agencies.close_agency(ctx, OPERATOR, "snv", on=date(2026, 2, 1), reason="sớm hơn")
    assert earlier.left


async def test_what_an_agency_was_to_become_never_comes_after_its_end(ctx: AdminContext) -> None:
    for day in (date(2027, 1, 1), date(2026, 6, 1)):
        await agency_changes.change_agency(ctx, OPERATOR, "snv", {"name": f"Sở của {day}"}, on=day)
    await agencies.merge_agencies(ctx, OPERATOR, "snv", into=["stc"], on=MARCH)
    spans = (await agencies.show_agency(ctx, OPERATOR, "snv")).spans
    assert spans == (AgencySpan("snv", "Sở Nội vụ", "province", valid_until=MARCH),)
    await agency_changes.change_agency(ctx, OPERATOR, "vpubnd", {"name": "Mới"}, on=date(2025, 6, 1))
    before = state(ctx)
    with pytest.raises(AdminError, match="is there on 2025-06-01 too"):
        await agencies.close_agency(ctx, OPERATOR, "vpubnd", on=date(2025, 1, 1), reason="giải thể")
    assert state(ctx) == before


async def test_codes_that_differ_in_case_alone_are_one_agency(ctx: AdminContext) -> None:
    with pytest.raises(AdminError, match="differ in case alone"):
        await agencies.add_agency(ctx, OPERATOR, AgencySpan("SNV", "Again", "province"))
    child = AgencySpan("Phong", "Phòng", "commune", parent_code="SNV")
    assert (await agencies.add_agency(ctx, OPERATOR, child)).parent_code == "snv"
    shown = await agencies.show_agency(ctx, OPERATOR, "SnV")
    assert [span.code for span in shown.spans] == ["snv"]
    new = NewAccount(at("x"), "X", "shared", "SNV")
    assert (await accounts.add_account(ctx, OPERATOR, new)).agency_on(MARCH) == "snv"
    await accounts.move_account(ctx, OPERATOR, at("x"), agency="sTc", on=MARCH)
    listed = await accounts.list_accounts(ctx, OPERATOR, agency="SNV")
    assert {account.address for account in listed} == {at("annv"), at("snv"), at("x")}
    await registered.register_address(ctx, OPERATOR, "a@example.org", agency="SNV")
    made = await tokens.create_token(ctx, OPERATOR, "t", role=Role.CLERK, agency="SNV", days=1)
    assert made.token.agency_code == "snv"
    assert await queue.list_queue(ctx, OPERATOR, queue.Search(agency="SNV"))
    assert await queue.list_queue(ctx, SNV_ADMIN, queue.Search(agency="SNV"))
    report = await figures.usage(ctx, OPERATOR, agency="SNV")
    assert [row.code for row in report.rows] == ["snv"]
    with pytest.raises(AdminError, match="not into itself"):
        await agencies.merge_agencies(ctx, OPERATOR, "SNV", into=["Snv"], on=MARCH)
    await agency_changes.rename_agency(ctx, OPERATOR, "SNV", on=MARCH, name="Y")
    await agencies.merge_agencies(ctx, OPERATOR, "SNV", into=["STC"], on=date(2026, 4, 1))
    assert state(ctx).audit[-1][3] == "snv"
    detail = await agencies.show_agency(ctx, OPERATOR, "STC")
    assert detail.successions == (Succession("snv", "stc", date(2026, 4, 1)),)


async def listed_queue(ctx: AdminContext, actor: Actor, *, agency: str) -> object:
    return await queue.list_queue(ctx, actor, queue.Search(agency=agency))


@pytest.mark.parametrize("look", [accounts.list_accounts, listed_queue, figures.usage])
async def test_what_is_asked_of_an_unknown_agency_is_refused(
    ctx: AdminContext, look: Callable[..., Awaitable[object]]
) -> None:
    with pytest.raises(AdminError, match="no such agency: nope"):
        await look(ctx, OPERATOR, agency="nope")
