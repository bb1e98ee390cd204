"""Exemptions: of an obligation that allows them, dated, ended and never deleted."""

from __future__ import annotations

from datetime import date

import pytest

from mailgov.admin import exemptions
from mailgov.admin.context import Actor, AdminContext
from mailgov.admin.errors import AdminError
from mailgov.identity.roles import Role
from mailgov.store.exemptions import ExemptionView
from tests.unit.admin.province import OPERATOR, state

MAILBOXES = "cb.official-mailboxes"
MARCH, JUNE = date(2025, 3, 1), date(2025, 6, 1)
HEAD = Actor("gd-snv", Role.HEAD, "snv")


async def add(
    ctx: AdminContext, agency: str | None, since: date | None, until: date | None, obligation: str = MAILBOXES
) -> ExemptionView:
    return await exemptions.add_exemption(
        ctx, OPERATOR, obligation, agency=agency, valid_from=since, valid_until=until, reason="thư của ngành"
    )


@pytest.mark.parametrize(
    ("given", "detail"),
    [
        (("snv", None, None, "cb.nothing"), "no such obligation: cb.nothing"),
        (("snv", None, None, "pt.officials-using-mail"), "has no exemptions: its document"),
        (("nowhere", None, None), "no such agency"),
        (("snv", JUNE, MARCH), "no day"),
        (("snv", MARCH, MARCH), "no day"),
    ],
)
async def test_bad_exemptions_change_nothing(
    ctx: AdminContext, given: tuple[object, ...], detail: str
) -> None:
    before = state(ctx)
    with pytest.raises(AdminError, match=detail):
        await add(ctx, *given)  # type: ignore[arg-type]  # wrong on purpose
    assert state(ctx) == before


async def test_one_entry_for_a_day_of_an_agency(ctx: AdminContext) -> None:
    spring = await add(ctx, "SNV", MARCH, JUNE)
    assert spring.agency == "snv"
    with pytest.raises(AdminError, match=f"exemption {spring.id} holds on some of these days already"):
        await add(ctx, "snv", None, None)
    await add(ctx, "snv", JUNE, None)
    await add(ctx, None, None, None)
    await add(ctx, "stc", MARCH, JUNE)
    await add(ctx, "snv", MARCH, JUNE, "pt.meeting-documents")


async def test_an_end_is_a_day_and_the_entry_stays(ctx: AdminContext) -> None:
    made = await add(ctx, "snv", MARCH, None)
    with pytest.raises(AdminError, match="begins on 2025-03-01"):
        await exemptions.end_exemption(ctx, OPERATOR, made.id, on=date(2025, 2, 1))
    ended = await exemptions.end_exemption(ctx, OPERATOR, made.id, on=JUNE, reason="đã chuyển")
    assert (ended.valid_from, ended.valid_until, ended.ended_ms is None) == (MARCH, JUNE, False)
    with pytest.raises(AdminError, match="has ended already"):
        await exemptions.end_exemption(ctx, OPERATOR, made.id)
    await add(ctx, "snv", JUNE, None)


async def test_one_that_was_a_mistake_is_withdrawn_and_holds_on_no_day(ctx: AdminContext) -> None:
    made = await add(ctx, "snv", MARCH, None)
    withdrawn = await exemptions.end_exemption(ctx, OPERATOR, made.id, on=MARCH)
    assert not withdrawn.holds(MARCH)
    await add(ctx, "snv", MARCH, None)
    assert len(await exemptions.list_exemptions(ctx, OPERATOR)) == 2


async def test_an_agencys_seat_sees_its_own_and_everyones(ctx: AdminContext) -> None:
    made = [await add(ctx, who, None, None) for who in ("snv", "stc", None)]
    assert [one.id for one in await exemptions.list_exemptions(ctx, HEAD)] == [made[0].id, made[2].id]
    assert await exemptions.show_exemption(ctx, HEAD, made[2].id) == made[2]
    for wanted in (made[1].id, 99):
        with pytest.raises(AdminError, match=f"no such exemption: {wanted}"):
            await exemptions.show_exemption(ctx, HEAD, wanted)


@pytest.mark.parametrize("role", [Role.CLERK, Role.HEAD, Role.AGENCY_ADMIN])
async def test_no_agency_exempts_itself(ctx: AdminContext, role: Role) -> None:
    actor = Actor("x", role, "snv")
    with pytest.raises(AdminError) as raised:
        await exemptions.add_exemption(
            ctx, actor, MAILBOXES, agency="snv", valid_from=None, valid_until=None, reason="x"
        )
    assert raised.value.status == 403
