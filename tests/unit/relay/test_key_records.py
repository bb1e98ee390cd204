"""What the DNS has of a key of ours, in one word: from a DNS server on loopback."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailgov.ops.dkim_files import generate, public_text
from mailgov.relay.dns import Records, Resolver
from mailgov.relay.key_records import Published, judged, look_up
from mailgov.settings import DnsSettings
from mailgov.store.dkim_keys import DkimKeyView
from tests.support.dns_server import DnsServer

RSA = public_text(generate("rsa"))
KEY = DkimKeyView("caobang.gov.vn", "r1", "rsa", RSA, "file", "pending", 0)
NAME = KEY.record_name


def resolver(dns_server: DnsServer) -> Resolver:
    return Resolver(DnsSettings.model_validate({"nameservers": [dns_server.address], "timeout_s": 0.4}))


@pytest.mark.parametrize(
    ("texts", "standing", "detail"),
    [
        ([KEY.record], "published", ""),
        ([f"p={RSA}"], "published", ""),
        ([f"v=DKIM1;k=rsa; h=sha256:sha1; s=email; t=s; n=x; p={RSA[:100]} {RSA[100:]}"], "published", ""),
        ([], "missing", "no TXT record"),
        ([f"v=DKIM1; k=rsa; p={RSA[:200]}"], "different", "cut short: 200 of 392"),
        ([f"v=DKIM1; k=rsa; p={public_text(generate('rsa'))}"], "different", "another key's"),
        (["v=DKIM1; k=rsa; p="], "revoked", "empty"),
        (["v=DKIM1; k=rsa; p=  "], "revoked", "empty"),
        ([f"v=DKIM1; k=rsa; t=y:s; p={RSA}"], "testing", "t=y"),
        ([f"v=DKIM1; k=ed25519; p={RSA}"], "unusable", "k= must be rsa"),
        ([f"v=DKIM1; k=rsa; h=sha1; p={RSA}"], "unusable", "h="),
        ([f"v=DKIM1; k=rsa; s=other; p={RSA}"], "unusable", "s="),
        ([f"k=rsa; v=DKIM1; p={RSA}"], "unusable", "v="),
        ([f"v=DKIM2; p={RSA}"], "unusable", "v="),
        (["v=DKIM1; k=rsa"], "unusable", "p= is missing"),
        (["\x1b[31mnonsense"], "unusable", "not a list of tags"),
        ([KEY.record, "v=DKIM1; p=AAAA"], "several", "2 TXT records"),
    ],
)
async def test_each_fault_has_a_word(
    dns_server: DnsServer, texts: list[str], standing: str, detail: str
) -> None:
    dns_server.forget(NAME)
    if texts:
        dns_server.txt(NAME, *texts)
    found = await look_up(resolver(dns_server), KEY)
    assert found.standing == standing
    assert detail in found.detail
    assert found.detail.isprintable()
    assert (found.good, found.bad) == (standing == "published", standing != "published")


@given(st.lists(st.text(st.characters(max_codepoint=255), max_size=300), max_size=3))
def test_whatever_the_zone_says_has_a_word_and_nothing_of_it_is_repeated(texts: list[str]) -> None:
    found = judged(Records("ok" if texts else "none", tuple(texts)), "rsa", RSA)
    assert found.bad
    assert found.detail.isprintable()


async def test_an_alias_is_followed_and_told(dns_server: DnsServer) -> None:
    dns_server.cname(NAME, "r1.keys.provider.test")
    assert (await look_up(resolver(dns_server), KEY)).standing == "missing"
    dns_server.txt("r1.keys.provider.test", KEY.record)
    found = await look_up(resolver(dns_server), KEY)
    assert found == Published("published", "by CNAME to r1.keys.provider.test")


@pytest.mark.parametrize("fault", ["servfail", "silence", "refuse"])
async def test_a_dns_that_does_not_answer_says_nothing_about_the_key(
    dns_server: DnsServer, fault: str
) -> None:
    getattr(dns_server, fault)(NAME)
    found = await look_up(resolver(dns_server), KEY)
    assert (found.standing, found.good, found.bad) == ("unknown", False, False)


async def test_a_cut_answer_is_asked_for_again_over_tcp(dns_server: DnsServer) -> None:
    dns_server.txt(NAME, KEY.record)
    dns_server.truncate(NAME)
    assert (await look_up(resolver(dns_server), KEY)).good
