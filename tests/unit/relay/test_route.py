"""Lanes and hops: which way mail goes, and which way no DNS may send it."""

from __future__ import annotations

from typing import Any

import pytest

from mailgov.mail.reply import MailError, Reply
from mailgov.relay import route
from mailgov.relay.dns import Resolver
from mailgov.relay.route import Hop, Lane, Manner, RouteError, Router
from mailgov.settings import DeliverySettings, DnsSettings
from tests.support.dns_server import DnsServer
from tests.support.relay_node import HOSTNAME

PUBLIC, PUBLIC6 = "1.1.1.1", "2606:4700:4700::1111"


def router(dns_server: DnsServer, **delivery: Any) -> Router:
    dns = DnsSettings.model_validate({"nameservers": [dns_server.address], "timeout_s": 1.0})
    return Router(DeliverySettings.model_validate(delivery), Resolver(dns), HOSTNAME)


async def refusal(router: Router, domain: str) -> Reply:
    with pytest.raises(MailError) as caught:
        await router.hops(Lane("mx", domain))
    return caught.value.reply


# Lanes


@pytest.mark.parametrize(
    ("delivery", "destination", "lane"),
    [
        ({}, "annv@caobang.gov.vn", Lane("maildir", "annv@caobang.gov.vn")),
        ({}, "example.org", Lane("mx", "example.org")),
        ({"smarthost": "relay.vn:2525"}, "example.org", Lane("smtp", "relay.vn:2525")),
        ({"smarthost": "relay.vn:2525"}, "annv@caobang.gov.vn", Lane("maildir", "annv@caobang.gov.vn")),
        ({"routes": {"example.org": "smtp:127.0.0.1:26"}}, "example.org", Lane("smtp", "127.0.0.1:26")),
        ({"routes": {"Example.ORG": "smtp:127.0.0.1:26"}}, "example.org", Lane("smtp", "127.0.0.1:26")),
        ({"routes": {"example.org": "smtp:127.0.0.1:26"}}, "sub.example.org", Lane("mx", "sub.example.org")),
        ({"routes": {"*": "smtp:a.vn:25"}, "smarthost": "b.vn:25"}, "example.org", Lane("smtp", "a.vn:25")),
        (
            {"routes": {"*": "smtp:a.vn:25", "x.vn": "smtp:[::1]:26"}},
            "x.vn",
            Lane("smtp", "[::1]:26"),
        ),
        ({"smarthost": "smtps:relay.vn:465"}, "example.org", Lane("smtps", "relay.vn:465")),
        ({"routes": {"example.org": "lmtp:/run/lmtp"}}, "example.org", Lane("lmtp", "/run/lmtp")),
        ({"routes": {"caobang.gov.vn": "lmtp:a.vn:24"}}, "annv@caobang.gov.vn", Lane("lmtp", "a.vn:24")),
        ({"routes": {"*": "smtp:a.vn:25"}}, "annv@caobang.gov.vn", Lane("maildir", "annv@caobang.gov.vn")),
    ],
)
def test_the_narrowest_route_wins(
    dns_server: DnsServer, delivery: dict[str, Any], destination: str, lane: Lane
) -> None:
    assert router(dns_server, **delivery).lane(destination) == lane


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1:26",
        "smtp:127.0.0.1",
        "smtp:",
        "smtp:a:99999",
        "lmtp:",
        "lmtp:store",
        "lmtps:a:1",
        "smtp:/run/x",
        "",
    ],
)
def test_a_route_that_is_none_says_which(dns_server: DnsServer, text: str) -> None:
    with pytest.raises(RouteError, match=r"example\.org"):
        router(dns_server, routes={"example.org": text})


async def test_a_sockets_path_is_told_nobody(dns_server: DnsServer) -> None:
    """`host` stands in reports, which go to strangers too (RFC 3464 2.3.5 asks for a name besides)."""
    made = router(dns_server, routes={"example.org": "lmtp:/run/dovecot/lmtp"})
    (hop,) = (await made.hops(made.lane("example.org"))).hops
    assert (hop.host, hop.address, hop.unix) == ("localhost", "/run/dovecot/lmtp", True)


async def test_a_login_goes_with_its_smarthost_or_route_and_with_no_other(dns_server: DnsServer) -> None:
    dns_server.a("relay.vn", PUBLIC)
    login = {"at": "relay.vn:587", "user": "tinh", "password_file": "/secret"}
    made = router(dns_server, smarthost="relay.vn:587", routes={"x.vn": "smtp:relay.vn:25"}, logins=[login])
    (hop,) = (await made.hops(made.lane("example.org"))).hops
    assert hop.manner.login is not None
    assert hop.manner.login.user == "tinh"
    (hop,) = (await made.hops(made.lane("x.vn"))).hops
    assert hop.manner == Manner()
    with pytest.raises(RouteError, match=r"key delivery\.logins: relay\.vn:587: neither"):
        router(dns_server, smarthost="relay.vn:25", logins=[login])


# By MX


async def test_exchangers_in_the_order_of_their_preference(dns_server: DnsServer) -> None:
    dns_server.add(
        "example.org", "MX", "20 second.example.org.", "10 First.Example.org.", "30 third.example.org."
    )
    dns_server.a("first.example.org", PUBLIC, PUBLIC6)
    dns_server.a("second.example.org", "8.8.8.8")
    found = await router(dns_server).hops(Lane("mx", "example.org"))
    assert found.mx_hosts == ("first.example.org", "second.example.org", "third.example.org")
    assert found.hops == (
        Hop("first.example.org", PUBLIC, 25),
        Hop("first.example.org", PUBLIC6, 25),
        Hop("second.example.org", "8.8.8.8", 25),
    )


async def test_without_mx_the_domain_itself(dns_server: DnsServer) -> None:
    dns_server.a("example.org", PUBLIC)
    found = await router(dns_server, mx_port=2600).hops(Lane("mx", "example.org"))
    assert found.hops == (Hop("example.org", PUBLIC, 2600),)


async def test_the_null_mx_takes_no_mail(dns_server: DnsServer) -> None:
    dns_server.mx("example.org")
    dns_server.a("example.org", PUBLIC)
    assert await refusal(router(dns_server), "example.org") == Reply(556, "5.1.10", route.NULL_MX.text)


async def test_no_such_domain(dns_server: DnsServer) -> None:
    assert await refusal(router(dns_server), "nowhere.example") is route.NO_DOMAIN


async def test_exchangers_without_an_address(dns_server: DnsServer) -> None:
    dns_server.mx("example.org", "gone.example.org")
    assert await refusal(router(dns_server), "example.org") is route.NO_HOST


async def test_what_the_dns_does_not_answer_waits(dns_server: DnsServer) -> None:
    dns_server.servfail("broken.example")
    assert await refusal(router(dns_server), "broken.example") is route.DNS_TROUBLE
    dns_server.mx("half.example", "gone.half.example", "broken.half.example")
    dns_server.servfail("broken.half.example")
    assert await refusal(router(dns_server), "half.example") is route.DNS_TROUBLE, "one of them may be good"


async def test_one_good_exchanger_is_enough(dns_server: DnsServer) -> None:
    dns_server.mx("example.org", "broken.example.org", "private.example.org", "good.example.org")
    dns_server.servfail("broken.example.org")
    dns_server.a("private.example.org", "10.1.2.3")
    dns_server.a("good.example.org", PUBLIC)
    found = await router(dns_server).hops(Lane("mx", "example.org"))
    assert found.hops == (Hop("good.example.org", PUBLIC, 25),)


async def test_only_exchangers_preferred_to_ourselves(dns_server: DnsServer) -> None:
    dns_server.mx("example.org", "first.example.org", HOSTNAME.upper(), "backup.example.org")
    for host in ("first.example.org", HOSTNAME, "backup.example.org"):
        dns_server.a(host, PUBLIC)
    found = await router(dns_server).hops(Lane("mx", "example.org"))
    assert [hop.host for hop in found.hops] == ["first.example.org"]
    assert found.mx_hosts is not None
    assert HOSTNAME in found.mx_hosts, "the policy sees them all"


async def test_mail_that_would_come_back_to_us(dns_server: DnsServer) -> None:
    dns_server.mx("example.org", HOSTNAME, "backup.example.org")
    dns_server.a("backup.example.org", PUBLIC)
    assert await refusal(router(dns_server), "example.org") is route.LOOPS_BACK


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.1.1", "100.64.0.1", "0.0.0.0",
        "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
        "2001:db8::1",
    ],
)  # fmt: skip
async def test_no_dns_sends_us_into_our_own_network(dns_server: DnsServer, address: str) -> None:
    dns_server.mx("example.org", "mx.example.org")
    dns_server.a("mx.example.org", address)
    assert await refusal(router(dns_server), "example.org") is route.FORBIDDEN
    dns_server.a("direct.example", address)
    assert await refusal(router(dns_server), "direct.example") is route.FORBIDDEN


async def test_equal_exchangers_are_drawn_by_chance_and_those_equal_to_us_are_left(
    dns_server: DnsServer,
) -> None:
    """RFC 5321 5.1: the load is spread, and mail does not circle among equals."""
    dns_server.add("example.org", "MX", "10 a.mx.example.", "10 b.mx.example.", "5 first.mx.example.")
    for host in ("a", "b", "first"):
        dns_server.a(f"{host}.mx.example", PUBLIC)
    dns = DnsSettings.model_validate({"nameservers": [dns_server.address]})
    seen = []
    for shuffle in (list.sort, list.reverse):
        made = Router(DeliverySettings(), Resolver(dns), HOSTNAME, shuffle=shuffle)
        seen.append([hop.host[0] for hop in (await made.hops(Lane("mx", "example.org"))).hops])
    assert seen == [["f", "a", "b"], ["f", "b", "a"]]
    made = Router(DeliverySettings(), Resolver(dns), "b.mx.example", shuffle=list.sort)
    assert [hop.host[0] for hop in (await made.hops(Lane("mx", "example.org"))).hops] == ["f"]


async def test_an_exchanger_at_our_own_address_is_ourselves_whatever_its_name(dns_server: DnsServer) -> None:
    dns_server.mx("example.org", "alias.example.org", "backup.example.org")
    dns_server.a("alias.example.org", "127.0.0.1")
    dns_server.a("backup.example.org", PUBLIC)
    dns = DnsSettings.model_validate({"nameservers": [dns_server.address]})
    settings = DeliverySettings(allow_networks=["127.0.0.0/8"], mx_port=2525)
    own = Router(settings, Resolver(dns), HOSTNAME, own_ports=[2525])
    assert await refusal(own, "example.org") is route.LOOPS_BACK
    dns_server.mx("other.example", "first.other.example", "alias.example.org", "backup.example.org")
    dns_server.a("first.other.example", PUBLIC)
    found = await own.hops(Lane("mx", "other.example"))
    assert [hop.host for hop in found.hops] == ["first.other.example"]
    elsewhere = Router(settings, Resolver(dns), HOSTNAME, own_ports=[2526])
    assert (await elsewhere.hops(Lane("mx", "example.org"))).hops[0].host == "alias.example.org"


async def test_an_alias_leads_to_its_host(dns_server: DnsServer) -> None:
    """RFC 5321 5.1 forbids an MX that is a CNAME; senders follow it all the same."""
    dns_server.mx("example.org", "alias.example.org")
    dns_server.add("alias.example.org", "CNAME", "host.example.org.")
    dns_server.a("host.example.org", PUBLIC)
    found = await router(dns_server).hops(Lane("mx", "example.org"))
    assert [(hop.host, hop.address) for hop in found.hops] == [("alias.example.org", PUBLIC)]


async def test_both_families_in_turn_and_who_was_away_last(dns_server: DnsServer) -> None:
    dns_server.mx("example.org", "mx.example.org")
    dns_server.a("mx.example.org", "1.1.1.1", "1.1.1.2", PUBLIC6, "2606:4700:4700::1001")
    made = router(dns_server)
    first = (await made.hops(Lane("mx", "example.org"))).hops
    assert [":" in hop.address for hop in first] == [False, True, False, True]
    assert first[0].reach is not None
    first[0].reach.failed(first[0].address)
    again = (await made.hops(Lane("mx", "example.org"))).hops
    assert [hop.address for hop in again] == [hop.address for hop in (*first[1:], first[0])]


async def test_allow_networks_opens_what_it_names(dns_server: DnsServer) -> None:
    dns_server.a("mx.example.org", "127.0.0.1", "10.0.0.1", "::1")
    dns_server.mx("example.org", "mx.example.org")
    allowing = router(dns_server, allow_networks=["127.0.0.0/8"])
    found = await allowing.hops(Lane("mx", "example.org"))
    assert [hop.address for hop in found.hops] == ["127.0.0.1"]


@pytest.mark.parametrize("literal", ["127.0.0.1", "1.1.1.1", "[1.1.1.1]"])
async def test_an_mx_that_is_an_address_is_no_exchanger(dns_server: DnsServer, literal: str) -> None:
    """RFC 5321 5.1: it names a host; nothing is connected to on its word alone."""
    dns_server.mx("example.org", literal)
    assert await refusal(router(dns_server), "example.org") is route.NO_HOST


@pytest.mark.parametrize(
    "domain", ["[127.0.0.1]", "[IPv6:::1]", "127.0.0.1", "a..b", f"{'x' * 64}.org", "ví-dụ.vn"]
)
async def test_odd_domains_fail_for_good_and_raise_nothing_else(dns_server: DnsServer, domain: str) -> None:
    assert (await refusal(router(dns_server), domain)).code == 550


async def test_an_idn_domain_is_asked_for_in_its_ascii_form(dns_server: DnsServer) -> None:
    dns_server.mx("xn--v-d-rma6749a.vn", "mx.example.org")
    dns_server.a("mx.example.org", PUBLIC)
    for spelt in ("ví-dụ.vn", "VÍ-DỤ。vn"):
        assert (await router(dns_server).hops(Lane("mx", spelt))).hops


# Configured


async def test_a_configured_route_may_lead_anywhere(dns_server: DnsServer) -> None:
    found = await router(dns_server).hops(Lane("smtp", "10.9.8.7:2525"))
    assert (found.hops, found.mx_hosts) == ((Hop("10.9.8.7", "10.9.8.7", 2525),), None)
    dns_server.a("inside.vn", "192.168.0.5", "::1")
    found = await router(dns_server).hops(Lane("smtp", "inside.vn:26"))
    assert [(hop.host, hop.address) for hop in found.hops] == [
        ("inside.vn", "192.168.0.5"),
        ("inside.vn", "::1"),
    ]
    found = await router(dns_server).hops(Lane("smtp", "[::1]:26"))
    assert found.hops == (Hop("::1", "::1", 26),)


async def test_a_configured_host_that_does_not_resolve(dns_server: DnsServer) -> None:
    with pytest.raises(MailError) as caught:
        await router(dns_server).hops(Lane("smtp", "gone.vn:25"))
    assert caught.value.reply is route.NO_HOST
    dns_server.servfail("broken.vn")
    with pytest.raises(MailError) as caught:
        await router(dns_server).hops(Lane("smtp", "broken.vn:25"))
    assert caught.value.reply is route.DNS_TROUBLE


async def test_a_flood_of_exchangers_is_bounded(dns_server: DnsServer) -> None:
    dns_server.mx("example.org", *(f"mx{number}.example.org" for number in range(40)))
    for number in range(40):
        dns_server.a(f"mx{number}.example.org", *(f"1.1.{number}.{last}" for last in range(1, 20)))
    found = await router(dns_server).hops(Lane("mx", "example.org"))
    assert len(found.hops) == route.HOPS_LIMIT
    assert len({hop.host for hop in found.hops}) > 1
