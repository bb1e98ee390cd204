"""What a clerk may declare, what is refused, and what it takes to change it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from mailgov.admin import agencies, declarations
from mailgov.admin.context import Actor, AdminContext
from mailgov.admin.declarations import Row
from mailgov.admin.declaring import NewDeclaration
from mailgov.admin.errors import AdminError
from mailgov.identity.roles import Role
from mailgov.store.agencies import AgencySpan
from mailgov.store.audit import verify
from mailgov.store.declarations import Filter, RegisterLine
from mailgov.usage.declared import DOCUMENT_COUNTS
from mailgov.usage.periods import Span, parse
from tests.unit.admin.province import OPERATOR, WAITING, state

CLERK = Actor("vanthu-snv", Role.CLERK, "snv")
OCTOBER = parse("2025-10").span


def days(text: str) -> Span:
    return parse(text).span


def people(
    can_bo: int = 4, cong_chuc: int = 60, vien_chuc: int = 6, khac: int = 2, **more: int
) -> dict[str, int]:
    return {"can_bo": can_bo, "cong_chuc": cong_chuc, "vien_chuc": vien_chuc, "khac": khac, **more}


def documents(*numbers: int) -> dict[str, int]:
    return dict(zip(DOCUMENT_COUNTS, numbers, strict=True))


HEADS = NewDeclaration("headcount", "snv", OCTOBER, people())
PAPERS = NewDeclaration("documents", "snv", OCTOBER, documents(30, 10, 5, 100, 50, 20))
LINES = (
    RegisterLine("", date(2025, 10, 2), "12/GM-SNV", "Họp giao ban"),
    RegisterLine("TLH", date(2025, 10, 2), queue_id=WAITING),
    RegisterLine("TB", date(2025, 10, 9), exempt="secret"),
)
BOOK = NewDeclaration("register", "snv", OCTOBER, {}, register=LINES)


async def refused(ctx: AdminContext, new: NewDeclaration, actor: Actor = CLERK) -> AdminError:
    """The refusal, of which nothing may be left behind."""
    before = state(ctx)
    with pytest.raises(AdminError) as raised:
        await declarations.declare(ctx, actor, new)
    assert state(ctx) == before
    assert raised.value.detail.isprintable()
    return raised.value


async def test_a_clerk_declares_and_the_log_says_so(ctx: AdminContext) -> None:
    placed = await declarations.declare(ctx, CLERK, replace(HEADS, agency="SNV"))
    assert (placed.made.series.agency, placed.made.revision, placed.before) == ("snv", 1, None)
    assert placed.made.content == people()
    assert state(ctx).audit[-1] == (
        "vanthu-snv",
        "clerk",
        "declaration.add",
        "headcount snv 2025-10-01..2025-10-31",
    )
    assert (await verify(ctx.db)).problems == []


async def test_zero_is_declared(ctx: AdminContext) -> None:
    nobody = dict.fromkeys(people(), 0)
    assert (await declarations.declare(ctx, CLERK, replace(HEADS, content=nobody))).made.content == nobody
    none_issued = replace(BOOK, register=(), content={"entries": 0})
    assert (await declarations.declare(ctx, CLERK, none_issued)).made.content == {"entries": 0}


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ({"content": {"can_bo": 1}}, "cong_chuc, vien_chuc, khac missing: declare 0 where there is none"),
        ({"content": people(can_bo=-1)}, "can_bo is not a whole number"),
        ({"content": {**people(), "can_bo": True}}, "can_bo is not a whole number"),
        ({"content": {**people(), "can_bo": 1.0}}, "can_bo is not a whole number"),
        ({"content": {**people(), "can_bo": 10**12}}, "can_bo is not a whole number"),
        ({"content": people(bosses=1)}, "bosses is no number of a headcount declaration"),
        ({"content": people(total=71)}, "add up to 72, not to the total 71"),
        ({"content": people(long_leave=73)}, "long_leave 73 is more than all 72 persons"),
        ({"kind": "votes"}, "no kind of declaration"),
        ({"agency": "stc"}, "no such agency: stc"),
        ({"agency": "nowhere"}, "no such agency: nowhere"),
        ({"days": days("2025-11")}, "not over: it is declared from its last day on"),
        ({"days": days("2025")}, "not over"),
        ({"days": days("2026-01")}, "not over"),
        ({"subject": "pt.lan"}, "names its obligation"),
        ({"kind": "indicator", "content": {"count": 1}}, "names its obligation"),
        ({"register": LINES}, "only a register has lines"),
        ({"correct": True, "reason": "x"}, "nothing to correct"),
        ({"reason": "a\x1b[31m"}, "reason must be one line"),
        ({"reason": "x" * 501}, "reason must be one line"),
        ({"kind": "documents", "content": {**PAPERS.content, "sent_dm_only": None}}, "sent_dm_only missing"),
        ({"kind": "register", "content": {}}, "entries 0: declared, and none issued"),
        ({"kind": "register", "content": {"entries": 2}}, "entries is 2, but 0 lines came"),
    ],
)  # fmt: skip
async def test_what_cannot_be_is_refused(ctx: AdminContext, change: dict[str, object], detail: str) -> None:
    assert detail in (await refused(ctx, replace(HEADS, **change))).detail  # type: ignore[arg-type]  # wrong on purpose


async def test_what_is_asked_of_other_agencies_is_not_declared(ctx: AdminContext) -> None:
    districts = replace(HEADS, kind="indicator", subject="bd.one-stop-districts", content={"count": 5})
    detail = (await refused(ctx, districts)).detail
    assert "asked of agencies of the level district, and snv is of the level province" in detail


async def test_an_indicator_of_the_province_as_a_whole(ctx: AdminContext) -> None:
    """One data centre is one, not a sum of every agency's."""
    share = {"numerator": 1, "denominator": 4}
    whole = replace(HEADS, kind="indicator", agency="", subject="bd.data-centre", content=share)
    assert "may not declare for the province as a whole" in (await refused(ctx, whole)).detail
    placed = await declarations.declare(ctx, OPERATOR, whole)
    assert (placed.made.series.agency, placed.made.content) == ("", share)
    assert state(ctx).audit[-1][-1] == "indicator bd.data-centre the province 2025-10-01..2025-10-31"
    again = (await refused(ctx, whole, OPERATOR)).detail
    assert again.startswith("bd.data-centre of the province for 01/10/2025–31/10/2025 is declared already")
    heads = (await refused(ctx, replace(HEADS, agency=""), OPERATOR)).detail
    assert "only an indicator is of the province as a whole" in heads
    each = replace(whole, subject="pt.it-officers", content={"count": 1})
    assert "asked of each agency" in (await refused(ctx, each, OPERATOR)).detail


async def test_the_last_day_is_early_enough(ctx: AdminContext) -> None:
    until_today = Span(date(2025, 11, 1), date(2025, 11, 22))
    assert (await declarations.declare(ctx, CLERK, replace(HEADS, days=until_today))).made.id
    tomorrow = Span(date(2025, 11, 1), date(2025, 11, 23))
    assert (await refused(ctx, replace(PAPERS, days=tomorrow))).status == 422


async def test_an_agency_declares_days_that_it_saw(ctx: AdminContext) -> None:
    life = AgencySpan(
        "stttt", "Sở cũ", "province", valid_from=date(2020, 1, 1), valid_until=date(2025, 10, 11)
    )
    await agencies.add_agency(ctx, OPERATOR, life)
    old = replace(HEADS, agency="stttt")
    assert "does not exist on 31/10/2025" in (await refused(ctx, old, OPERATOR)).detail
    await declarations.declare(ctx, OPERATOR, replace(PAPERS, agency="stttt"))
    for gone in ("2025-10-11..2025-10-31", "2019"):
        error = await refused(ctx, replace(PAPERS, agency="stttt", days=days(gone)), OPERATOR)
        assert "does not exist on any day" in error.detail


async def test_once_declared_it_takes_a_correction_with_a_reason(ctx: AdminContext) -> None:
    first = (await declarations.declare(ctx, CLERK, HEADS)).made
    again = await refused(ctx, replace(HEADS, content=people(5)))
    assert (again.status, again.code) == (409, "conflict")
    assert f"declared already (declaration {first.id})" in again.detail
    silent = await refused(ctx, replace(HEADS, content=people(5), correct=True))
    assert (silent.status, silent.code) == (409, "needs-reason")
    same = await refused(ctx, replace(HEADS, correct=True, reason="nhầm"))
    assert "changes nothing" in same.detail
    fixed = replace(HEADS, content=people(50), correct=True, reason="  đếm\nsót ")
    placed = await declarations.declare(ctx, CLERK, fixed)
    assert (placed.made.revision, placed.made.reason) == (2, "đếm sót")
    assert placed.before is not None
    assert placed.before.content == people()
    history = await declarations.show_history(ctx, CLERK, first.id)
    assert [one.content["can_bo"] for one in history] == [4, 50]
    (listed,) = await declarations.list_declarations(ctx, CLERK, Filter())
    assert listed == placed.made


async def test_a_correction_drops_no_number_in_silence(ctx: AdminContext) -> None:
    await declarations.declare(ctx, CLERK, replace(HEADS, content=people(long_leave=1)))
    less = replace(HEADS, content=people(5), correct=True, reason="nhầm")
    assert "long_leave was declared before" in (await refused(ctx, less)).detail
    whole = replace(less, content=people(5, long_leave=0))
    assert (await declarations.declare(ctx, CLERK, whole)).made.content["long_leave"] == 0


async def test_people_are_counted_once_for_a_day_whatever_the_span(ctx: AdminContext) -> None:
    await declarations.declare(ctx, CLERK, replace(HEADS, days=days("2025-09")))
    quarter = replace(HEADS, days=days("2025-Q3"), content=people(5))
    assert "for 30/09/2025 is declared already" in (await refused(ctx, quarter)).detail
    placed = await declarations.declare(ctx, CLERK, replace(quarter, correct=True, reason="sót"))
    assert (placed.made.revision, placed.made.series.from_date) == (2, date(2025, 9, 1))


@pytest.mark.parametrize(
    ("before", "now", "asks"),
    [
        (100, 130, False),
        (100, 131, True),
        (100, 69, True),
        (100, 70, False),
        (3, 8, False),
        (3, 9, True),
        (0, 5, False),
        (0, 6, True),
        (6, 0, True),
    ],
)
async def test_a_jump_asks_for_a_reason(ctx: AdminContext, before: int, now: int, asks: bool) -> None:
    old = replace(PAPERS, days=days("2025-09"), content=documents(before, 1, 1, 1, 1, 1))
    await declarations.declare(ctx, CLERK, old)
    new = replace(PAPERS, content=documents(now, 1, 1, 1, 1, 1))
    if asks:
        error = await refused(ctx, new)
        assert error.code == "needs-reason"
        assert f"sent_dm_only was {before} in 01/09/2025–30/09/2025 and is {now} now" in error.detail
    placed = await declarations.declare(ctx, CLERK, replace(new, reason="đợt cao điểm") if asks else new)
    assert placed.made.reason == ("đợt cao điểm" if asks else None)


async def test_a_quarter_is_not_compared_with_a_month(ctx: AdminContext) -> None:
    await declarations.declare(
        ctx, CLERK, replace(PAPERS, days=days("2025-02"), content=documents(9, 9, 9, 9, 9, 9))
    )
    march = replace(PAPERS, days=days("2025-03"), content=documents(90, 9, 9, 9, 9, 9))
    assert "02/2025" in (await refused(ctx, march)).detail
    await declarations.declare(
        ctx, CLERK, replace(PAPERS, days=days("2025-Q3"), content=documents(90, 9, 9, 9, 9, 9))
    )


async def test_parts_that_do_not_add_up_ask_for_a_reason(ctx: AdminContext) -> None:
    for month in ("2025-07", "2025-08", "2025-09"):
        await declarations.declare(ctx, CLERK, replace(PAPERS, days=days(month)))
    whole = replace(PAPERS, days=days("2025-Q3"), content=documents(91, 30, 15, 300, 150, 60))
    error = await refused(ctx, whole)
    assert "sent_dm_only is 91 in 01/07/2025–30/09/2025, but its parts add up to 90" in error.detail
    assert "sent_paper_only" not in error.detail
    await declarations.declare(ctx, CLERK, replace(whole, content=documents(90, 30, 15, 300, 150, 60)))


async def test_a_part_that_comes_after_the_whole_is_checked_too(ctx: AdminContext) -> None:
    await declarations.declare(
        ctx, CLERK, replace(PAPERS, days=days("2025-Q3"), content=documents(9, 0, 0, 0, 0, 0))
    )
    for month in ("2025-07", "2025-08"):
        await declarations.declare(
            ctx, CLERK, replace(PAPERS, days=days(month), content=documents(3, 0, 0, 0, 0, 0))
        )
    last = replace(PAPERS, days=days("2025-09"), content=documents(4, 0, 0, 0, 0, 0))
    assert "is 9 in 01/07/2025–30/09/2025, but its parts add up to 10" in (await refused(ctx, last)).detail
    await declarations.declare(ctx, CLERK, replace(last, content=documents(3, 0, 0, 0, 0, 0)))


async def test_a_register_is_kept_as_it_counts(ctx: AdminContext) -> None:
    made = (await declarations.declare(ctx, CLERK, BOOK)).made
    shown = await declarations.show_declaration(ctx, CLERK, made.id)
    assert [(line.document_class, line.symbol) for line in shown.register] == [
        ("GM", "12/GM-SNV"),
        ("TLH", None),
        ("TB", None),
    ]
    assert shown.content == {"entries": 3}
    assert "Họp giao ban" not in repr(state(ctx).tables["audit"])
    fixed = replace(BOOK, register=LINES[:2], correct=True, reason="ghi thừa")
    await declarations.declare(ctx, CLERK, fixed)
    history = await declarations.show_history(ctx, CLERK, made.id)
    assert [len(one.register) for one in history] == [3, 2]


GM = LINES[0]


@pytest.mark.parametrize(
    ("line", "detail"),
    [
        (replace(GM, issued_on=date(2025, 9, 30)), "line 1: issued on 30/09/2025, outside 01/10/2025"),
        (replace(GM, symbol="giấy mời"), "is not a symbol such as 12/GM-UBND"),
        (replace(GM, document_class="TB"), "12/GM-SNV is of class GM, the line says TB"),
        (replace(GM, symbol=None), "the class is missing"),
        (replace(GM, symbol=None, document_class="XX"), "the class is 'XX'"),
        (replace(GM, exempt="holiday"), "exempt is 'holiday': it is empty or one of secret, other-system"),
        (replace(GM, exempt="secret"), "leaves no trace here but its class and day"),
        (replace(LINES[2], title="Kế hoạch"), "leaves no trace here but its class and day"),
        (replace(GM, title="MẬT: kế hoạch"), "carries a secrecy mark"),
        (replace(GM, title="x" * 301), "title is not one line"),
        (replace(GM, title="a\x00b"), "title is not one line"),
        (replace(LINES[1], queue_id="01NOSUCH"), "no message of snv has the queue id 01NOSUCH"),
    ],
)  # fmt: skip
async def test_a_line_that_cannot_be_is_named(ctx: AdminContext, line: RegisterLine, detail: str) -> None:
    assert detail in (await refused(ctx, replace(BOOK, register=(line,)))).detail


async def test_a_message_of_another_agency_is_no_link(ctx: AdminContext) -> None:
    theirs = replace(BOOK, agency="stc", register=(LINES[1],))
    assert "no message of stc" in (await refused(ctx, theirs, OPERATOR)).detail


async def test_a_symbol_stands_once_a_year(ctx: AdminContext) -> None:
    twice = replace(BOOK, register=(GM, replace(GM, symbol="12 / GM - SNV")))
    assert "line 2: the symbol 12/GM-SNV stands in line 1 already" in (await refused(ctx, twice)).detail
    longer = Span(date(2024, 12, 1), OCTOBER.end)
    both = replace(BOOK, days=longer, register=(replace(GM, issued_on=date(2024, 12, 2)), GM))
    await declarations.declare(ctx, CLERK, both)


async def test_every_faulty_line_of_a_register_is_named(ctx: AdminContext) -> None:
    bad = replace(BOOK, register=(replace(GM, symbol="x"), LINES[1], replace(GM, exempt="no")))
    assert "(and 1 more)" in (await refused(ctx, bad)).detail
    places = ("dòng 2", "dòng 3", "dòng 4")
    result = await declarations.declare_all(ctx, CLERK, [Row(bad, places)])
    assert [one.place for one in result.faults] == ["dòng 2", "dòng 4"]


async def test_many_are_declared_together_or_not_at_all(ctx: AdminContext) -> None:
    rows = [
        Row(PAPERS, ("line 2",)),
        Row(replace(PAPERS, days=days("2025-09")), ("line 3",)),
        Row(HEADS, ("line 4",)),
        Row(replace(HEADS, agency="stc"), ("line 5",)),
        Row(PAPERS, ("line 6",)),
    ]
    before = state(ctx)
    result = await declarations.declare_all(ctx, CLERK, rows)
    assert [(one.place, one.detail.split(":")[0]) for one in result.faults] == [
        ("line 5", "no such agency"),
        ("line 6", "it declares the same as line 2"),
    ]
    assert state(ctx) == before
    rehearsed = await declarations.declare_all(ctx, CLERK, rows[:3], dry_run=True)
    assert (len(rehearsed.placed), rehearsed.faults) == (3, [])
    assert state(ctx) == before
    done = await declarations.declare_all(ctx, CLERK, rows[:3])
    assert [one.made.id for one in done.placed] == [1, 2, 3]
    acts = [row[2] for row in state(ctx).audit[len(before.audit) :]]
    assert acts == ["declaration.add"] * 3
    assert (await verify(ctx.db)).problems == []


async def test_months_of_a_file_are_compared_in_their_order(ctx: AdminContext) -> None:
    """The later month stands first, and is still the one that jumps."""
    jump = replace(PAPERS, content=documents(99, 10, 5, 100, 50, 20))
    rows = [Row(jump, ("line 2",)), Row(replace(PAPERS, days=days("2025-09")), ("line 3",))]
    result = await declarations.declare_all(ctx, CLERK, rows)
    assert [one.place for one in result.faults] == ["line 2"]


@pytest.mark.parametrize("role", [Role.HEAD, Role.AGENCY_ADMIN, Role.AUDITOR, Role.OWNER])
async def test_who_only_reads_declares_nothing(ctx: AdminContext, role: Role) -> None:
    agency = "snv" if role in (Role.HEAD, Role.AGENCY_ADMIN) else None
    actor = Actor("reader", role, agency)
    assert (await refused(ctx, HEADS, actor)).status == 403
    with pytest.raises(AdminError) as raised:
        await declarations.declare_all(ctx, actor, [Row(HEADS, ("1",))])
    assert raised.value.status == 403


async def test_anothers_declaration_looks_as_if_it_were_not_there(ctx: AdminContext) -> None:
    theirs = (await declarations.declare(ctx, OPERATOR, replace(HEADS, agency="stc"))).made
    for wanted in (theirs.id, 999):
        for look in (declarations.show_declaration, declarations.show_history):
            with pytest.raises(AdminError) as raised:
                await look(ctx, CLERK, wanted)
            assert raised.value.detail == f"no such declaration: {wanted}"
    assert await declarations.list_declarations(ctx, CLERK, Filter()) == []
    with pytest.raises(AdminError, match="no such agency: stc"):
        await declarations.list_declarations(ctx, CLERK, Filter(agency="stc"))


async def test_more_than_can_be_waited_for_is_refused_at_once(ctx: AdminContext) -> None:
    with pytest.raises(AdminError, match="too many at once, 5000 at most: divide the file"):
        await declarations.declare_all(ctx, CLERK, [Row(PAPERS, ("line 2",))] * 5001)
