"""Acts on domains. A domain is created together with its postmaster and abuse."""

from __future__ import annotations

from dataclasses import dataclass

from mailgov.admin import rules
from mailgov.admin.checks import check_in_use
from mailgov.admin.context import Actor, AdminContext, Change, change, require
from mailgov.admin.errors import conflict, invalid, not_found
from mailgov.identity.roles import Act
from mailgov.store import accounts, directory, dkim_keys
from mailgov.store.directory import DomainView
from mailgov.store.dkim_keys import DkimKeyView


@dataclass(frozen=True, slots=True)
class DomainDetail:
    """A domain with what hangs on it."""

    domain: DomainView
    accounts: int
    aliases: int
    keys: tuple[DkimKeyView, ...]


async def list_domains(ctx: AdminContext, actor: Actor) -> list[DomainView]:
    """All domains by name."""
    require(actor, Act.DOMAIN_READ)
    async with ctx.db.read() as session:
        return await directory.list_domains(session)


async def show_domain(ctx: AdminContext, actor: Actor, name: str) -> DomainDetail:
    """One domain, or AdminError `not-found`."""
    require(actor, Act.DOMAIN_READ)
    name = rules.domain_name(name)
    async with ctx.db.read() as session:
        found = await directory.find_domain(session, name)
        if found is None:
            raise not_found("domain", name)
        count = await directory.count_addresses(session, name)
        return DomainDetail(found, *count, keys=tuple(await dkim_keys.list_keys(session, name)))


async def add_domain(ctx: AdminContext, actor: Actor, name: str, *, postmaster: str) -> DomainView:
    """A new domain whose postmaster@ and abuse@ lead to the account `postmaster`.

    An account of another domain has to be there; one of the new domain is made with it:
    functional, of no agency, and without a password until it gets one.
    """
    name = rules.domain_name(name)
    target = rules.local_address(postmaster)
    if rules.local_part_of(target) in rules.RESERVED_LOCAL_PARTS:
        raise invalid(f"{target} cannot be where postmaster@{name} leads: name an account")
    async with change(ctx, actor, Act.DOMAIN_ADD, name) as step:
        if await directory.find_domain(step.session, name):
            raise conflict(f"the domain {name} is there already")
        await directory.add_domain(step.session, name, step.now_ms)
        await _postmaster_account(step, name, target)
        for local_part in rules.REQUIRED_LOCAL_PARTS:
            address = f"{local_part}@{name}"
            await directory.add_alias(step.session, address, "alias", [target], step.now_ms)
        step.content.update(postmaster=target)
        return DomainView(name, step.now_ms, None)


async def _postmaster_account(step: Change, name: str, target: str) -> None:
    if await accounts.find_account(step.session, target) is not None:
        await check_in_use(step.session, rules.domain_of(target))
        return
    if rules.domain_of(target) != name:
        raise not_found("account", target)
    await accounts.add_account(
        step.session,
        target,
        kind="functional",
        display_name=f"Quản trị thư {name}",
        password_hash=None,
        must_change_password=False,
        citizen_desk=False,
        sample=False,
        post=None,
        now_ms=step.now_ms,
    )
    step.content.update(account_made=target)


async def disable_domain(ctx: AdminContext, actor: Actor, name: str) -> None:
    """Take a domain out of use: its addresses become unknown, its accounts and records stay."""
    await _set_disabled(ctx, actor, Act.DOMAIN_DISABLE, name)


async def enable_domain(ctx: AdminContext, actor: Actor, name: str) -> None:
    """Take a disabled domain into use again."""
    await _set_disabled(ctx, actor, Act.DOMAIN_ENABLE, name)


async def _set_disabled(ctx: AdminContext, actor: Actor, act: Act, name: str) -> None:
    name = rules.domain_name(name)
    disable = act is Act.DOMAIN_DISABLE
    async with change(ctx, actor, act, name) as step:
        found = await directory.find_domain(step.session, name)
        if found is None:
            raise not_found("domain", name)
        if (found.disabled_ms is not None) is disable:
            raise conflict(f"the domain {name} is {'disabled' if disable else 'in use'} already")
        await directory.set_domain_disabled(step.session, name, step.now_ms if disable else None)
