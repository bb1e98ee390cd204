"""What the checks of who writes in are told by the DNS."""

from __future__ import annotations

import asyncio

import pytest

from mailgov.relay import dns
from mailgov.relay.dns import LOOKUPS_AT_ONCE, SHARE_AT_ONCE, MxAnswer, RecordKind, Records, Resolver
from mailgov.settings import DnsSettings
from tests.support.dns_server import DnsServer


def resolver(dns_server: DnsServer, timeout_s: float = 2.0) -> Resolver:
    return Resolver(DnsSettings.model_validate({"nameservers": [dns_server.address], "timeout_s": timeout_s}))


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        ("TXT", ('"v=spf1 " "-all"', '"\\128"'), ("v=spf1 -all", "\x80")),
        ("MX", ("20 b.test.", "10 a.test."), ("a.test", "b.test")),
        ("A", ("192.0.2.1",), ("192.0.2.1",)),
        ("AAAA", ("2001:db8::1",), ("2001:db8::1",)),
        ("PTR", ("a.test.",), ("a.test",)),
    ],
)
async def test_what_is_there(
    dns_server: DnsServer, kind: RecordKind, values: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    dns_server.add("_x.co.test", kind, *values)
    ask = resolver(dns_server)
    assert sorted((await ask.records("_x.co.test.", kind)).values) == sorted(expected)
    assert (await ask.records("_x.co.test", kind)).status == "ok"
    assert dns_server.asked("_x.co.test", kind) == 1, "the second time from the cache"


async def test_none_no_name_and_trouble_are_told_apart(dns_server: DnsServer) -> None:
    dns_server.a("a.test", "192.0.2.1")
    dns_server.servfail("broken.test")
    ask = resolver(dns_server)
    assert await ask.records("a.test", "TXT") == Records("none")
    assert await ask.records("nobody.test", "TXT") == Records("nxdomain")
    assert await ask.records("broken.test", "TXT") == Records("temporary")


@pytest.mark.parametrize("name", ["a..test", "x" * 64 + ".test", "t.est\\", "số.test", "", "a." * 200])
async def test_what_is_no_name_is_not_there(dns_server: DnsServer, name: str) -> None:
    assert (await resolver(dns_server).records(name, "TXT")).status == "nxdomain"


async def test_silence_is_temporary_and_bounded(dns_server: DnsServer) -> None:
    dns_server.silence("slow.test")
    ask = resolver(dns_server, timeout_s=0.2)
    async with asyncio.timeout(5):
        answers = await asyncio.gather(*(ask.records("slow.test", "TXT") for _ in range(300)))
    assert {answer.status for answer in answers} == {"temporary"}


async def test_strangers_questions_are_bounded_and_take_no_place_of_our_own(
    dns_server: DnsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = 64  # a burst of as many as there are in earnest would overflow the test server's socket
    monkeypatch.setattr(dns, "LOOKUPS_AT_ONCE", places)
    dns_server.mx("co.test", "mx.co.test")
    dns_server.a("mx.co.test", "192.0.2.1")
    many = [f"{number}.slow.test" for number in range(places // 2 + 30)]
    for name in many:
        dns_server.silence(name)
    ask = resolver(dns_server, timeout_s=1.0)
    under_way: list[asyncio.Future[Records | MxAnswer]] = [
        asyncio.ensure_future(asked)
        for name in many
        for asked in (ask.records(name, "TXT", asker=name), ask.mx(name, stranger=True))
    ]
    await asyncio.sleep(0)
    assert (await ask.mx("co.test")).hosts == ("mx.co.test",)
    assert (await ask.addresses("mx.co.test")).addresses == ("192.0.2.1",)
    assert not any(one.done() for one in under_way), "all of that went by them"
    assert len(dns_server.questions) <= places + 3
    assert {one.status for one in await asyncio.gather(*under_way)} == {"temporary"}


async def test_who_makes_names_that_never_answer_keeps_nobody_else_waiting(dns_server: DnsServer) -> None:
    """One message may have 25 keys asked for: twenty from one network took every place there is."""
    dns_server.txt("co.test", "v=spf1 -all")
    many = [f"{number}.slow.test" for number in range(LOOKUPS_AT_ONCE + 30)]
    for name in many:
        dns_server.silence(name)
    ask = resolver(dns_server, timeout_s=1.0)
    under_way = [asyncio.ensure_future(ask.records(name, "TXT", asker="192.0.2.0/24")) for name in many]
    await asyncio.sleep(0.1)
    assert len(dns_server.questions) <= SHARE_AT_ONCE
    assert (await ask.asked_by("198.51.100.0/24")("co.test", "TXT")).values == ("v=spf1 -all",)
    assert not any(one.done() for one in under_way), "all of that went by them"
    assert {one.status for one in await asyncio.gather(*under_way)} == {"temporary"}
