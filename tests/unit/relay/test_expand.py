"""Who a local address stands for."""

from __future__ import annotations

import pytest

from mailgov.mail.address import Address
from mailgov.relay import expand
from mailgov.relay.expand import Target, TooManyTargets, UnknownRecipient, resolve
from mailgov.store.snapshot import AliasEntry, Snapshot
from tests.support.relay_node import AN, BINH, DOMAIN, account, alias, directory


def keys(targets: tuple[Target, ...]) -> list[str]:
    return [target.address.key for target in targets]


PEOPLE = [account(AN), account(BINH)]
ALIASES = [
    alias("vanthu", "annv"),
    alias("cap2", "vanthu"),
    alias("ds", "annv", "vanthu", "binhtt", "khach@example.org", kind="list"),
    alias("ds-lon", "ds", "cap2", "khac@example.org", kind="list"),
    alias("chuyen", "An.Rieng@Gmail.com", kind="forward"),
    alias("vong1", "vong2"),
    alias("vong2", "vong1", "binhtt", kind="list"),
    alias("minh", "minh"),
    alias("hong", "khong co a cong", "annv"),
    alias("rong", kind="list"),
    alias("mat", "nobody"),
]
SNAPSHOT = directory(PEOPLE, ALIASES)


@pytest.mark.parametrize(
    ("given", "final"),
    [
        ("annv", [AN]),
        ("ANNV", [AN]),
        ("vanthu", [AN]),
        ("cap2", [AN]),
        ("ds", [AN, BINH, "khach@example.org"]),
        ("ds-lon", [AN, BINH, "khach@example.org", "khac@example.org"]),
        ("chuyen", ["an.rieng@gmail.com"]),
        ("vong1", [BINH]),
        ("hong", [AN]),
        ("annv+x", [AN]),
        ("annv+x+y", [AN]),
        ("ds+x", [AN, BINH, "khach@example.org"]),
    ],
)
def test_each_final_recipient_once(given: str, final: list[str]) -> None:
    assert keys(resolve(SNAPSHOT, Address(given, DOMAIN))) == final


@pytest.mark.parametrize("given", ["nobody", "minh", "rong", "mat", "+annv", "nobody+annv", "annv-x", ""])
def test_nobody(given: str) -> None:
    with pytest.raises(UnknownRecipient):
        resolve(SNAPSHOT, Address(given, DOMAIN))


def test_via_tells_the_last_step_and_original_what_was_given() -> None:
    found = {t.address.key: t for t in resolve(SNAPSHOT, Address("DS-lon", DOMAIN))}
    assert {key: t.via for key, t in found.items()} == {
        AN: "list",
        BINH: "list",
        "khach@example.org": "list",
        "khac@example.org": "list",
    }
    assert {t.original for t in found.values()} == {f"DS-lon@{DOMAIN}"}
    (direct,) = resolve(SNAPSHOT, Address("annv", DOMAIN))
    assert (direct.via, direct.local) == (None, True)
    (forwarded,) = resolve(SNAPSHOT, Address("chuyen", DOMAIN))
    assert (forwarded.via, forwarded.local, str(forwarded.address)) == (
        "forward",
        False,
        "An.Rieng@gmail.com",
    )


def test_an_address_with_plus_of_its_own_comes_before_its_prefix() -> None:
    own = f"annv+rieng@{DOMAIN}"
    snapshot = directory([*PEOPLE, account(own)])
    assert keys(resolve(snapshot, Address("annv+rieng", DOMAIN))) == [own]
    assert keys(resolve(snapshot, Address("annv+khac", DOMAIN))) == [AN]


def test_a_chain_is_followed_so_far_and_no_further() -> None:
    chain = [alias(f"c{n}", f"c{n + 1}") for n in range(30)]
    snapshot = directory([account(f"c30@{DOMAIN}")], chain)
    assert keys(resolve(snapshot, Address("c21", DOMAIN))) == [f"c30@{DOMAIN}"]
    with pytest.raises(UnknownRecipient):
        resolve(snapshot, Address("c0", DOMAIN))


@pytest.mark.parametrize("outside", [True, False], ids=["outside", "local"])
def test_a_list_without_measure_is_refused(outside: bool) -> None:
    count = expand.TARGET_LIMIT + 10
    members = [f"m{n}@{'example.org' if outside else DOMAIN}" for n in range(count)]
    accounts = [] if outside else [account(a) for a in members]
    snapshot = directory(accounts, [alias("ds", *members, kind="list")])
    with pytest.raises(TooManyTargets):
        resolve(snapshot, Address("ds", DOMAIN))


def test_lists_within_lists_cost_each_list_once() -> None:
    """Ten lists that each name all the others: ten to the tenth ways, ten steps."""
    names = [f"l{n}" for n in range(10)]
    snapshot = directory(PEOPLE, [alias(name, *names, "annv", kind="list") for name in names])
    assert keys(resolve(snapshot, Address("l0", DOMAIN))) == [AN]


OLD, OLDER = "tinhcu.gov.vn", "xacu.tinhcu.gov.vn"
RENAMED = {OLD: DOMAIN, OLDER: OLD}


def renamed_directory() -> Snapshot:
    own = AliasEntry(f"rieng@{OLD}", "alias", (BINH,))
    group = AliasEntry(f"ds@{DOMAIN}", "list", (f"annv@{OLD}", f"annv@{OLDER}", BINH))
    return directory(PEOPLE, [alias("vanthu", "annv"), own, group], domains=[DOMAIN, OLD, OLDER])


@pytest.mark.parametrize(
    ("given", "final"),
    [
        (f"annv@{OLD}", [(AN, "alias")]),
        (f"AnNV@{OLD}", [(AN, "alias")]),
        (f"annv+ho-so@{OLD}", [(AN, "alias")]),
        (f"vanthu@{OLD}", [(AN, "alias")]),
        (f"annv@{OLDER}", [(AN, "alias")]),
        (f"rieng@{OLD}", [(BINH, "alias")]),
        (f"ds@{DOMAIN}", [(AN, "list"), (BINH, "list")]),
    ],
)
def test_a_domain_that_was_renamed_leads_to_the_new_one(given: str, final: list[tuple[str, str]]) -> None:
    """What the old domain has itself comes first; whoever is written to twice gets it once."""
    targets = resolve(renamed_directory(), Address.parse(given), RENAMED)
    assert [(target.address.key, target.via) for target in targets] == final


def test_a_renamed_domain_knows_no_more_people_than_the_new_one_and_leads_in_no_circle() -> None:
    for renamed in (RENAMED, {OLD: DOMAIN, DOMAIN: OLD}, {}):
        with pytest.raises(UnknownRecipient):
            resolve(renamed_directory(), Address.parse(f"nobody@{OLD}"), renamed)
    with pytest.raises(UnknownRecipient):
        resolve(renamed_directory(), Address.parse(f"annv@{OLD}"), {})
