"""What a stranger's DNS server answers costs little to read, whatever is in it."""

from __future__ import annotations

import bisect
import random
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import dns.exception
import dns.flags
import dns.message
import dns.resolver
import dns.rrset
import pytest

from mailgov.relay.dns import Records, Resolver
from mailgov.relay.dns_answers import TooCostly, read
from mailgov.settings import DnsSettings
from tests.support.dns_server import DnsServer, Raw

CALLS = 200_000
"""Calls that one answer may cost the loop; the bomb below once cost tens of millions."""
LONG = b"\x01a" * 126 + b"\0"
ASKED = b"\xc0\x0c"
A, CNAME, SOA, PTR, MX, TXT, AAAA, NSEC = 1, 5, 6, 12, 15, 16, 28, 47

Body = Callable[[int, int], list[bytes]]
"""From the place of the first record in the message, and a number, to that many records or so."""


def record(kind: int, owner: bytes, data: bytes) -> bytes:
    return owner + struct.pack("!HHIH", kind, 1, 60, len(data)) + data


def number(i: int) -> bytes:
    return struct.pack("!H", i)


def reply(question: bytes, records: list[bytes], section: int = 0, flags: int = 0x8400) -> bytes:
    counts = [len(records) if i == section else 0 for i in range(3)]
    return question[:2] + struct.pack("!HHHHH", flags, 1, *counts) + question[12:] + b"".join(records)


def over_tcp(records: Callable[[int], list[bytes]], section: int = 0) -> Raw:
    """TC alone over UDP; the records, made for the place of the first of them, over TCP."""
    return lambda question, tcp: (
        reply(question, records(len(question)), section) if tcp else reply(question, [], flags=0x8600)
    )


def pointed(kind: int, count: int) -> Callable[[int], list[bytes]]:
    """Records whose names all are pointers to one of 127 labels."""

    def records(place: int) -> list[bytes]:
        to = number(0xC000 | place)
        data = [number(i) + to if kind == MX else to for i in range(count)]
        return [record(2, LONG, number(0xC000 | place)), *(record(kind, to, octets) for octets in data)]

    return records


@contextmanager
def counted_calls() -> Iterator[list[int]]:
    """How many functions this thread calls meanwhile: the same on every machine."""
    calls = [0]

    def count(_frame: FrameType, event: str, _argument: Any) -> None:
        if event in ("call", "c_call"):
            calls[0] += 1

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        yield calls
    finally:
        sys.setprofile(before)


def resolver(dns_server: DnsServer, timeout_s: float = 2.0) -> Resolver:
    return Resolver(DnsSettings.model_validate({"nameservers": [dns_server.address], "timeout_s": timeout_s}))


@pytest.mark.parametrize("section", [0, 1])
async def test_64_kb_of_pointers_to_a_long_name_are_temporary_and_cheap(
    dns_server: DnsServer, section: int
) -> None:
    dns_server.raw("bomb.test", over_tcp(pointed(MX, 4000), section))
    ask = resolver(dns_server)
    with counted_calls() as calls:
        assert await ask.records("bomb.test", "MX") == Records("temporary")
        assert (await ask.mx("bomb.test")).status == "temporary"
        assert (await ask.addresses("bomb.test")).temporary
    assert calls[0] < CALLS


async def test_what_is_additional_is_not_read(dns_server: DnsServer) -> None:
    def answer(question: bytes, _tcp: bool) -> bytes:
        own, more = [record(A, ASKED, b"\x7f\0\0\1")], pointed(MX, 300)(len(question) + 16)
        wire = bytearray(reply(question, own + more))
        struct.pack_into("!HHH", wire, 6, 1, 0, len(more))
        return bytes(wire)

    dns_server.raw("x.test", answer)
    with counted_calls() as calls:
        assert await resolver(dns_server).records("x.test", "A") == Records("ok", ("127.0.0.1",))
    assert calls[0] < CALLS


async def test_a_datagram_is_weighed_too(dns_server: DnsServer) -> None:
    dns_server.raw("x.test", lambda question, _: reply(question, pointed(MX, 250)(len(question))))
    with counted_calls() as calls:
        assert await resolver(dns_server).records("x.test", "MX") == Records("temporary")
    assert calls[0] < CALLS
    assert dns_server.asked("x.test", "MX") == 1, "and it is not asked for again at once"


async def test_too_many_octets_are_temporary(dns_server: DnsServer) -> None:
    dns_server.txt("full.test", *(f"{i:03d}" + "x" * 200 for i in range(100)))
    assert await resolver(dns_server).records("full.test", "TXT") == Records("temporary")


async def test_full_answers_of_everyday_are_read(dns_server: DnsServer) -> None:
    texts = [f"{i:03d}-site-verification=" + "x" * 60 for i in range(99)] + ["v=spf1 -all"]
    dns_server.txt("province.gov.vn", *texts)
    dns_server.mx("province.gov.vn", *(f"mx{i}.mail.province.gov.vn" for i in range(30)))
    dns_server.txt("key.test", "v=DKIM1; p=" + "A" * 1400)
    dns_server.cname("s1._domainkey.co.test", "hosted.test")
    dns_server.cname("hosted.test", "key.test")
    dns_server.add("1.2.0.192.in-addr.arpa", "PTR", *(f"host{i}.province.gov.vn." for i in range(60)))
    ask = resolver(dns_server)
    assert sorted((await ask.records("province.gov.vn", "TXT")).values) == texts
    assert len((await ask.records("province.gov.vn", "MX")).values) == 30
    assert len((await ask.records("1.2.0.192.in-addr.arpa", "PTR")).values) == 60
    assert len((await ask.records("s1._domainkey.co.test", "TXT")).values[0]) == 1411


@pytest.mark.parametrize("cut", [1, 2, 20, 40])
async def test_a_stream_that_ends_early_is_temporary(dns_server: DnsServer, cut: int) -> None:
    def answer(question: bytes, tcp: bool) -> bytes:
        return (
            reply(question, [record(A, ASKED, b"\x7f\0\0\1")])[:-cut]
            if tcp
            else reply(question, [], 0, 0x8600)
        )

    dns_server.raw("x.test", answer)
    assert await resolver(dns_server).records("x.test", "A") == Records("temporary")


async def test_an_answer_that_is_cut_over_tcp_too_is_temporary(dns_server: DnsServer) -> None:
    dns_server.raw("x.test", lambda question, _: reply(question, [], flags=0x8600))
    assert await resolver(dns_server).records("x.test", "A") == Records("temporary")


ALTERATIONS: list[Callable[[bytes], bytes]] = [
    lambda wire: bytes([wire[0] ^ 1]) + wire[1:],
    lambda wire: wire[:2] + b"\x04" + wire[3:],
    lambda wire: wire[:2] + b"\xa4" + wire[3:],
    lambda wire: wire.replace(b"\x01x\x04test", b"\x01y\x04test"),
    lambda wire: wire[:5] + b"\0" + wire[6:12] + wire[24:],
    lambda wire: wire[:11],
]


@pytest.mark.parametrize("altered", ALTERATIONS)
@pytest.mark.parametrize("tcp", [False, True])
async def test_what_answers_another_question_is_none(
    dns_server: DnsServer, altered: Callable[[bytes], bytes], tcp: bool
) -> None:
    """Another number, a question, another operation, another name, no question, no header."""

    def answer(question: bytes, over_tcp: bool) -> bytes:
        if tcp and not over_tcp:
            return reply(question, [], flags=0x8600)
        return altered(reply(question, [record(A, ASKED, b"\x7f\0\0\1")]))

    dns_server.raw("x.test", answer)
    assert await resolver(dns_server, 0.15).records("x.test", "A") == Records("temporary")


def alike(i: int) -> bytes:
    """Names whose hashes in dnspython are one, for each `i` under 16."""
    return b"".join(b"\2b\0" if i >> k & 1 else b"\2a\x09" for k in range(4)) + LONG[-201:]


FULL: list[tuple[str, Body]] = [
    ("MX", lambda place, n: pointed(MX, n)(place)),
    ("PTR", lambda place, n: pointed(PTR, n)(place)),
    ("TXT", lambda place, n: pointed(MX, n)(place)),
    ("A", lambda _, n: [record(A, ASKED, b"\1\2" + number(i)) for i in range(n)]),
    ("AAAA", lambda _, n: [record(AAAA, ASKED, b"\1\2" * 7 + number(i)) for i in range(n)]),
    ("TXT", lambda _, n: [record(TXT, ASKED, b"\2" + number(i)) for i in range(n)]),
    ("TXT", lambda _, n: [record(TXT, ASKED, b"\0" * 40 * n)]),
    *(
        (
            "MX",
            lambda _, n, labels=labels: [
                record(MX, ASKED, number(i) + LONG[-2 * labels - 1 :]) for i in range(n)
            ],
        )
        for labels in (5, 20, 60)
    ),
    ("A", lambda _, n: [record(SOA, ASKED, LONG + ASKED + number(i) * 10) for i in range(n)]),
    ("A", lambda _, n: [record(NSEC, alike(i % 11), b"\1\2" * 9) for i in range(n)]),
    (
        "A",
        lambda _, n: [
            record(CNAME, ASKED, b"\1a\0"),
            *(record(A, b"\1a\0", number(i) * 2) for i in range(n)),
        ],
    ),
]


@pytest.mark.parametrize(("kind", "body"), FULL)
def test_the_costliest_that_passes_is_cheap(kind: str, body: Body) -> None:
    request = dns.message.make_query("x.test", kind)
    question = request.to_wire()

    def passes(count: int) -> bool:
        try:
            return read(request, reply(question, body(len(question), count))) is not None
        except TooCostly:
            return False

    most = bisect.bisect_left(range(1, 400), True, key=lambda count: not passes(count))
    assert 0 < most < 398
    wire = reply(question, body(len(question), most))
    asked = request.question[0]
    with counted_calls() as calls:
        answer = read(request, wire)
        assert isinstance(answer, dns.message.QueryMessage)
        dns.resolver.Answer(asked.name, asked.rdtype, asked.rdclass, answer)
    assert calls[0] < CALLS


def test_too_many_owners_are_too_costly() -> None:
    request = dns.message.make_query("x.test", "A")
    owners = [record(A, b"\2" + number(i) + b"\0", b"\1\2\3\4") for i in range(13)]
    with pytest.raises(TooCostly):
        read(request, reply(request.to_wire(), owners))


def test_any_octets_are_an_answer_no_answer_or_a_fault_of_form() -> None:
    source = random.Random(5)
    request = dns.message.make_query("x.test", "MX")
    rrs = [
        record(MX, ASKED, b"\0\1\1m" + ASKED),
        record(CNAME, b"\1c" + ASKED, ASKED),
        record(TXT, ASKED, b"\1a"),
    ]
    whole = reply(request.to_wire(), rrs)
    for _ in range(3000):
        wire = bytearray(whole)
        for _ in range(source.randint(1, 4)):
            wire[source.randrange(2, len(wire))] = source.choice((0, 1, 12, 63, 64, 0xC0, 0xFF))
        try:
            read(request, bytes(wire[: source.choice((len(wire), source.randrange(len(wire))))]))
        except (dns.message.Truncated, dns.exception.FormError):
            continue
