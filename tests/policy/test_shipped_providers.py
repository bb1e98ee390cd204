"""Who counts as free, paid abroad, domestic or a gateway, with hosts as they stand in the DNS."""

from __future__ import annotations

import pytest

from mailgov.policy import Policy, load
from mailgov.policy.providers import ProviderClass
from tests.unit.policy.support import shipped_files


@pytest.fixture(scope="module")
def policy() -> Policy:
    return load(shipped_files())


FREE = [
    "gmail.com",
    "googlemail.com",
    "yahoo.com",
    "yahoo.com.vn",
    "ymail.com",
    "rocketmail.com",
    "outlook.com",
    "outlook.com.vn",
    "hotmail.com",
    "hotmail.com.vn",
    "live.com",
    "msn.com",
    "icloud.com",
    "me.com",
    "mac.com",
    "proton.me",
    "protonmail.com",
    "gmx.com",
    "gmx.net",
    "mail.com",
    "mail.ru",
    "bk.ru",
    "list.ru",
    "yandex.com",
    "yandex.ru",
    "qq.com",
    "foxmail.com",
    "163.com",
    "126.com",
    "yeah.net",
    "aol.com",
    "zoho.com",
    "zohomail.com",
    "tutanota.com",
]


@pytest.mark.parametrize("domain", FREE)
def test_free_domains_are_free_whatever_their_mx(policy: Policy, domain: str) -> None:
    for hosts in (None, (), ("mx.example",), ("mail.vnn.vn",)):
        assert policy.providers.classify(domain, hosts) == "free"
    assert policy.providers.is_free_domain(domain.upper())
    assert not policy.providers.is_free_domain(f"mail.{domain}")


def test_no_free_domain_beyond_those(policy: Policy) -> None:
    assert policy.providers.free_domains == set(FREE)
    assert not policy.providers.is_free_domain("vnn.vn")


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("aspmx.l.google.com", "paid-foreign"),
        ("aspmx2.googlemail.com", "paid-foreign"),
        ("smtp.google.com", "paid-foreign"),
        ("notgoogle.com", "unknown"),
        ("google.com.vn", "unknown"),
        ("hotmail-com.olc.protection.outlook.com", "free"),
        ("cty-vn.mail.protection.outlook.com", "paid-foreign"),
        ("cty-vn.p-v1.mx.microsoft", "paid-foreign"),
        ("protection.outlook.com", "unknown"),
        ("mta5.am0.yahoodns.net", "paid-foreign"),
        ("mx01.mail.icloud.com", "paid-foreign"),
        ("mail.protonmail.ch", "paid-foreign"),
        ("mx.zoho.com", "paid-foreign"),
        ("smtpin.zoho.com", "unknown"),
        ("mx.yandex.net", "paid-foreign"),
        ("mx.yandex.ru", "paid-foreign"),
        ("mxs.mail.ru", "paid-foreign"),
        ("mx00.gmx.net", "paid-foreign"),
        ("mxbiz1.qq.com", "paid-foreign"),
        ("hzmx01.mxmail.netease.com", "paid-foreign"),
        ("mxn.mxhichina.com", "unknown"),
        ("mx1.qiye.aliyun.com", "paid-foreign"),
        ("in1-smtp.messagingengine.com", "paid-foreign"),
        ("mail.tutanota.de", "paid-foreign"),
        ("mxa-00.gslb.pphosted.com", "gateway"),
        ("eu-smtp-inbound-1.mimecast.com", "gateway"),
        ("mail.vnn.vn", "domestic"),
        ("mx.fpt.vn", "domestic"),
        ("mx.viettel.com.vn", "domestic"),
        ("mx.vnpt.vn", "domestic"),
        ("mx1.emailserver.vn", "domestic"),
        ("mx.caobang.gov.vn", "domestic"),
        ("mail.cty.vn", "unknown"),
    ],
)
def test_mx_hosts(policy: Policy, host: str, expected: ProviderClass) -> None:
    assert policy.providers.classify("cty.vn", (host,)) == expected
    assert policy.providers.classify("cty.vn", (f"{host.upper()}.",)) == expected
