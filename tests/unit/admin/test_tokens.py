from __future__ import annotations

import pytest

from mailgov.admin import tokens
from mailgov.admin.context import AdminContext
from mailgov.admin.errors import AdminError
from mailgov.identity.roles import Role
from mailgov.identity.tokens import hash_token
from mailgov.store.tokens import find_token
from tests.unit.admin.province import NOW_MS, OPERATOR, state

DAY_MS = 86_400_000


async def test_the_text_is_shown_once_and_kept_nowhere(ctx: AdminContext) -> None:
    made = await tokens.create_token(ctx, OPERATOR, "Báo cáo", role=Role.CLERK, agency="snv", days=30)
    assert made.text not in repr(made)
    assert made.text not in repr(state(ctx).tables)
    async with ctx.db.read() as session:
        found = await find_token(session, hash_token(made.text))
    assert found == made.token
    assert found is not None
    assert found.valid(NOW_MS + 30 * DAY_MS - 1)
    assert not found.valid(NOW_MS + 30 * DAY_MS)


async def test_a_revoked_token_is_no_longer_valid(ctx: AdminContext) -> None:
    made = await tokens.create_token(ctx, OPERATOR, "x", role=Role.AUDITOR, days=None)
    await tokens.revoke_token(ctx, OPERATOR, made.token.id)
    listed = {token.id: token for token in await tokens.list_tokens(ctx, OPERATOR)}
    assert not listed[made.token.id].valid(NOW_MS)
    with pytest.raises(AdminError, match="revoked already"):
        await tokens.revoke_token(ctx, OPERATOR, made.token.id)


@pytest.mark.parametrize(
    ("name", "role", "agency", "days", "detail"),
    [
        ("", Role.OPERATOR, None, None, "1 to 200"),
        ("x", Role.CLERK, None, None, "needs an agency"),
        ("x", Role.OPERATOR, "snv", None, "name none"),
        ("x", Role.CLERK, "nowhere", None, "no such agency"),
        ("x", Role.OPERATOR, None, 0, "at least 1"),
        ("x", Role.OPERATOR, None, 100_000, "at most"),
    ],
)
async def test_bad_tokens_change_nothing(
    ctx: AdminContext, name: str, role: Role, agency: str | None, days: int | None, detail: str
) -> None:
    before = state(ctx)
    with pytest.raises(AdminError, match=detail):
        await tokens.create_token(ctx, OPERATOR, name, role=role, agency=agency, days=days)
    assert state(ctx) == before


async def test_an_unknown_token(ctx: AdminContext) -> None:
    with pytest.raises(AdminError, match="no such token"):
        await tokens.revoke_token(ctx, OPERATOR, 99)
