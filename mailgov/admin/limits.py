"""How much an account may send, where the settings' limits do not suit it."""

from __future__ import annotations

from collections.abc import Mapping

from mailgov.admin import rules
from mailgov.admin.checks import account_of
from mailgov.admin.context import Actor, AdminContext, change
from mailgov.admin.errors import invalid
from mailgov.identity.roles import Act
from mailgov.store import accounts
from mailgov.store.entries import LIMITS

HIGHEST = 10_000_000


async def limit_account(
    ctx: AdminContext, actor: Actor, address: str, limits: Mapping[str, int | None]
) -> dict[str, int]:
    """Let an account send so much, by the names of `LIMITS`; 0 is no limit. What is set now.

    It takes the place of what was set before: a limit that is not given, or None, is the settings'.
    Raises AdminError.
    """
    kept = {name: number for name, number in limits.items() if number is not None}
    if not limits.keys() <= set(LIMITS) or not all(0 <= number <= HIGHEST for number in kept.values()):
        raise invalid(f"a limit is a number from 0 to {HIGHEST}, of {', '.join(LIMITS)}")
    async with change(ctx, actor, Act.ACCOUNT_LIMIT, rules.any_address(address)) as step:
        account = await account_of(ctx, step.session, actor, Act.ACCOUNT_LIMIT, address)
        await accounts.set_limits(step.session, account.address, kept or None)
        step.content.update(before=dict(account.limits), after=kept)
    return kept
