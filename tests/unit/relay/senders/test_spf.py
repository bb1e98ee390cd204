"""SPF's bounds: what a stranger's records may cost."""

from __future__ import annotations

import asyncio
import time
from collections import Counter

import pytest

from mailgov.relay.dns import RecordKind, Records
from mailgov.relay.senders import spf
from mailgov.relay.senders.spf import Client, check_host

CLIENT = Client("192.0.2.1", "a@co.test", "mail.co.test")


class World:
    """Answers by name and kind, with NXDOMAIN otherwise; counts what was asked."""

    def __init__(self, **texts: str) -> None:
        self.known: dict[tuple[str, str], tuple[str, ...]] = {}
        self.asked: Counter[str] = Counter()

    async def lookup(self, name: str, kind: RecordKind) -> Records:
        self.asked[kind] += 1
        values = self.known.get((name.lower(), kind))
        return Records("ok", values) if values else Records("nxdomain")


async def test_the_costliest_record_asks_so_much_and_no_more() -> None:
    world = World()
    world.known["co.test", "TXT"] = ("v=spf1 " + " ".join(f"mx:m{n}.test" for n in range(30)),)
    for n in range(30):
        world.known[f"m{n}.test", "MX"] = tuple(f"h{n}-{m}.test" for m in range(10))
        for m in range(10):
            world.known[f"h{n}-{m}.test", "A"] = ("198.51.100.1",)
    assert (await check_host(CLIENT, world.lookup)).result == "permerror"
    assert world.asked == {"TXT": 1, "MX": 10, "A": 100}


async def test_records_that_include_themselves_end() -> None:
    world = World()
    world.known["co.test", "TXT"] = ("v=spf1 include:co.test redirect=co.test",)
    assert (await check_host(CLIENT, world.lookup)).result == "permerror"
    assert world.asked["TXT"] <= 11


async def test_macros_without_end_cost_no_time() -> None:
    """RFC 7208 7.3 cuts a name that is too long label by label from the left: 2000 macros make 300,000."""
    domain = ".".join("a" * 110) + ".co.test"
    client = Client("192.0.2.1", ".".join("b" * 32) + f"@{domain}", "mail.co.test")
    world = World()
    world.known[domain, "TXT"] = ("v=spf1 exists:" + "%{s}" * 2000 + ".x.test -all",)
    asked: list[str] = []

    async def lookup(name: str, kind: RecordKind) -> Records:
        asked.append(name)
        return await world.lookup(name, kind)

    begun = time.process_time()
    assert (await check_host(client, lookup)).result == "fail"
    assert time.process_time() - begun < 0.5
    # Two octets a label, and the eleven of the end, of at most 253.
    assert asked[-1].endswith(".co.test.x.test")
    assert len(asked[-1]) in (252, 253)


@pytest.mark.parametrize("spare", range(4))
async def test_a_long_name_loses_whole_labels_until_it_fits(spare: int) -> None:
    world = World()
    world.known["co.test", "TXT"] = ("v=spf1 exists:%{l}.ccc." + "a" * (245 - spare) + ".%{d1} -all",)
    asked: list[str] = []

    async def lookup(name: str, kind: RecordKind) -> Records:
        asked.append(name)
        return await world.lookup(name, kind)

    await check_host(Client("192.0.2.1", "bb@co.test", "h"), lookup)
    assert asked[-1] == ("ccc." if spare else "") + "a" * (245 - spare) + ".test"


async def test_a_slow_dns_is_a_temporary_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spf, "TIME_LIMIT_S", 0.05)

    async def never(_name: str, _kind: RecordKind) -> Records:
        await asyncio.Event().wait()
        raise AssertionError

    assert (await check_host(CLIENT, never)).result == "temperror"


@pytest.mark.parametrize(
    "record",
    [
        "v=spf1 a:" + "a-" * 4000 + " -all",
        "v=spf1 a:" + "%{d1}" * 1600,
        "v=spf1 exists:%{" + "d" * 8000 + "}.test",
        "v=spf1 " + "ip4:1.2.3.4 " * 600 + "ip4:1.2.3.4/99",
        "v=spf1 ip4:" + "1" * 8000,
        "v=spf1 exists:%{d" + "9" * 8000 + "}.test",
    ],
)
async def test_monstrous_records_are_read_quickly(record: str) -> None:
    world = World()
    world.known["co.test", "TXT"] = (record[:8192],)
    async with asyncio.timeout(1):
        assert (await check_host(CLIENT, world.lookup)).result in {"permerror", "neutral", "fail"}


async def test_a_sender_with_marks_is_asked_about_as_it_is() -> None:
    world = World()
    world.known["co.test", "TXT"] = ("v=spf1 exists:%{l}.x.test -all",)
    client = Client("2001:db8::1", "nguyễn.văn.a@co.test", "mail.co.test")
    assert (await check_host(client, world.lookup)).result == "fail"
