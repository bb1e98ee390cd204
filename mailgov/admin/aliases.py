"""Acts on aliases: addresses that stand for others."""

from __future__ import annotations

from collections.abc import Sequence

from mailgov.admin import rules
from mailgov.admin.checks import check_address, check_in_use
from mailgov.admin.context import Actor, AdminContext, Change, change, require
from mailgov.admin.errors import conflict, invalid, not_found
from mailgov.identity.roles import Act
from mailgov.store import directory
from mailgov.store.directory import AliasView

TARGET_LIMIT = 1000
"""Targets of one alias: what SMTP's recipient limit lets through in one message."""
WALK_LIMIT = 10_000


async def list_aliases(
    ctx: AdminContext, actor: Actor, *, kind: str | None = None, after: str = "", limit: int = 1000
) -> list[AliasView]:
    """At most `limit` aliases (of a kind) by address, from the first past `after`."""
    require(actor, Act.ALIAS_READ)
    async with ctx.db.read() as session:
        return await directory.list_aliases(session, kind=kind, after=after, limit=limit)


async def show_alias(ctx: AdminContext, actor: Actor, address: str) -> AliasView:
    """One alias, or AdminError `not-found`."""
    require(actor, Act.ALIAS_READ)
    async with ctx.db.read() as session:
        found = await directory.find_alias(session, rules.any_address(address))
    if found is None:
        raise not_found("alias", rules.any_address(address))
    return found


async def add_alias(
    ctx: AdminContext, actor: Actor, address: str, *, to: Sequence[str], kind: str = "alias"
) -> AliasView:
    """A new alias. Targets of the province have to be there; outside ones are policy's matter."""
    address = rules.local_address(address)
    targets = _targets(address, to)
    rules.one_of(kind, rules.ALIAS_KINDS, "kind of alias")
    async with change(ctx, actor, Act.ALIAS_ADD, address) as step:
        await check_address(step.session, address)
        await _check_targets(step, address, targets)
        await directory.add_alias(step.session, address, kind, targets, step.now_ms)
        step.content.update(kind=kind, targets=targets)
        return AliasView(address, kind, tuple(sorted(targets)), step.now_ms)


async def extend_alias(ctx: AdminContext, actor: Actor, address: str, *, to: Sequence[str]) -> AliasView:
    """More targets for an alias."""
    address = rules.any_address(address)
    targets = _targets(address, to)
    async with change(ctx, actor, Act.ALIAS_EXTEND, address) as step:
        alias = await _alias(step, address)
        for target in targets:
            if target in alias.targets:
                raise conflict(f"{address} leads to {target} already")
        if len(alias.targets) + len(targets) > TARGET_LIMIT:
            raise invalid(f"an alias leads to at most {TARGET_LIMIT} addresses")
        await _check_targets(step, address, targets)
        await directory.add_targets(step.session, address, targets)
        step.content.update(added=targets)
        return await _alias(step, address)


async def remove_alias(
    ctx: AdminContext, actor: Actor, address: str, *, target: str | None = None
) -> AliasView | None:
    """Take one target away, or (None) the whole alias; what is left of it.

    postmaster@ and abuse@ stay, with at least one target. The last target goes only with
    the alias itself.
    """
    address = rules.any_address(address)
    async with change(ctx, actor, Act.ALIAS_REMOVE, address) as step:
        alias = await _alias(step, address)
        if target is None:
            if rules.local_part_of(address) in rules.REQUIRED_LOCAL_PARTS:
                raise conflict(f"{address} has to stay: every domain answers there")
            await directory.remove_alias(step.session, address)
            step.content.update(removed=list(alias.targets))
            return None
        gone = rules.any_address(target)
        if gone not in alias.targets:
            raise conflict(f"{address} does not lead to {gone}")
        if len(alias.targets) == 1:
            raise conflict(f"{gone} is the only target of {address}: add another one first")
        await directory.remove_target(step.session, address, gone)
        step.content.update(removed=[gone])
        return await _alias(step, address)


def _targets(address: str, to: Sequence[str]) -> list[str]:
    targets = list(dict.fromkeys(rules.any_address(target) for target in to))
    if not 1 <= len(targets) <= TARGET_LIMIT:
        raise invalid(f"an alias leads to at least 1 and at most {TARGET_LIMIT} addresses")
    if address in targets:
        raise invalid(f"{address} cannot lead to itself")
    return targets


async def _alias(step: Change, address: str) -> AliasView:
    found = await directory.find_alias(step.session, address)
    if found is None:
        raise not_found("alias", address)
    await check_in_use(step.session, rules.domain_of(address))
    return found


async def _check_targets(step: Change, address: str, targets: Sequence[str]) -> None:
    """Every target of the province exists and is in use, and none leads back to `address`."""
    domains = {domain.name for domain in await directory.list_domains(step.session)}
    for target in targets:
        if rules.domain_of(target) in domains:
            if await directory.holder(step.session, target) is None:
                raise not_found("account or alias", target)
            await check_in_use(step.session, rules.domain_of(target))
    waiting, seen = list(targets), set(targets)
    while waiting:
        alias = await directory.find_alias(step.session, waiting.pop())
        for further in alias.targets if alias else ():
            if further == address:
                raise conflict(f"{address} would lead back to itself")
            if further not in seen:
                seen.add(further)
                waiting.append(further)
        if len(seen) > WALK_LIMIT:
            raise conflict(f"{address} would lead to more than {WALK_LIMIT} addresses")
