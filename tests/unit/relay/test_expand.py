"""Who a local address stands for."""

from __future__ import annotations

import pytest

from mailgov.mail.address import Address
from mailgov.relay import expand
from mailgov.relay.expand import Target, TooManyTargets, UnknownRecipient, resolve
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
