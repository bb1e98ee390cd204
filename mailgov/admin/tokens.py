"""Acts on bearer tokens."""

from __future__ import annotations

from typing import NamedTuple

from mailgov.admin import rules
from mailgov.admin.checks import agency_code
from mailgov.admin.context import Actor, AdminContext, change, require
from mailgov.admin.errors import conflict, invalid, not_found
from mailgov.identity.roles import AGENCY_ROLES, Act, Role
from mailgov.identity.tokens import new_token
from mailgov.store import tokens
from mailgov.store.tokens import TokenView

DAY_MS = 86_400_000
DAYS_MAX = 3660


class CreatedToken(NamedTuple):
    """`text` is shown this once."""

    text: str
    token: TokenView

    def __repr__(self) -> str:
        return f"CreatedToken(token={self.token!r})"


async def list_tokens(ctx: AdminContext, actor: Actor) -> list[TokenView]:
    """All tokens, the oldest first."""
    require(actor, Act.TOKEN_READ)
    async with ctx.db.read() as session:
        return await tokens.list_tokens(session)


async def show_token(ctx: AdminContext, actor: Actor, token_id: int) -> TokenView:
    """One token, or AdminError `not-found`."""
    require(actor, Act.TOKEN_READ)
    async with ctx.db.read() as session:
        found = await tokens.get_token(session, token_id)
    if found is None:
        raise not_found("token", str(token_id))
    return found


async def create_token(
    ctx: AdminContext, actor: Actor, name: str, *, role: Role, agency: str | None = None, days: int | None
) -> CreatedToken:
    """A new token with a role; `days` until it expires, None for never."""
    name = rules.display_name(name)
    if (role in AGENCY_ROLES) is (agency is None):
        needs = "needs an agency" if role in AGENCY_ROLES else "is not an agency's: name none"
        raise invalid(f"the role {role} {needs}")
    if days is not None and not 1 <= days <= DAYS_MAX:
        raise invalid(f"a token lives at least 1 and at most {DAYS_MAX} days")
    if agency is not None:
        agency = await agency_code(ctx, agency)
    secret = new_token(ctx.random)
    async with change(ctx, actor, Act.TOKEN_CREATE, name, directory=False) as step:
        made = await tokens.add_token(
            step.session,
            name=name,
            token_hash=secret.hash,
            role=role.value,
            agency=agency,
            expires_ms=None if days is None else step.now_ms + days * DAY_MS,
            now_ms=step.now_ms,
        )
        step.content.update(id=made.id, role=role.value, agency=agency, expires_ms=made.expires_ms)
    return CreatedToken(secret.text, made)


async def revoke_token(ctx: AdminContext, actor: Actor, token_id: int) -> None:
    """End a token for good."""
    async with change(ctx, actor, Act.TOKEN_REVOKE, f"token {token_id}", directory=False) as step:
        found = await tokens.get_token(step.session, token_id)
        if found is None:
            raise not_found("token", str(token_id))
        if found.revoked_ms is not None:
            raise conflict(f"the token {token_id} is revoked already")
        await tokens.revoke_token(step.session, token_id, step.now_ms)
        step.content.update(name=found.name)
