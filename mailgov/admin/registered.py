"""Acts on registered addresses: outside addresses that a person or an agency calls its own.

Policy watches them: mail of the province does not belong there (see the rule own-free-mail).
"""

from __future__ import annotations

from mailgov.admin import rules
from mailgov.admin.checks import account_of, agency_code
from mailgov.admin.context import Actor, AdminContext, Change, change, require_over
from mailgov.admin.errors import conflict, invalid
from mailgov.identity.roles import Act
from mailgov.store import accounts, agencies, directory


async def register_address(
    ctx: AdminContext, actor: Actor, outside: str, *, account: str | None = None, agency: str | None = None
) -> None:
    """Note `outside` as the account holder's own, or the agency's: name one of the two."""
    await _change(ctx, actor, Act.ADDRESS_REGISTER, outside, account, agency)


async def unregister_address(
    ctx: AdminContext, actor: Actor, outside: str, *, account: str | None = None, agency: str | None = None
) -> None:
    """Forget a registered address."""
    await _change(ctx, actor, Act.ADDRESS_UNREGISTER, outside, account, agency)


async def _change(
    ctx: AdminContext, actor: Actor, act: Act, outside: str, account: str | None, agency: str | None
) -> None:
    outside = rules.any_address(outside)
    if (account is None) is (agency is None):
        raise invalid("name either the account or the agency that the address belongs to")
    if agency is not None:
        agency = await agency_code(ctx, agency)
    async with change(ctx, actor, act, outside) as step:
        if act is Act.ADDRESS_REGISTER and await directory.find_domain(
            step.session, rules.domain_of(outside)
        ):
            raise conflict(
                f"{outside} is an address of the province itself: only outside ones are registered"
            )
        if account is not None:
            await _of_account(ctx, step, actor, act, outside, account)
        else:
            await _of_agency(step, actor, act, outside, agency or "")
        step.content.update(account=account and rules.any_address(account), agency=agency)


async def _of_account(
    ctx: AdminContext, step: Change, actor: Actor, act: Act, outside: str, address: str
) -> None:
    found = await account_of(ctx, step.session, actor, act, address)
    _check(act, outside, found.registered)
    if act is Act.ADDRESS_REGISTER:
        await accounts.register_address(step.session, found.address, outside)
    else:
        await accounts.unregister_address(step.session, found.address, outside)


async def _of_agency(step: Change, actor: Actor, act: Act, outside: str, code: str) -> None:
    require_over(actor, act, code, "agency", code)
    _check(act, outside, await agencies.registered_addresses(step.session, code))
    if act is Act.ADDRESS_REGISTER:
        await agencies.register_address(step.session, code, outside)
    else:
        await agencies.unregister_address(step.session, code, outside)


def _check(act: Act, outside: str, registered: tuple[str, ...] | list[str]) -> None:
    if (outside in registered) is (act is Act.ADDRESS_REGISTER):
        state = "registered already" if act is Act.ADDRESS_REGISTER else "not registered"
        raise conflict(f"{outside} is {state}")
