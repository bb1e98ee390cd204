"""Directory writes on both databases, through the acts that make them."""

from __future__ import annotations

import asyncio
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import text

from mailgov.admin import accounts, agencies, aliases, domains, keys, registered, tokens
from mailgov.admin.accounts import NewAccount
from mailgov.admin.context import AdminContext
from mailgov.admin.errors import AdminError
from mailgov.identity.roles import Role
from mailgov.settings import Settings
from mailgov.store.accounts import find_account
from mailgov.store.agencies import AgencySpan, spans
from mailgov.store.audit import verify
from mailgov.store.directory import bump_policy_revision, bump_revision, find_alias, holder
from mailgov.store.engine import Conflict, Database
from mailgov.store.snapshot import load_snapshot, revisions
from mailgov.store.tokens import find_token, note_use
from tests.unit.admin.province import NOW_MS, OPERATOR, at, make_context, make_province

MARCH = date(2026, 3, 1)


async def _province(database: Database, folder: Path) -> AdminContext:
    ctx = make_context(database, Settings(data_dir=folder))
    await make_province(ctx)
    return ctx


async def test_every_write_is_read_back(database: Database, tmp_path: Path) -> None:
    ctx = await _province(database, tmp_path)
    await accounts.grant_address(ctx, OPERATOR, at("vpubnd"), at("snv"))
    await registered.register_address(ctx, OPERATOR, "an@example.org", account=at("annv"))
    await registered.register_address(ctx, OPERATOR, "snv@example.org", agency="snv")
    await accounts.disable_account(ctx, OPERATOR, at("binhtt"))
    await accounts.set_password(ctx, OPERATOR, at("annv"), None, first=True)
    await aliases.extend_alias(ctx, OPERATOR, at("ld-snv"), to=[at("snv")])
    await agencies.merge_agencies(ctx, OPERATOR, "snv", into=["stc"], on=MARCH)
    await keys.generate_key(ctx, OPERATOR, "caobang.gov.vn", algorithm="ed25519")
    await domains.add_domain(ctx, OPERATOR, "b.vn", postmaster="op@b.vn")
    await domains.disable_domain(ctx, OPERATOR, "b.vn")

    now = await load_snapshot(database, NOW_MS)
    assert now.domains == {"caobang.gov.vn"}
    annv = now.accounts[at("annv")]
    assert (annv.agency, annv.must_change, annv.password_hash is None) == ("snv", True, False)
    assert annv.registered == {"an@example.org", "snv@example.org"}
    assert now.accounts[at("vpubnd")].addresses == {at("vpubnd"), at("snv")}
    assert now.accounts[at("binhtt")].suspended
    assert now.aliases[at("ld-snv")].targets == (at("annv"), at("snv"))
    april = await load_snapshot(database, NOW_MS + 150 * 86_400_000)
    assert april.accounts[at("annv")].agency == "stc"
    async with database.read() as session:
        view = await find_account(session, at("annv"))
        (span,) = await spans(session, "snv")
    assert view is not None
    assert [(post.agency_code, post.valid_from, post.valid_until) for post in view.posts] == [
        ("snv", None, MARCH),
        ("stc", MARCH, None),
    ]
    assert span.valid_until == MARCH
    assert (await verify(database)).problems == []


async def test_removals(database: Database, tmp_path: Path) -> None:
    ctx = await _province(database, tmp_path)
    await aliases.remove_alias(ctx, OPERATOR, at("ld-snv"))
    await registered.register_address(ctx, OPERATOR, "snv@example.org", agency="snv")
    await registered.unregister_address(ctx, OPERATOR, "snv@example.org", agency="snv")
    await accounts.grant_address(ctx, OPERATOR, at("annv"), at("snv"))
    await accounts.revoke_address(ctx, OPERATOR, at("annv"), at("snv"))
    found = await load_snapshot(database, NOW_MS)
    assert at("ld-snv") not in found.aliases
    assert found.registered == frozenset()
    assert found.accounts[at("annv")].addresses == {at("annv")}
    async with database.read() as session:
        assert await find_alias(session, at("ld-snv")) is None
        assert await holder(session, at("ld-snv")) is None


async def test_tokens(database: Database, tmp_path: Path) -> None:
    ctx = await _province(database, tmp_path)
    made = await tokens.create_token(ctx, OPERATOR, "x", role=Role.HEAD, agency="snv", days=1)
    async with database.write() as session:
        await note_use(session, made.token.id, NOW_MS + 5)
    await tokens.revoke_token(ctx, OPERATOR, made.token.id)
    found = (await tokens.list_tokens(ctx, OPERATOR))[-1]
    assert (found.last_used_ms, found.revoked_ms) == (NOW_MS + 5, NOW_MS)
    async with database.read() as session:
        assert await find_token(session, "0" * 64) is None


@pytest.mark.parametrize("missing", [False, True])
async def test_revisions_count_up_even_where_their_row_is_missing(database: Database, missing: bool) -> None:
    before = await revisions(database)
    async with database.write() as session:
        if missing:
            await session.execute(text("DELETE FROM directory_state"))
            before = (0, 0)
        assert await bump_revision(session) == before[0] + 1
        assert await bump_policy_revision(session) == before[1] + 1
    assert await revisions(database) == (before[0] + 1, before[1] + 1)


async def test_a_refused_act_leaves_the_revision(database: Database, tmp_path: Path) -> None:
    ctx = await _province(database, tmp_path)
    before = await revisions(database)
    with pytest.raises(AdminError, match="already"):
        await accounts.add_account(ctx, OPERATOR, NewAccount(at("annv"), "Again"))
    with pytest.raises(AdminError, match="already"):
        await agencies.add_agency(ctx, OPERATOR, AgencySpan("snv", "Again", "province"))
    assert await revisions(database) == before


async def test_one_address_taken_by_many_at_once_has_one_holder(database: Database, tmp_path: Path) -> None:
    """What an act checked still holds when it commits: on PostgreSQL too, where writers run side by side."""
    ctx = await _province(database, tmp_path)
    results = await asyncio.gather(
        *(
            aliases.add_alias(ctx, OPERATOR, at("one"), to=[at("annv")])
            if number % 2
            else accounts.add_account(ctx, OPERATOR, NewAccount(at("one"), "One"))
            for number in range(6)
        ),
        return_exceptions=True,
    )
    refused = [result for result in results if isinstance(result, BaseException)]
    assert [(type(one), getattr(one, "code", "")) for one in refused] == [(AdminError, "conflict")] * 5
    assert not [one for one in refused if isinstance(one, Conflict)]
    assert (await verify(database)).problems == []
