"""Who is connected, and whether a trusted listener serves them."""

from __future__ import annotations

import asyncio
import socket

import pytest

from mailgov.relay.listener import COMMAND_LENGTHS, address_of, inside


class Peer(asyncio.BaseTransport):
    """A transport that knows its peer's name alone."""

    def __init__(self, peer: object) -> None:
        super().__init__({"peername": peer})


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        (("192.0.2.1", 40000), "192.0.2.1"),
        (("2001:db8::1", 40000, 0, 0), "2001:db8::1"),
        (("::ffff:192.0.2.1", 40000, 0, 0), "192.0.2.1"),
        (("::ffff:c000:201", 40000, 0, 0), "::ffff:c000:201"),
        (None, "local"),
        ("", "local"),
    ],
)
def test_the_address_of_a_client(peer: object, address: str) -> None:
    assert address_of(Peer(peer)) == address


@pytest.mark.parametrize(
    ("address", "served"),
    [
        ("10.1.2.3", True),
        ("11.1.2.3", False),
        ("2001:db8::5", True),
        ("2001:db9::5", False),
        ("fe80::1%eth0", False),
        ("local", False),
        ("", False),
    ],
)
def test_a_trusted_listener_serves_its_networks(address: str, served: bool) -> None:
    assert inside(address, ("10.0.0.0/8", "2001:db8::/32")) is served


async def test_a_socket_of_both_families_knows_its_clients_by_their_own_address() -> None:
    """As with `[::]:25`, here on loopback alone."""
    seen: asyncio.Queue[str] = asyncio.Queue()

    class Door(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            seen.put_nowait(address_of(transport))
            transport.close()

    listening = socket.socket(socket.AF_INET6)
    listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    try:
        listening.bind(("::ffff:127.0.0.1", 0))
    except OSError:
        listening.close()
        pytest.skip("no IPv6 here")
    server = await asyncio.get_running_loop().create_server(Door, sock=listening)
    _, writer = await asyncio.open_connection("127.0.0.1", listening.getsockname()[1])
    async with asyncio.timeout(10):
        assert await seen.get() == "127.0.0.1"
    writer.close()
    server.close()


def test_lengths_of_command_lines() -> None:
    assert (COMMAND_LENGTHS["NOOP"], COMMAND_LENGTHS["MAIL"], COMMAND_LENGTHS["AUTH"]) == (512, 2048, 12_288)
    names = len(COMMAND_LENGTHS)
    for number in range(1000):
        assert COMMAND_LENGTHS[f"X{number}"] == 512
    assert len(COMMAND_LENGTHS) == names, "a stranger's words are not remembered"
