"""What other programs' clients say must not become mail: a page makes browsers talk to whom it likes."""

from __future__ import annotations

import ssl

import pytest

from tests.support.messages import plain
from tests.support.relay_node import AN, SCANNER
from tests.wire.client import stuffed
from tests.wire.conftest import World

SESSION = (
    f"EHLO x\r\nMAIL FROM:<{SCANNER}>\r\nRCPT TO:<{AN}>\r\nDATA\r\n".encode()
    + stuffed(plain(SCANNER, AN))
    + b"QUIT\r\n"
)
HEADERS = b"Host: 10.0.0.5:2526\r\nContent-Type: text/plain\r\nOrigin: https://evil.example\r\n\r\n"


@pytest.mark.parametrize(
    ("kind", "request_line"),
    [
        ("trusted", b"POST / HTTP/1.1"),
        ("mx", b"GET /?x HTTP/1.1"),
        ("submissions", b"PUT / HTTP/1.1"),
        ("submission", b"post / HTTP/1.1"),
        ("trusted", b"PRI * HTTP/2.0"),
    ],
)
async def test_a_web_request_ends_the_session(world: World, kind: str, request_line: bytes) -> None:
    wire = await world.connect(kind)
    await wire.send(request_line + b"\r\n" + HEADERS + SESSION)
    assert [said.short for said in await wire.to_the_end()] == ["421 4.7.0"]
    assert world.offered == []
    assert world.count("refused_other_protocol") == 1


@pytest.mark.parametrize("path", [b"", b"x" * 600, b"x" * 70_000])
async def test_so_do_its_headers_behind_a_line_of_something_else(world: World, path: bytes) -> None:
    method = b"POST" if path else b"PROPFIND"  # a page chooses the path too: a line too long hides the method
    wire = await world.connect("trusted")
    await wire.send(method + b" /" + path + b" HTTP/1.1\r\n" + HEADERS + SESSION)
    assert [said.short for said in await wire.to_the_end()] == ["500 5.5.2", "421 4.7.0"]
    assert world.offered == []


async def test_a_handshake_in_clear_ends_the_session(world: World) -> None:
    """A server elsewhere may choose what a browser puts into it, lines of commands among it."""
    wire = await world.connect("trusted")
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    await wire.send(outgoing.read() + b"\r\n" + SESSION)
    assert [said.short for said in await wire.to_the_end()] == ["421 4.7.0"]
    assert world.offered == []
