"""Block lists: the names that are asked, and which answers name a client."""

from __future__ import annotations

import pytest

from mailgov.relay.dns import Resolver
from mailgov.relay.dnsbl import listed, reversed_address, shown
from mailgov.settings import DnsblSettings, DnsSettings
from tests.support.dns_server import DnsServer

ZONE, OTHER = "bl.example.net", "v6.bl.example.net"


@pytest.mark.parametrize(
    ("client", "name"),
    [
        ("192.0.2.99", "99.2.0.192"),  # RFC 5782 2.1
        ("::ffff:192.0.2.99", "99.2.0.192"),
        (
            "2001:db8:1:2:3:4:567:89ab",  # RFC 5782 2.4
            "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2",
        ),
        ("fe80::1%eth0", "1." + "0." * 28 + "8.e.f"),
        ("local", None),
        ("", None),
    ],
)
def test_reversed(client: str, name: str | None) -> None:
    assert reversed_address(client) == name


@pytest.mark.parametrize(
    ("answers", "names_it"),
    [
        (["127.0.0.2"], True),
        (["127.0.0.10", "127.0.0.4"], True),
        (["127.255.255.254"], False),
        (["127.255.255.252", "127.0.0.2"], True),
        (["127.0.0.1"], False),
        (["192.0.2.1"], False),  # the zone has a new owner, or its answers are forged
    ],
)
async def test_answers(dns_server: DnsServer, answers: list[str], names_it: bool) -> None:
    dns_server.a(f"99.2.0.192.{ZONE}", *answers)
    assert (await asked(dns_server, "192.0.2.99")) == ((ZONE,) if names_it else ())


async def test_all_zones_and_both_families(dns_server: DnsServer) -> None:
    for zone in (ZONE, OTHER):
        dns_server.a(f"{reversed_address('2001:db8::1')}.{zone}", "127.0.0.2")
    assert await asked(dns_server, "2001:db8::1", zones=[OTHER, ZONE]) == (OTHER, ZONE)
    assert await asked(dns_server, "2001:db8::2", zones=[OTHER, ZONE]) == ()


async def test_a_zone_in_trouble_names_nobody(dns_server: DnsServer) -> None:
    dns_server.a(f"99.2.0.192.{ZONE}", "127.0.0.2")
    dns_server.servfail(f"99.2.0.192.{OTHER}")
    assert await asked(dns_server, "192.0.2.99", zones=[OTHER, ZONE]) == (ZONE,)


async def test_networks_of_ones_own_are_never_looked_up(dns_server: DnsServer) -> None:
    for name in ("1.0.0.127", "7.0.0.10"):
        dns_server.a(f"{name}.{ZONE}", "127.0.0.2")
    assert await asked(dns_server, "127.0.0.1") == ()
    assert await asked(dns_server, "10.0.0.7") == ()
    assert await asked(dns_server, "10.0.0.7", exempt_networks=["10.1.0.0/16"]) == (ZONE,)


def test_a_zone_is_a_domain() -> None:
    assert DnsblSettings(zones=["Zen.Spamhaus.ORG."]).zones == ["zen.spamhaus.org"]
    with pytest.raises(ValueError, match="zones"):
        DnsblSettings(zones=["http://zen"])


async def asked(dns: DnsServer, client: str, **settings: object) -> tuple[str, ...]:
    resolver = Resolver(DnsSettings.model_validate({"nameservers": [dns.address], "timeout_s": 2.0}))
    return await listed(resolver, DnsblSettings.model_validate({"zones": [ZONE], **settings}), client)


def test_a_key_in_a_zones_name_is_told_nobody() -> None:
    assert shown("abcdef0123456789abcdef0123.zen.dq.list.example") == "….zen.dq.list.example"
    assert shown(OTHER) == OTHER
