"""Acts on groups: mailing lists, which are aliases of the kind `list`."""

from __future__ import annotations

from collections.abc import Sequence

from mailgov.admin import aliases, rules
from mailgov.admin.context import Actor, AdminContext
from mailgov.admin.errors import AdminError, not_found
from mailgov.store.directory import AliasView

KIND = "list"


async def list_groups(
    ctx: AdminContext, actor: Actor, *, after: str = "", limit: int = 1000
) -> list[AliasView]:
    """At most `limit` groups by address, from the first past `after`."""
    return await aliases.list_aliases(ctx, actor, kind=KIND, after=after, limit=limit)


async def show_group(ctx: AdminContext, actor: Actor, address: str) -> AliasView:
    """One group, or AdminError `not-found`, for an alias of another kind too."""
    try:
        found = await aliases.show_alias(ctx, actor, address)
    except AdminError as error:
        raise (_none(address) if error.code == "not-found" else error) from None
    if found.kind != KIND:
        raise _none(address)
    return found


async def add_group(ctx: AdminContext, actor: Actor, address: str, members: Sequence[str]) -> AliasView:
    """A new group of at least one member."""
    return await aliases.add_alias(ctx, actor, address, to=members, kind=KIND)


async def add_members(ctx: AdminContext, actor: Actor, address: str, members: Sequence[str]) -> AliasView:
    """More members for a group; the group as it is then."""
    group = await show_group(ctx, actor, address)
    return await aliases.extend_alias(ctx, actor, group.address, to=members)


async def remove_member(ctx: AdminContext, actor: Actor, address: str, member: str) -> AliasView:
    """Take a member out; the last one goes only with the group. The group as it is then."""
    group = await show_group(ctx, actor, address)
    left = await aliases.remove_alias(ctx, actor, group.address, target=member)
    assert left is not None, "one member of several was removed"
    return left


async def remove_group(ctx: AdminContext, actor: Actor, address: str) -> None:
    """Take a group away; its members stay what they are."""
    group = await show_group(ctx, actor, address)
    await aliases.remove_alias(ctx, actor, group.address)


def _none(address: str) -> AdminError:
    return not_found("group", rules.any_address(address))
