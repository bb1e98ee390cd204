"""`mailgov account seat …`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mailgov.cli import accounts, bodies, common
from mailgov.cli.common import AddressArgument, ConfigOption, JsonOption
from mailgov.identity.roles import Role

if TYPE_CHECKING:
    from mailgov.admin.context import Actor, AdminContext
    from mailgov.store.accounts import AccountView

seat = typer.Typer(help="Roles that a holder has beside owning the mailbox.", rich_markup_mode=None)

RoleArgument = Annotated[Role, typer.Argument(metavar="ROLE", help="What the holder may do.")]
AgencyOption = Annotated[
    str | None, typer.Option("--agency", metavar="CODE", help="For an agency's own roles.")
]


def register(_app: typer.Typer) -> None:
    """Add the commands to `mailgov account`."""
    accounts.account.add_typer(seat, name="seat")


@seat.command("add")
def seat_add(
    address: AddressArgument,
    role: RoleArgument,
    agency: AgencyOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give a role to an account's holder."""
    from mailgov.admin import seats

    _do(config, lambda ctx, actor: seats.add_seat(ctx, actor, address, role, agency=agency), as_json)


@seat.command("remove")
def seat_remove(
    address: AddressArgument,
    role: RoleArgument,
    agency: AgencyOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take a role from an account's holder, at once."""
    from mailgov.admin import seats

    _do(config, lambda ctx, actor: seats.remove_seat(ctx, actor, address, role, agency=agency), as_json)


def _do(
    config: Path | None, work: Callable[[AdminContext, Actor], Awaitable[AccountView]], as_json: bool
) -> None:
    from mailgov.admin.seats import shown

    settings = common.read_settings(config)
    one = common.act_with(settings, work)
    if as_json:
        bodies.print_account(settings, one)
    else:
        common.print_fields({"address": one.address, "seats": [shown(seat) for seat in one.seats]})
