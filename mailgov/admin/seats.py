"""Acts on seats: which roles an account's holder has beside owning the mailbox."""

from __future__ import annotations

from mailgov.admin import rules
from mailgov.admin.checks import account_of, agency_code, check_agency
from mailgov.admin.context import Actor, AdminContext, change
from mailgov.admin.errors import conflict, invalid
from mailgov.identity.roles import AGENCY_ROLES, Act, Role
from mailgov.store import seats
from mailgov.store.accounts import AccountView
from mailgov.store.seats import Seat


async def add_seat(
    ctx: AdminContext, actor: Actor, address: str, role: Role, *, agency: str | None = None
) -> AccountView:
    """Give a role to an account's holder; roles of an agency need one. The account as it is then.

    A shared mailbox has no seat: the audit log could not tell who acted.
    """
    seat = await _seat(ctx, role, agency)
    async with change(ctx, actor, Act.SEAT_ADD, rules.any_address(address)) as step:
        account = await account_of(ctx, step.session, actor, Act.SEAT_ADD, address)
        if account.kind == "shared":
            raise conflict(f"{account.address} is shared by several: give the seat to a person's account")
        if seat.agency is not None:
            await check_agency(step.session, seat.agency, ctx.today())
        if seat in account.seats:
            raise conflict(f"{account.address} has the seat {shown(seat)} already")
        await seats.add_seat(step.session, account.address, seat, step.now_ms)
        step.content.update(role=seat.role, agency=seat.agency)
        return await account_of(ctx, step.session, actor, Act.SEAT_ADD, address)


async def remove_seat(
    ctx: AdminContext, actor: Actor, address: str, role: Role, *, agency: str | None = None
) -> AccountView:
    """Take a role from an account's holder, at once. The account as it is then."""
    seat = await _seat(ctx, role, agency)
    async with change(ctx, actor, Act.SEAT_REMOVE, rules.any_address(address)) as step:
        account = await account_of(ctx, step.session, actor, Act.SEAT_REMOVE, address)
        if seat not in account.seats:
            raise conflict(f"{account.address} has no seat {shown(seat)}")
        await seats.remove_seat(step.session, account.address, seat)
        step.content.update(role=seat.role, agency=seat.agency)
        return await account_of(ctx, step.session, actor, Act.SEAT_REMOVE, address)


def shown(seat: Seat) -> str:
    """`clerk of snv`, `operator`."""
    return seat.role + (f" of {seat.agency}" if seat.agency else "")


async def _seat(ctx: AdminContext, role: Role, agency: str | None) -> Seat:
    if role is Role.OWNER:
        raise invalid("every account's holder is its owner: that needs no seat")
    if (role in AGENCY_ROLES) is (agency is None):
        needs = "needs an agency" if role in AGENCY_ROLES else "is not an agency's: name none"
        raise invalid(f"the role {role} {needs}")
    return Seat(role.value, None if agency is None else await agency_code(ctx, agency))
