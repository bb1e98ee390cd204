"""What the checks of who writes in are told by the DNS."""

from __future__ import annotations

import asyncio

import pytest

from mailgov.relay.dns import RecordKind, Records, Resolver
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
