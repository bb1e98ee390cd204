"""`mailgov alias …` and `mailgov group …`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mailgov.cli import bodies, common
from mailgov.cli.common import AddressArgument, ConfigOption, JsonOption

if TYPE_CHECKING:
    from mailgov.admin.context import Actor, AdminContext
    from mailgov.store.directory import AliasView

alias = typer.Typer(help="Addresses that stand for others.", rich_markup_mode=None)
group = typer.Typer(help="Mailing lists: one address, many members.", rich_markup_mode=None)

PAGE = 1000
Show = Callable[[Path | None, "AliasView", bool], None]
ToOption = Annotated[
    list[str], typer.Option("--to", metavar="ADDRESS", help="Where it leads; may be given again.")
]
MemberOption = Annotated[
    list[str], typer.Option("--member", metavar="ADDRESS", help="A member; may be given again.")
]


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.add_typer(alias, name="alias")
    app.add_typer(group, name="group")


@alias.command("add")
def alias_add(
    address: AddressArgument,
    to: ToOption,
    kind: Annotated[str, typer.Option(help="alias, list or forward.")] = "alias",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add an alias."""
    from mailgov.admin import aliases

    _widen(
        config,
        to,
        as_json,
        lambda ctx, actor: aliases.add_alias(ctx, actor, address, to=to, kind=kind),
        _print_alias,
    )


@alias.command("extend")
def alias_extend(
    address: AddressArgument, to: ToOption, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Let an alias lead to more addresses."""
    from mailgov.admin import aliases

    _widen(
        config,
        to,
        as_json,
        lambda ctx, actor: aliases.extend_alias(ctx, actor, address, to=to),
        _print_alias,
    )


def _widen(
    config: Path | None,
    to: list[str],
    as_json: bool,
    widen: Callable[[AdminContext, Actor], Awaitable[AliasView]],
    show: Show,
) -> None:
    """Lead an alias to more addresses, and warn of those that the policy will not let mail go to."""

    async def work(ctx: AdminContext, actor: Actor) -> tuple[AliasView, list[str]]:
        from mailgov.admin import policies
        from mailgov.admin.errors import AdminError

        made = await widen(ctx, actor)
        try:
            free = await policies.list_free_mail(ctx, actor, to)
        except AdminError as error:  # the alias stands, whatever is the matter with the policy files
            return made, [error.detail]
        return made, [f"the policy will reject mail to {one}: rule own-free-mail" for one in free]

    made, warnings = common.act(config, work)
    show(config, made, as_json)
    for warning in warnings:
        common.warn(warning)


@alias.command("list")
def alias_list(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List all aliases."""
    found = _list(config, None)
    if as_json:
        bodies.print_aliases(common.read_settings(config), found)
        return
    common.print_table(
        ("address", "kind", "leads to"), [(one.address, one.kind, one.targets) for one in found]
    )


@alias.command("show")
def alias_show(address: AddressArgument, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show one alias."""
    from mailgov.admin import aliases

    found = common.act(config, lambda ctx, actor: aliases.show_alias(ctx, actor, address))
    _print_alias(config, found, as_json)


@alias.command("remove")
def alias_remove(
    address: AddressArgument,
    target: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Take only this target away.", show_default=False)
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove an alias, or one of its targets."""
    from mailgov.admin import aliases

    left = common.act(config, lambda ctx, actor: aliases.remove_alias(ctx, actor, address, target=target))
    if left is not None:
        _print_alias(config, left, as_json)
    elif as_json:
        common.print_json(None)
    else:
        common.say(f"removed {address}")


def _print_alias(config: Path | None, one: AliasView, as_json: bool) -> None:
    if as_json:
        bodies.print_alias(common.read_settings(config), one)
    else:
        common.print_fields({"address": one.address, "kind": one.kind, "leads to": list(one.targets)})


def _print_group(config: Path | None, one: AliasView, as_json: bool) -> None:
    if as_json:
        bodies.print_group(common.read_settings(config), one)
    else:
        common.print_fields({"address": one.address, "kind": one.kind, "leads to": list(one.targets)})


def _list(config: Path | None, kind: str | None) -> list[AliasView]:
    """All aliases, or those of a kind."""

    async def work(ctx: AdminContext, actor: Actor) -> list[AliasView]:
        from mailgov.admin import aliases

        found: list[AliasView] = []
        after = ""
        while page := await aliases.list_aliases(ctx, actor, kind=kind, after=after, limit=PAGE):
            found += page
            after = page[-1].address
        return found

    return common.act(config, work)


@group.command("add")
def group_add(
    address: AddressArgument,
    members: MemberOption,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a group."""
    from mailgov.admin import groups

    _widen(
        config,
        members,
        as_json,
        lambda ctx, actor: groups.add_group(ctx, actor, address, members),
        _print_group,
    )


@group.command("join")
def group_join(
    address: AddressArgument,
    members: MemberOption,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add members to a group."""
    from mailgov.admin import groups

    _widen(
        config,
        members,
        as_json,
        lambda ctx, actor: groups.add_members(ctx, actor, address, members),
        _print_group,
    )


@group.command("leave")
def group_leave(
    address: AddressArgument,
    member: Annotated[str, typer.Option(metavar="ADDRESS", help="Who goes.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take a member out of a group. The last one goes only with the group itself."""
    from mailgov.admin import groups

    left = common.act(config, lambda ctx, actor: groups.remove_member(ctx, actor, address, member))
    _print_group(config, left, as_json)


@group.command("list")
def group_list(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List all groups."""
    found = _list(config, "list")
    if as_json:
        bodies.print_groups(common.read_settings(config), found)
        return
    rows = [(one.address, len(one.targets), one.targets) for one in found]
    common.print_table(("address", "count", "members"), rows)


@group.command("show")
def group_show(address: AddressArgument, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show one group."""
    from mailgov.admin import groups

    found = common.act(config, lambda ctx, actor: groups.show_group(ctx, actor, address))
    _print_group(config, found, as_json)


@group.command("remove")
def group_remove(address: AddressArgument, config: ConfigOption = None) -> None:
    """Remove a group; its members stay what they are."""
    from mailgov.admin import groups

    common.act(config, lambda ctx, actor: groups.remove_group(ctx, actor, address))
    common.say(f"removed {address}")
