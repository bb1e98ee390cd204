"""Roles of people: who may have one, and where."""

from __future__ import annotations

import pytest

from mailgov.admin import accounts, registered, seats
from mailgov.admin.context import AdminContext
from mailgov.admin.errors import AdminError
from mailgov.identity.roles import Role
from mailgov.store.seats import Seat
from tests.unit.admin.province import OPERATOR, SNV_ADMIN, at, state


async def test_a_holder_may_have_several(ctx: AdminContext) -> None:
    await seats.add_seat(ctx, OPERATOR, at("annv"), Role.HEAD, agency="STC")
    await seats.add_seat(ctx, OPERATOR, at("annv"), Role.AUDITOR)
    held = await seats.add_seat(ctx, OPERATOR, at("annv"), Role.CLERK, agency="snv")
    assert held.seats == (Seat("auditor"), Seat("clerk", "snv"), Seat("head", "stc"))
    assert await accounts.show_account(ctx, OPERATOR, at("annv")) == held
    assert [seats.shown(seat) for seat in held.seats] == ["auditor", "clerk of snv", "head of stc"]
    left = await seats.remove_seat(ctx, OPERATOR, at("annv"), Role.CLERK, agency="snv")
    assert left.seats == (Seat("auditor"), Seat("head", "stc"))
    assert (await accounts.show_account(ctx, OPERATOR, at("binhtt"))).seats == ()


@pytest.mark.parametrize(
    ("address", "role", "agency", "says"),
    [
        ("annv", Role.OWNER, None, "owner"),
        ("annv", Role.CLERK, None, "needs an agency"),
        ("annv", Role.OPERATOR, "snv", "name none"),
        ("annv", Role.CLERK, "nowhere", "no such agency"),
        ("snv", Role.CLERK, "snv", "shared by several"),
        ("nobody", Role.CLERK, "snv", "no such account"),
    ],
)
async def test_what_cannot_be_a_seat(
    ctx: AdminContext, address: str, role: Role, agency: str | None, says: str
) -> None:
    before = state(ctx)
    with pytest.raises(AdminError, match=says):
        await seats.add_seat(ctx, OPERATOR, at(address), role, agency=agency)
    assert state(ctx) == before


async def test_a_seat_is_given_once_and_taken_once(ctx: AdminContext) -> None:
    await seats.add_seat(ctx, OPERATOR, at("annv"), Role.AUDITOR)
    with pytest.raises(AdminError, match="already"):
        await seats.add_seat(ctx, OPERATOR, at("annv"), Role.AUDITOR)
    await seats.remove_seat(ctx, OPERATOR, at("annv"), Role.AUDITOR)
    with pytest.raises(AdminError, match="no seat auditor"):
        await seats.remove_seat(ctx, OPERATOR, at("annv"), Role.AUDITOR)


async def test_an_agencys_officer_has_no_way_into_a_seat_beyond_the_agency(ctx: AdminContext) -> None:
    await seats.add_seat(ctx, OPERATOR, at("annv"), Role.CLERK, agency="snv")
    assert await accounts.set_password(ctx, SNV_ADMIN, at("annv"), None)
    for role, agency in ((Role.OPERATOR, None), (Role.HEAD, "stc")):
        await seats.add_seat(ctx, OPERATOR, at("annv"), role, agency=agency)
        before = state(ctx)
        for act in (
            accounts.set_password(ctx, SNV_ADMIN, at("annv"), None),
            accounts.disable_account(ctx, SNV_ADMIN, at("annv")),
            accounts.edit_account(ctx, SNV_ADMIN, at("annv"), display_name="X"),
            registered.register_address(ctx, SNV_ADMIN, "x@example.org", account=at("annv")),
        ):
            with pytest.raises(AdminError, match="beyond the agency") as raised:
                await act
            assert raised.value.status == 403
        assert state(ctx) == before
        await accounts.set_password(ctx, OPERATOR, at("annv"), None)
        await seats.remove_seat(ctx, OPERATOR, at("annv"), role, agency=agency)


async def test_a_correction_of_a_name_keeps_what_was(ctx: AdminContext) -> None:
    await accounts.edit_account(ctx, OPERATOR, at("annv"), display_name="  Nguyễn  Văn Ân ")
    edited = await accounts.edit_account(ctx, OPERATOR, at("annv"), citizen_desk=True)
    assert (edited.display_name, edited.citizen_desk) == ("Nguyễn Văn Ân", True)
    assert await accounts.show_account(ctx, OPERATOR, at("annv")) == edited
    for wrong in ({}, {"display_name": " "}):
        with pytest.raises(AdminError):
            await accounts.edit_account(ctx, OPERATOR, at("annv"), **wrong)  # type: ignore[arg-type] # as callers get it wrong
