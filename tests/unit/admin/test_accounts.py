from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from mailgov.admin import accounts, registered, seats
from mailgov.admin.accounts import NewAccount
from mailgov.admin.context import AdminContext
from mailgov.admin.errors import AdminError
from mailgov.identity.passwords import PasswordChecker
from mailgov.identity.roles import Role
from mailgov.store.seats import Seat
from mailgov.store.snapshot import load_snapshot
from tests.unit.admin.province import DOMAIN, NOW_MS, OPERATOR, SNV_ADMIN, at, state

NEW = NewAccount(
    at("cuonglv"), "Lê Văn Cường", agency="stc", person_class="can_bo", password="mot hai ba bon"
)


async def test_a_new_account_signs_in_with_its_password_alone(ctx: AdminContext) -> None:
    made = await accounts.add_account(ctx, OPERATOR, replace(NEW, address="CuongLV@CaoBang.gov.vn"))
    assert made.address == at("cuonglv")
    entry = (await load_snapshot(ctx.db, NOW_MS)).account(at("cuonglv"))
    assert entry is not None
    assert (entry.agency, entry.person_class, entry.suspended) == ("stc", "can_bo", False)
    checker = PasswordChecker(b"key", lambda: 0.0)
    assert await checker.verify(entry.password_hash, entry.address, "mot hai ba bon")
    assert not await checker.verify(entry.password_hash, entry.address, "mot hai ba")
    checker.close()


async def test_secrets_stay_out_of_reprs_and_the_log(ctx: AdminContext) -> None:
    assert "mot hai" not in repr(NEW)
    await accounts.add_account(ctx, OPERATOR, NEW)
    chosen = await accounts.set_password(ctx, OPERATOR, NEW.address, None)
    text = repr(state(ctx).tables["audit"])
    assert "mot hai" not in text
    assert chosen not in text
    assert "argon2" not in text


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ({"address": at("annv")}, "it is an account already"),
        ({"address": at("ANNV")}, "it is an account already"),
        ({"address": at("ld-snv")}, "it is an alias already"),
        ({"address": at("postmaster")}, "reserved"),
        ({"address": at("Abuse")}, "reserved"),
        ({"address": at("mailer-daemon")}, "reserved"),
        ({"address": "a@elsewhere.vn"}, "no such domain"),
        ({"address": at("đức")}, "ASCII"),
        ({"address": at('"a b"')}, "quoted"),
        ({"address": at("a/b")}, "letters a-z"),
        ({"address": at("a+b")}, "letters a-z"),
        ({"address": at("a..b")}, "is not an address"),
        ({"address": at("a.")}, "is not an address"),
        ({"address": at(".a")}, "is not an address"),
        ({"address": at("x" * 65)}, "over 64"),
        ({"address": "a@[127.0.0.1]"}, "literals"),
        ({"address": "nonsense"}, "no @"),
        ({"address": "a\x00@" + DOMAIN}, "is not an address"),
        ({"display_name": ""}, "1 to 200"),
        ({"display_name": "a\x1b[31m"}, "visible"),
        ({"kind": "robot"}, "no kind of account"),
        ({"kind": "shared"}, "no one person"),
        ({"agency": "nowhere"}, "no such agency"),
        ({"agency": None}, "together"),
        ({"person_class": None}, "together"),
        ({"person_class": "sep"}, "no class of persons"),
        ({"password": "short"}, "at least 14"),
        ({"password": "x" * 1025}, "at most 1024"),
        ({"password": "a line\nand a break"}, "control"),
        ({"password": "one that is \ud800 alone"}, "UTF-8"),
        ({"agency": None, "person_class": None, "since": date(2025, 1, 1)}, "first day"),
    ],
)
async def test_bad_accounts_change_nothing(ctx: AdminContext, change: dict[str, object], detail: str) -> None:
    before = state(ctx)
    with pytest.raises(AdminError, match=detail) as raised:
        await accounts.add_account(ctx, OPERATOR, replace(NEW, **change))  # type: ignore[arg-type] # wrong on purpose
    assert raised.value.detail.isprintable()
    assert state(ctx) == before


async def test_suspending_takes_effect_in_the_next_snapshot(ctx: AdminContext) -> None:
    await accounts.disable_account(ctx, OPERATOR, at("annv"))
    entry = (await load_snapshot(ctx.db, NOW_MS)).account(at("annv"))
    assert entry is not None
    assert entry.suspended
    with pytest.raises(AdminError, match="disabled already"):
        await accounts.disable_account(ctx, OPERATOR, at("annv"))
    await accounts.enable_account(ctx, OPERATOR, at("annv"))
    assert (await accounts.show_account(ctx, OPERATOR, at("annv"))).suspended_ms is None


async def test_grants(ctx: AdminContext) -> None:
    await accounts.grant_address(ctx, OPERATOR, at("annv"), at("snv"))
    entry = (await load_snapshot(ctx.db, NOW_MS)).account(at("annv"))
    assert entry is not None
    assert entry.addresses == {at("annv"), at("snv"), at("ld-snv")}
    for granted, detail in (
        (at("snv"), "already"),
        (at("annv"), "already"),
        (at("nobody"), "no such account or alias"),
        ("x@gmail.com", "no such account or alias"),
    ):
        with pytest.raises(AdminError, match=detail):
            await accounts.grant_address(ctx, OPERATOR, at("annv"), granted)
    await accounts.revoke_address(ctx, OPERATOR, at("annv"), at("snv"))
    with pytest.raises(AdminError, match="no grant"):
        await accounts.revoke_address(ctx, OPERATOR, at("annv"), at("snv"))


async def test_moving_keeps_the_past_and_the_class(ctx: AdminContext) -> None:
    day = date(2026, 1, 1)
    await accounts.move_account(ctx, OPERATOR, at("annv"), agency="stc", on=day)
    account = await accounts.show_account(ctx, OPERATOR, at("annv"))
    assert [(post.agency_code, post.person_class, post.valid_until) for post in account.posts] == [
        ("snv", "cong_chuc", day),
        ("stc", "cong_chuc", None),
    ]
    again = await accounts.move_account(
        ctx, OPERATOR, at("annv"), agency="vpubnd", person_class="can_bo", on=day
    )
    account = await accounts.show_account(ctx, OPERATOR, at("annv"))
    assert account.posts[-1] == again
    assert len(account.posts) == 2, "a corrected move leaves no post of no days"


@pytest.mark.parametrize(
    ("address", "agency", "person_class", "detail"),
    [
        (at("annv"), "snv", None, "already"),
        (at("annv"), "nowhere", None, "no such agency"),
        (at("annv"), "stc", "boss", "no class"),
        (at("snv"), "stc", "can_bo", "no one person"),
        (at("nobody"), "stc", None, "no such account"),
    ],
)
async def test_bad_moves_change_nothing(
    ctx: AdminContext, address: str, agency: str, person_class: str | None, detail: str
) -> None:
    before = state(ctx)
    with pytest.raises(AdminError, match=detail):
        await accounts.move_account(ctx, OPERATOR, address, agency=agency, person_class=person_class)
    assert state(ctx) == before


async def test_registered_addresses_of_a_person_and_of_an_agency(ctx: AdminContext) -> None:
    await registered.register_address(ctx, OPERATOR, "An@Gmail.com", account=at("annv"))
    await registered.register_address(ctx, OPERATOR, "snv@yahoo.com", agency="snv")
    entry = (await load_snapshot(ctx.db, NOW_MS)).account(at("annv"))
    assert entry is not None
    assert entry.registered == {"an@gmail.com", "snv@yahoo.com"}
    with pytest.raises(AdminError, match="registered already"):
        await registered.register_address(ctx, OPERATOR, "an@gmail.com", account=at("annv"))
    with pytest.raises(AdminError, match="province itself"):
        await registered.register_address(ctx, OPERATOR, at("x"), account=at("annv"))
    with pytest.raises(AdminError, match="either"):
        await registered.register_address(ctx, OPERATOR, "an@gmail.com")
    await registered.unregister_address(ctx, OPERATOR, "an@gmail.com", account=at("annv"))
    await registered.unregister_address(ctx, OPERATOR, "snv@yahoo.com", agency="snv")
    assert (await load_snapshot(ctx.db, NOW_MS)).registered == frozenset()
    with pytest.raises(AdminError, match="not registered"):
        await registered.unregister_address(ctx, OPERATOR, "snv@yahoo.com", agency="snv")


async def test_lists_page_by_address_and_stay_in_the_agency(ctx: AdminContext) -> None:
    first = await accounts.list_accounts(ctx, OPERATOR, limit=2)
    assert [account.address for account in first] == [at("annv"), at("binhtt")]
    rest = await accounts.list_accounts(ctx, OPERATOR, after=first[-1].address)
    assert [account.address for account in rest] == [at("operator"), at("snv"), at("vpubnd")]
    own = await accounts.list_accounts(ctx, SNV_ADMIN)
    assert [account.address for account in own] == [at("annv"), at("snv")]


async def test_who_leaves_an_agency_leaves_its_seats(ctx: AdminContext) -> None:
    await seats.add_seat(ctx, OPERATOR, at("annv"), Role.CLERK, agency="snv")
    await seats.add_seat(ctx, OPERATOR, at("annv"), Role.AUDITOR)
    tomorrow = ctx.today() + timedelta(days=1)
    await accounts.move_account(ctx, OPERATOR, at("annv"), agency="stc", on=tomorrow)
    still = await accounts.show_account(ctx, OPERATOR, at("annv"))
    assert Seat("clerk", "snv") in still.seats, "until the day comes, and somebody has to think of it"
    await accounts.move_account(ctx, OPERATOR, at("annv"), agency="stc")
    moved = await accounts.show_account(ctx, OPERATOR, at("annv"))
    assert moved.seats == (Seat("auditor"),)
