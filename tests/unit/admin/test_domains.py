from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date

import pytest

from mailgov.admin import accounts, agencies, agency_changes, aliases, domains, keys, registered
from mailgov.admin.accounts import NewAccount
from mailgov.admin.context import AdminContext
from mailgov.admin.errors import AdminError
from mailgov.store.agencies import AgencySpan
from tests.unit.admin.province import DOMAIN, NOW_MS, OPERATOR, at, state


async def test_a_domain_answers_as_postmaster_and_abuse_from_the_start(ctx: AdminContext) -> None:
    for local_part in ("postmaster", "abuse"):
        alias = await aliases.show_alias(ctx, OPERATOR, at(local_part))
        assert alias.targets == (at("operator"),)


async def test_a_second_domain_may_lead_to_an_account_of_the_first(ctx: AdminContext) -> None:
    await domains.add_domain(ctx, OPERATOR, "Hoabinh.GOV.vn.", postmaster=at("annv"))
    alias = await aliases.show_alias(ctx, OPERATOR, "abuse@hoabinh.gov.vn")
    assert alias.targets == (at("annv"),)
    assert [domain.name for domain in await domains.list_domains(ctx, OPERATOR)] == [DOMAIN, "hoabinh.gov.vn"]


async def test_an_account_of_the_new_domain_is_made_with_it_and_cannot_sign_in(ctx: AdminContext) -> None:
    await domains.add_domain(ctx, OPERATOR, "hoabinh.gov.vn", postmaster="quantri@hoabinh.gov.vn")
    account = await accounts.show_account(ctx, OPERATOR, "quantri@hoabinh.gov.vn")
    assert (account.kind, account.has_password) == ("functional", False)
    assert state(ctx).audit[-1] == ("operator", "operator", "domain.add", "hoabinh.gov.vn")


@pytest.mark.parametrize(
    ("name", "postmaster", "detail"),
    [
        ("localhost", at("annv"), "at least one dot"),
        ("a b.vn", at("annv"), "not a domain name"),
        ("-a.vn", at("annv"), "not a domain name"),
        ("a..vn", at("annv"), "not a domain name"),
        ("127.0.0.1", at("annv"), "address of a machine"),
        ("tỉnh.vn", at("annv"), "not a domain name"),
        ("x" * 64 + ".vn", at("annv"), "not a domain name"),
        ("x.vn\r\nevil", at("annv"), "not a domain name"),
        (DOMAIN, at("annv"), "there already"),
        ("new.vn", at("nobody"), "no such account"),
        ("new.vn", at("ld-snv"), "no such account"),
        ("new.vn", "postmaster@new.vn", "name an account"),
        ("new.vn", "not an address", "is not an address"),
    ],
)
async def test_bad_domains_change_nothing(ctx: AdminContext, name: str, postmaster: str, detail: str) -> None:
    before = state(ctx)
    with pytest.raises(AdminError, match=detail) as raised:
        await domains.add_domain(ctx, OPERATOR, name, postmaster=postmaster)
    assert raised.value.detail.isprintable()
    assert state(ctx) == before


async def test_disable_and_enable(ctx: AdminContext) -> None:
    await domains.disable_domain(ctx, OPERATOR, DOMAIN)
    detail = await domains.show_domain(ctx, OPERATOR, DOMAIN)
    assert detail.domain.disabled_ms == NOW_MS
    assert (detail.accounts, detail.aliases, len(detail.keys)) == (5, 3, 1)
    with pytest.raises(AdminError, match="disabled already"):
        await domains.disable_domain(ctx, OPERATOR, DOMAIN)
    await domains.enable_domain(ctx, OPERATOR, DOMAIN)
    assert (await domains.list_domains(ctx, OPERATOR))[0].disabled_ms is None


async def test_an_unknown_domain(ctx: AdminContext) -> None:
    with pytest.raises(AdminError) as raised:
        await domains.show_domain(ctx, OPERATOR, "nowhere.vn")
    assert (raised.value.code, raised.value.status) == ("not-found", 404)


async def test_a_domain_that_ends_alike_is_not_counted(ctx: AdminContext) -> None:
    await domains.add_domain(ctx, OPERATOR, "bang.gov.vn", postmaster="op@bang.gov.vn")
    detail = await domains.show_domain(ctx, OPERATOR, "bang.gov.vn")
    assert (detail.accounts, detail.aliases) == (1, 2)


OFF = "hoabinh.gov.vn"
BOX, LIST = f"annv@{OFF}", f"phong@{OFF}"
ON_A_DISABLED_DOMAIN: dict[str, Callable[[AdminContext], Awaitable[object]]] = {
    "account add": lambda ctx: accounts.add_account(ctx, OPERATOR, NewAccount(f"x@{OFF}", "X", "shared")),
    "account disable": lambda ctx: accounts.disable_account(ctx, OPERATOR, BOX),
    "account password": lambda ctx: accounts.set_password(ctx, OPERATOR, BOX, None),
    "account grant": lambda ctx: accounts.grant_address(ctx, OPERATOR, BOX, at("snv")),
    "account grant of": lambda ctx: accounts.grant_address(ctx, OPERATOR, at("annv"), BOX),
    "account move": lambda ctx: accounts.move_account(ctx, OPERATOR, BOX, agency="snv"),
    "account register": lambda ctx: registered.register_address(ctx, OPERATOR, "a@example.org", account=BOX),
    "alias add": lambda ctx: aliases.add_alias(ctx, OPERATOR, f"y@{OFF}", to=[at("annv")]),
    "alias add to": lambda ctx: aliases.add_alias(ctx, OPERATOR, at("y"), to=[BOX]),
    "alias extend": lambda ctx: aliases.extend_alias(ctx, OPERATOR, LIST, to=[at("annv")]),
    "alias extend to": lambda ctx: aliases.extend_alias(ctx, OPERATOR, at("ld-snv"), to=[BOX]),
    "alias remove": lambda ctx: aliases.remove_alias(ctx, OPERATOR, LIST),
    "dkim generate": lambda ctx: keys.generate_key(ctx, OPERATOR, OFF, algorithm="ed25519"),
    "agency add": lambda ctx: agencies.add_agency(
        ctx, OPERATOR, AgencySpan("ubnd", "UBND", "commune", mailbox=BOX)
    ),
    "agency rename": lambda ctx: agency_changes.rename_agency(
        ctx, OPERATOR, "snv", on=date(2026, 1, 1), name="Y", mailbox=BOX
    ),
    "agency change": lambda ctx: agency_changes.change_agency(
        ctx, OPERATOR, "snv", {"mailbox": BOX}, on=date(2026, 1, 1)
    ),
    "domain add": lambda ctx: domains.add_domain(ctx, OPERATOR, "new.vn", postmaster=BOX),
}


@pytest.mark.parametrize("act", ON_A_DISABLED_DOMAIN)
async def test_a_disabled_domain_rests_until_it_is_enabled(ctx: AdminContext, act: str) -> None:
    await domains.add_domain(ctx, OPERATOR, OFF, postmaster=BOX)
    await aliases.add_alias(ctx, OPERATOR, LIST, to=[BOX])
    await domains.disable_domain(ctx, OPERATOR, OFF)
    before = state(ctx)
    with pytest.raises(AdminError, match=f"the domain {OFF} is disabled") as raised:
        await ON_A_DISABLED_DOMAIN[act](ctx)
    assert raised.value.code == "conflict"
    assert state(ctx) == before
    assert (await accounts.show_account(ctx, OPERATOR, BOX)).address == BOX
    await domains.enable_domain(ctx, OPERATOR, OFF)
    await ON_A_DISABLED_DOMAIN[act](ctx)
