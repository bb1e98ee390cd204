"""The demo province, filled with interruptions."""

from __future__ import annotations

import secrets
import stat
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mailgov.admin import accounts, agencies, declarations, demo, demo_declared, figures, setup
from mailgov.admin.accounts import NewAccount
from mailgov.admin.context import Actor, AdminContext
from mailgov.config import default_policy_directory
from mailgov.identity.passwords import PasswordChecker
from mailgov.identity.tokens import hash_token
from mailgov.ops.demo.ready import CREDENTIALS_FILE, OWN_FREE_MAIL, Ready
from mailgov.settings import DatabaseSettings, PolicySettings, Settings
from mailgov.store.accounts import AccountView
from mailgov.store.audit import verify
from mailgov.store.declarations import Filter
from mailgov.store.engine import Database
from mailgov.store.snapshot import load_snapshot
from mailgov.store.tokens import find_token
from mailgov.usage import declared
from mailgov.usage.issue_register import missing_numbers
from mailgov.usage.periods import parse
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


async def fill(ctx: AdminContext) -> Ready:
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
    for name in (
        "account", "alias", "domain", "dkim_key", "agency", "message", "message_recipient", "declaration",
        "register_entry",
    ):  # fmt: skip
        assert [row[1] for row in after.tables[name]] == [row[1] for row in whole.tables[name]], name
    assert (len(after.tables["account"]), len(after.tables["domain"])) == (1 + 22 + 2 + 150, 1)
    assert len(after.tables["message"]) > 1000
    assert after.tables["unapplied_event"] == []
    assert sum(row[-2] is None for row in after.tables["token"]) == 1, "earlier demo tokens are revoked"
    await _check(empty, ready)


async def _check(ctx: AdminContext, ready: Ready) -> None:
    snapshot = await load_snapshot(ctx.db, NOW_MS)
    entry = snapshot.account(ready.account)
    assert entry is not None
    assert entry.agency == "skhcn"
    assert OWN_FREE_MAIL in entry.registered
    checker = PasswordChecker(secrets.token_bytes(16), lambda: 0.0)
    assert await checker.verify(entry.password_hash, entry.address, ready.password)
    checker.close()
    assert sum(one.password_hash is not None for one in snapshot.accounts.values()) == 4
    assert at("ubnd") in snapshot.accounts[at("vpubnd")].addresses
    assert snapshot.accounts[at("motcua")].citizen_desk
    assert snapshot.accounts[at("scanner")].kind == "functional"
    assert snapshot.aliases[at("stttt")].targets == (at("skhcn"),)
    async with ctx.db.read() as session:
        token = await find_token(session, hash_token(ready.token))
    assert token is not None
    assert token.valid(NOW_MS)
    assert Ready.read(ctx.settings.data_dir) == ready
    notes = ctx.settings.data_dir / CREDENTIALS_FILE
    assert stat.S_IMODE(notes.stat().st_mode) == 0o600
    passwords = (ready.password, ready.clerk_password, ready.auditor_password, ready.operator_password)
    for secret in (*passwords, ready.token):
        assert secret in notes.read_text()
        assert secret not in repr(ready)
    report = await figures.usage(ctx, OPERATOR)
    assert report.sample
    assert (await verify(ctx.db)).problems == []
    await _check_declared(ctx)
    found = await agencies.show_agency(ctx, OPERATOR, "skhdt")
    assert [one.to_code for one in found.successions] == ["stc"]


async def _check_declared(ctx: AdminContext) -> None:
    """For the month and the quarter before 21/11/2025, in both calendars; every agency's people."""
    found = await declarations.list_declarations(ctx, OPERATOR, Filter())
    assert all(one.sample for one in found)
    days = {one.series.kind: set[tuple[str, str]]() for one in found}
    for one in found:
        days[one.series.kind].add((str(one.series.from_date), str(one.series.until_date)))
    months = {("2025-10-01", "2025-11-01"), ("2025-10-15", "2025-11-15")}
    quarters = {("2025-07-01", "2025-10-01"), ("2025-06-15", "2025-09-15")}
    assert days == {"documents": months | quarters, "headcount": months | quarters, "register": months}
    for period, calendar in (("2025-10", "civil"), ("2025-Q3", "administrative")):
        span = parse(period, calendar).span
        async with ctx.db.read() as session:
            people = await declared.headcounts(session, span)
            papers = await declared.documents(session, span)
        spans = await agencies.list_agencies(ctx, OPERATOR, day=span.last)
        current = {one.code for one in spans if one.valid_until is None}
        assert current == people.keys() == papers.keys()
        holders = Counter[tuple[str, str | None]]()
        for account in await accounts.list_accounts(ctx, OPERATOR):
            post = account.post_on(span.last)
            if account.kind == "personal" and post is not None:
                holders[post.agency_code, post.person_class] += 1
        assert holders.total() == 150
        for (code, person_class), number in holders.items():
            assert people[code].of((person_class or "",)) >= number, (code, person_class)
    register = next(one for one in found if one.series.kind == "register")
    lines = (await declarations.show_declaration(ctx, OPERATOR, register.id)).register
    assert sum(line.exempt == "secret" for line in lines) == 1
    on_paper = [line for line in lines if line.title == demo_declared.ON_PAPER]
    assert 1 < len(on_paper) < len(lines) / 2
    gaps = missing_numbers(lines, register.series.from_date)
    assert gaps.missing == (), "the numbers run through"
