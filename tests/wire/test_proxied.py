"""The PROXY protocol: the address that a load balancer names is the client's, everywhere."""

from __future__ import annotations

import socket
import struct

from tests.support.messages import plain
from tests.support.relay_node import AN, PASSWORD
from tests.wire.client import Wire, eventually
from tests.wire.conftest import OpenWorld, World

PROXY = "127.0.0.2"
MESSAGE = plain("khach@example.org", AN)
V2 = b"\r\n\r\n\0\r\nQUIT\n"


def v1(client: str = "203.0.113.7", family: str = "TCP4", ours: str = "192.0.2.1") -> bytes:
    return f"PROXY {family} {client} {ours} 56324 25\r\n".encode()


def v2(client: str = "203.0.113.7", *, command: int = 0x21, tail: bytes = b"") -> bytes:
    kind = socket.AF_INET6 if ":" in client else socket.AF_INET
    ours = "2001:db8::1" if ":" in client else "192.0.2.1"
    body = (
        socket.inet_pton(kind, client) + socket.inet_pton(kind, ours) + struct.pack("!HH", 56324, 25) + tail
    )
    return V2 + struct.pack("!BBH", command, 0x21 if ":" in client else 0x11, len(body)) + body


async def opened(open_world: OpenWorld, **smtp: object) -> World:
    return await open_world(smtp={"proxy_networks": [f"{PROXY}/32"], **smtp})


async def through(world: World, header: bytes, kind: str = "mx") -> Wire:
    """A session by way of the proxy, before its greeting is read."""
    wire = await world.connect(kind, greeted=False, source=PROXY, silent=kind == "submissions")
    await wire.send(header)
    return wire


async def test_the_client_is_whom_the_header_names(open_world: OpenWorld) -> None:
    world = await opened(open_world)
    for header, client in (
        (v1(), "203.0.113.7"),
        (v1("2001:db8::7", "TCP6", "2001:db8::1"), "IPv6:2001:db8::7"),
        (b"PROXY UNKNOWN\r\n", PROXY),
        (v2(), "203.0.113.7"),
        (v2("2001:db8::7"), "IPv6:2001:db8::7"),
        (v2("::ffff:203.0.113.7"), "203.0.113.7"),
        (v2(tail=b"\x04\0\x03abc"), "203.0.113.7"),
        (v2(command=0x20), PROXY),
        (V2 + b"\x20\0\0\0", PROXY),
    ):
        wire = await through(world, header + b"EHLO x\r\n")  # what is behind it is not lost
        assert (await wire.reply(plain=True)).code == 220
        assert (await wire.reply(plain=True)).code == 250
        assert (await wire.mail("khach@example.org", AN, message=MESSAGE)).code == 250
        assert f"([{client}])".encode() in await world.leaving(world.offered[-1]), header
        record = (await world.events())[-1]
        assert (record.client, record.helo) == (client.removeprefix("IPv6:"), "x")
        await wire.close()


async def test_on_the_tls_port_the_header_comes_before_the_handshake(open_world: OpenWorld) -> None:
    world = await opened(open_world)
    for header in (v1(), v2()):
        wire = await through(world, header, "submissions")
        await wire.handshake(world.client_tls)
        assert (await wire.reply(plain=True)).code == 220
        await wire.ehlo()
        assert (await wire.sign_in(AN, PASSWORD)).code == 235
        assert (await wire.mail(AN, AN, message=plain(AN, AN))).code == 250
        assert (await world.events())[-1].client == "203.0.113.7"
        assert b"[203.0.113.7]" in await world.leaving(world.offered[-1])


async def test_a_proxy_that_names_nobody_is_closed(open_world: OpenWorld) -> None:
    """Else its own address would open what is its own."""
    world = await opened(open_world)
    refused = (
        b"EHLO client.test\r\n",
        b"PROXY TCP4 203.0.113.7\r\n",
        b"PROXY TCP4 203.0.113.777 192.0.2.1 1 25\r\n",
        b"PROXY TCP4 203.0.113.7 192.0.2.1 1 25 more\r\n",
        b"PROXY TCP4 2001:db8::1 192.0.2.1 1 25\r\n",
        b"PROXY UDP4 203.0.113.7 192.0.2.1 1 25\r\n",
        b"PROXY TCP4 203.0.113.7 192.0.2.1 99999 25\r\n",
        b"PROXY TCP4 " + b"1" * 200 + b"\r\n",
        b"PROXY\r\n",
        b"proxy TCP4 203.0.113.7 192.0.2.1 1 25\r\n",
        V2[:-1] + b"X" + b"\x21\x11\0\x0c" + b"\0" * 12,
        V2 + b"\x11\x11\0\x0c" + b"\0" * 12,
        V2 + b"\x21\x11\0\x04" + b"\0" * 4,
        V2 + b"\x21\x31\0\xd8" + b"\0" * 216,
    )
    for header in refused:
        for kind in ("mx", "submissions"):
            wire = await through(world, header, kind)
            wire.writer.write_eof()
            assert await wire.closed(), header
    await eventually(lambda: world.count("refused_proxy_header") == 2 * len(refused))
    assert world.node.sessions == 0


async def test_a_proxy_that_says_nothing_is_closed_in_time(open_world: OpenWorld) -> None:
    world = await opened(open_world, tls_handshake_timeout_s=0.2)
    for header in (b"", b"PROXY TCP4 203", V2 + b"\x21\x11\xff\xff"):
        assert await (await through(world, header)).closed()
    assert world.count("refused_proxy_header") == 3


async def test_nobody_else_may_speak_it(open_world: OpenWorld) -> None:
    world = await opened(open_world)
    wire = await world.connect("mx", source="127.0.0.3")
    await wire.send(v1())
    assert (await wire.reply()).short == "500 5.5.2"
    assert (await wire.say("EHLO x")).code == 250
    assert (await wire.mail("khach@example.org", AN, message=MESSAGE)).code == 250
    assert b"[127.0.0.3]" in await world.leaving(world.offered[0])


async def test_limits_are_of_the_clients_behind_it(open_world: OpenWorld) -> None:
    world = await opened(open_world, client_session_limit=1)
    first = await through(world, v1("203.0.113.7"))
    assert (await first.reply(plain=True)).code == 220
    assert (await (await through(world, v1("203.0.113.8"))).reply(plain=True)).code == 220
    again = await through(world, v1("203.0.113.7"))
    assert (await again.reply()).short == "421 4.7.0"
    tls = await through(world, v1("203.0.113.9"), "submissions")
    await tls.handshake(world.client_tls)
    assert await (await through(world, v1("203.0.113.9"), "submissions")).closed()


async def test_a_trusted_listener_looks_at_the_client_not_at_the_proxy(open_world: OpenWorld) -> None:
    world = await open_world(smtp={"proxy_networks": [f"{PROXY}/32"]}, networks=("127.0.0.0/8",))
    wire = await through(world, v1(), "trusted")
    assert (await wire.reply()).short == "554 5.7.1"
    assert (await (await through(world, v1("127.0.0.9"), "trusted")).reply(plain=True)).code == 220
