"""The demo province, filled with interruptions."""

from __future__ import annotations

import secrets
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mailgov.admin import accounts, agencies, demo, figures, setup
from mailgov.admin.accounts import NewAccount
from mailgov.admin.context import Actor, AdminContext
from mailgov.config import default_policy_directory
from mailgov.identity.passwords import PasswordChecker
from mailgov.identity.tokens import hash_token
from mailgov.settings import DatabaseSettings, PolicySettings, Settings
from mailgov.store.accounts import AccountView
from mailgov.store.audit import verify
from mailgov.store.engine import Database
from mailgov.store.snapshot import load_snapshot
from mailgov.store.tokens import find_token
from tests.unit.admin.province import DOMAIN, NOW_MS, OPERATOR, at, make_context, state


@pytest.fixture
async def empty(tmp_path: Path) -> AsyncIterator[AdminContext]:
    url = f"sqlite:///{tmp_path}/ledger.sqlite"
    settings = Settings(
        data_dir=tmp_path,
        database=DatabaseSettings(url=url),
        policy=PolicySettings(directory=default_policy_directory()),
    )
    ledger = Database.open(url, create=True)
    yield make_context(ledger, settings)
    await ledger.dispose()


async def fill(ctx: AdminContext) -> demo.Ready:
    operator = await setup.set_up(ctx, DOMAIN, agency=demo.operating_agency(DOMAIN).span)
    return await demo.make_demo(ctx, DOMAIN, operator)


async def test_filling_may_be_interrupted_and_ends_in_a_province_to_try(
    empty: AdminContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Breaks off after so many accounts, until one run comes to its end; and runs once more."""
    real = accounts.add_account
    left = [0]

    async def breaking(ctx: AdminContext, actor: Actor, new: NewAccount) -> AccountView:
        if left[0] == 0:
            raise KeyboardInterrupt
        left[0] -= 1
        return await real(ctx, actor, new)

    monkeypatch.setattr(accounts, "add_account", breaking)
    for left[0] in (0, 40, 120):
        with pytest.raises(KeyboardInterrupt):
            await fill(empty)
    left[0] = 1000
    first = await fill(empty)
    whole = state(empty)
    ready = await fill(empty)
    after = state(empty)
    assert ready.password != first.password
    for name in ("account", "alias", "domain", "dkim_key", "agency", "message", "message_recipient"):
        assert [row[1] for row in after.tables[name]] == [row[1] for row in whole.tables[name]], name
    assert (len(after.tables["account"]), len(after.tables["domain"])) == (1 + 22 + 2 + 150, 1)
    assert len(after.tables["message"]) > 1000
    assert after.tables["unapplied_event"] == []
    assert sum(row[-2] is None for row in after.tables["token"]) == 1, "earlier demo tokens are revoked"
    await _check(empty, ready)


async def _check(ctx: AdminContext, ready: demo.Ready) -> None:
    snapshot = await load_snapshot(ctx.db, NOW_MS)
    entry = snapshot.account(ready.account)
    assert entry is not None
    assert entry.agency == "skhcn"
    assert demo.OWN_FREE_MAIL in entry.registered
    checker = PasswordChecker(secrets.token_bytes(16), lambda: 0.0)
    assert await checker.verify(entry.password_hash, entry.address, ready.password)
    checker.close()
    assert sum(one.password_hash is not None for one in snapshot.accounts.values()) == 2
    assert at("ubnd") in snapshot.accounts[at("vpubnd")].addresses
    assert snapshot.accounts[at("motcua")].citizen_desk
    assert snapshot.accounts[at("scanner")].kind == "functional"
    assert snapshot.aliases[at("stttt")].targets == (at("skhcn"),)
    async with ctx.db.read() as session:
        token = await find_token(session, hash_token(ready.token))
    assert token is not None
    assert token.valid(NOW_MS)
    notes = ctx.settings.data_dir / demo.CREDENTIALS_FILE
    assert stat.S_IMODE(notes.stat().st_mode) == 0o600
    for secret in (ready.password, ready.operator_password, ready.token):
        assert secret in notes.read_text()
        assert secret not in repr(ready)
    report = await figures.usage(ctx, OPERATOR)
    assert report.sample
    assert (await verify(ctx.db)).problems == []
    found = await agencies.show_agency(ctx, OPERATOR, "skhdt")
    assert [one.to_code for one in found.successions] == ["stc"]
