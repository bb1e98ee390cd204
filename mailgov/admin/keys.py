"""Acts on DKIM keys."""

from __future__ import annotations

import asyncio

from mailgov.admin import rules
from mailgov.admin.checks import check_in_use
from mailgov.admin.context import Actor, AdminContext, change, require
from mailgov.admin.errors import conflict, not_found
from mailgov.identity.roles import Act
from mailgov.ops import dkim_files
from mailgov.store import directory, dkim_keys
from mailgov.store.dkim_keys import DkimKeyView


async def list_keys(ctx: AdminContext, actor: Actor, domain: str | None = None) -> list[DkimKeyView]:
    """The keys of a domain, or of all."""
    require(actor, Act.DKIM_READ)
    async with ctx.db.read() as session:
        if domain is not None:
            domain = rules.domain_name(domain)
            if await directory.find_domain(session, domain) is None:
                raise not_found("domain", domain)
        return await dkim_keys.list_keys(session, domain)


async def show_key(ctx: AdminContext, actor: Actor, domain: str, selector: str) -> DkimKeyView:
    """One key, or AdminError `not-found`."""
    selector = rules.selector(selector)
    for key in await list_keys(ctx, actor, domain):
        if key.selector == selector:
            return key
    raise not_found("DKIM key", f"{selector} of {rules.domain_name(domain)}")


async def generate_key(
    ctx: AdminContext, actor: Actor, domain: str, *, algorithm: str = "rsa", selector: str | None = None
) -> DkimKeyView:
    """A new key for a domain; the domain's first one signs from the next snapshot on, others wait.

    What waits signs once it was seen in the DNS: by itself, or by `rotation.begin_key`.

    The selector is made of algorithm and month unless given. The private key is on disk
    before the ledger names it.
    """
    require(actor, Act.DKIM_GENERATE)
    domain = rules.domain_name(domain)
    rules.one_of(algorithm, dkim_files.ALGORITHMS, "algorithm")
    wanted = None if selector is None else rules.selector(selector)
    key = await asyncio.to_thread(dkim_files.generate, algorithm)
    async with change(ctx, actor, Act.DKIM_GENERATE, domain) as step:
        if await directory.find_domain(step.session, domain) is None:
            raise not_found("domain", domain)
        await check_in_use(step.session, domain)
        there = await dkim_keys.list_keys(step.session, domain)
        taken = {other.selector for other in there}
        chosen = wanted or _free_selector(f"{algorithm}{ctx.today():%Y%m}", taken)
        if chosen in taken:
            raise conflict(f"{domain} has a key with the selector {chosen} already")
        key_file = dkim_files.file_of(domain, chosen, algorithm)
        try:
            key = await asyncio.to_thread(dkim_files.keep, ctx.settings.data_dir, key_file, key)
        except (OSError, ValueError) as error:
            raise conflict(f"the key file {key_file} cannot be used: {error}") from error
        made = DkimKeyView(
            domain=domain,
            selector=chosen,
            algorithm=algorithm,
            public_key=dkim_files.public_text(key),
            key_file=key_file,
            state="pending" if there else "active",
            created_ms=step.now_ms,
            active_ms=None if there else step.now_ms,
        )
        await dkim_keys.add_key(step.session, made)
        step.content.update(selector=chosen, algorithm=algorithm, state=made.state)
    return made


def _free_selector(base: str, taken: set[str]) -> str:
    number, name = 1, base
    while name in taken:
        number += 1
        name = f"{base}-{number}"
    return name
