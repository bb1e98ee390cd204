from __future__ import annotations

import pytest

from mailgov.policy import Providers
from mailgov.policy.providers import ProviderClass

PROVIDERS = Providers(
    frozenset({"gmail.com"}),
    {
        "outlook.com": "paid-foreign",
        "olc.protection.outlook.com": "free",
        "vnn.vn": "domestic",
        "pphosted.com": "gateway",
    },
)


@pytest.mark.parametrize(
    ("domain", "hosts", "expected"),
    [
        ("gmail.com", None, "free"),
        ("GMAIL.com.", ["mx.vnn.vn"], "free"),
        ("x.gmail.com", (), "unknown"),
        ("a.vn", None, "unknown"),
        ("a.vn", ["hotmail-com.OLC.protection.outlook.com."], "free"),
        ("a.vn", ["a-vn.mail.protection.outlook.com"], "paid-foreign"),
        ("a.vn", ["myoutlook.com"], "unknown"),
        ("a.vn", ["mx1.local.vn", "mail.vnn.vn", "x.pphosted.com"], "domestic"),
        ("a.vn", ["x.pphosted.com", "mail.vnn.vn"], "gateway"),
        ("a.vn", ["192.0.2.1", ""], "unknown"),
        ("vnn.vn", (), "domestic"),
        ("mail.a.vn", (), "unknown"),
    ],
)
def test_classes(domain: str, hosts: list[str] | None, expected: ProviderClass) -> None:
    assert PROVIDERS.classify(domain, hosts) == expected


def test_a_thousand_mx_records_are_not_all_looked_at() -> None:
    assert PROVIDERS.classify("a.vn", [f"mx{n}.example" for n in range(1000)] + ["mail.vnn.vn"]) == "unknown"


def test_no_suffix_at_all() -> None:
    assert Providers(frozenset(), {}).classify("a.vn", ["mx.a.vn"]) == "unknown"


@pytest.mark.parametrize("spelt", ["ｇｍａｉｌ.com", "gmail。com", "ⓖmail.com"])
def test_a_free_domain_is_free_however_it_is_spelt(spelt: str) -> None:
    assert PROVIDERS.is_free_domain(spelt)
    assert PROVIDERS.classify(spelt, ("mx.example.org",)) == "free"
