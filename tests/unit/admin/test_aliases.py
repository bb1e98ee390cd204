from __future__ import annotations

import asyncio

import pytest

from mailgov.admin import accounts, aliases
from mailgov.admin.accounts import NewAccount
from mailgov.admin.context import AdminContext
from mailgov.admin.errors import AdminError
from tests.unit.admin.province import OPERATOR, at, state


async def test_targets_are_added_and_taken_one_by_one(ctx: AdminContext) -> None:
    alias = await aliases.extend_alias(ctx, OPERATOR, at("ld-snv"), to=[at("binhtt"), "x@example.org"])
    assert alias.targets == (at("annv"), at("binhtt"), "x@example.org")
    left = await aliases.remove_alias(ctx, OPERATOR, at("ld-snv"), target=at("annv"))
    assert left is not None
    assert left.targets == (at("binhtt"), "x@example.org")
    assert await aliases.remove_alias(ctx, OPERATOR, at("ld-snv")) is None
    with pytest.raises(AdminError, match="no such alias"):
        await aliases.show_alias(ctx, OPERATOR, at("ld-snv"))


@pytest.mark.parametrize(
    ("address", "to", "kind", "detail"),
    [
        (at("annv"), [at("binhtt")], "alias", "it is an account already"),
        (at("ld-snv"), [at("binhtt")], "alias", "it is an alias already"),
        (at("postmaster"), [at("annv")], "alias", "reserved"),
        (at("new"), [], "alias", "at least 1"),
        (at("new"), [at("new")], "alias", "to itself"),
        (at("new"), [at("nobody")], "alias", "no such account or alias"),
        (at("new"), [at("annv")], "group", "no kind of alias"),
        (at("new"), ["nonsense"], "alias", "is not an address"),
        (at("new"), [f"a{n}@example.org" for n in range(1001)], "list", "at most 1000"),
        ("new@elsewhere.vn", [at("annv")], "alias", "no such domain"),
    ],
)
async def test_bad_aliases_change_nothing(
    ctx: AdminContext, address: str, to: list[str], kind: str, detail: str
) -> None:
    before = state(ctx)
    with pytest.raises(AdminError, match=detail):
        await aliases.add_alias(ctx, OPERATOR, address, to=to, kind=kind)
    assert state(ctx) == before


async def test_an_alias_never_leads_back_to_itself(ctx: AdminContext) -> None:
    await aliases.add_alias(ctx, OPERATOR, at("b"), to=[at("ld-snv")])
    await aliases.add_alias(ctx, OPERATOR, at("c"), to=[at("b")])
    with pytest.raises(AdminError, match="back to itself"):
        await aliases.extend_alias(ctx, OPERATOR, at("ld-snv"), to=[at("c")])
    with pytest.raises(AdminError, match="already"):
        await aliases.extend_alias(ctx, OPERATOR, at("c"), to=[at("b")])


@pytest.mark.parametrize("local_part", ["postmaster", "abuse"])
async def test_postmaster_and_abuse_stay(ctx: AdminContext, local_part: str) -> None:
    before = state(ctx)
    with pytest.raises(AdminError, match="has to stay"):
        await aliases.remove_alias(ctx, OPERATOR, at(local_part))
    with pytest.raises(AdminError, match="only target"):
        await aliases.remove_alias(ctx, OPERATOR, at(local_part), target=at("operator"))
    assert state(ctx) == before
    await aliases.extend_alias(ctx, OPERATOR, at(local_part), to=[at("annv")])
    left = await aliases.remove_alias(ctx, OPERATOR, at(local_part), target=at("operator"))
    assert left is not None
    assert left.targets == (at("annv"),)


async def test_one_address_taken_twice_at_once_has_one_winner(ctx: AdminContext) -> None:
    results = await asyncio.gather(
        accounts.add_account(ctx, OPERATOR, NewAccount(at("both"), "Both")),
        aliases.add_alias(ctx, OPERATOR, at("both"), to=[at("annv")]),
        return_exceptions=True,
    )
    refused = [result for result in results if isinstance(result, AdminError)]
    assert len(refused) == 1
    assert refused[0].status == 409
    named = [row for row in (*state(ctx).tables["account"], *state(ctx).tables["alias"]) if at("both") in row]
    assert len(named) == 1
