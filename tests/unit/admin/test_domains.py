from __future__ import annotations

import pytest

from mailgov.admin import accounts, aliases, domains
from mailgov.admin.context import AdminContext
from mailgov.admin.errors import AdminError
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
