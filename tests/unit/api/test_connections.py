"""HTTP connections that say nothing, little, or never read: a real server on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
import uvicorn

from mailgov.api.connections import bounded
from mailgov.settings import HttpSettings

WAIT_S = 20.0
REQUEST = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
Open = Callable[..., Awaitable["Web"]]


class Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Web:
    """A server whose /slow waits for `go`, and whose /large says more than a socket holds."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.slow = 0
        self.port = 0
        self.clients: list[Client] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/slow":
            self.slow += 1
            await self.go.wait()
        while (await receive()).get("more_body"):
            pass
        size = 50_000_000 if scope["path"] == "/large" else 2
        await send({"type": "http.response.start", "status": 200,
                    "headers": [(b"content-length", b"%d" % size)]})  # fmt: skip
        await send({"type": "http.response.body", "body": b"o" * size})

    async def connect(self, said: bytes = b"", source: str = "127.0.0.1") -> Client:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, local_addr=(source, 0))
        writer.write(said)
        self.clients.append(Client(reader, writer))
        return self.clients[-1]

    async def status(self, source: str = "127.0.0.1") -> int:
        """What a good client hears."""
        client = await self.connect(REQUEST, source)
        found = await client.status()
        client.writer.transport.abort()
        return found


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def status(self) -> int:
        async with asyncio.timeout(WAIT_S):
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]
            await self.reader.readexactly(int(length or 0))
        return int(head[9:12])

    async def cut(self) -> bool:
        """Wait for the server to end the connection."""
        async with asyncio.timeout(WAIT_S):
            try:
                return await self.reader.read() == b""
            except ConnectionResetError:
                return True

    def is_open(self) -> bool:
        return not self.reader.at_eof() and self.reader.exception() is None


@pytest.fixture
async def web() -> AsyncIterator[Open]:
    running = []

    async def opened(**settings: Any) -> Web:
        web = Web()
        listening = socket.create_server(("127.0.0.1", 0))
        web.port = listening.getsockname()[1]
        protocol = bounded(HttpSettings(**settings))
        server = Server(uvicorn.Config(web, http=protocol, lifespan="off", log_config=None))
        serving = asyncio.ensure_future(server.serve(sockets=[listening]))
        running.append((web, server, serving))
        while not server.started:  # noqa: ASYNC110 - uvicorn sets a flag
            await asyncio.sleep(0.005)
        return web

    yield opened
    for web, server, serving in running:
        web.go.set()
        for client in web.clients:
            client.writer.transport.abort()
            with contextlib.suppress(OSError):
                await client.writer.wait_closed()
        server.should_exit = server.force_exit = True
        await serving


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():  # noqa: ASYNC110 - counters tell no event
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("said", [b"", b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-a: "])
async def test_silent_connections_give_way(web: Open, said: bytes) -> None:
    here = await web(connection_limit=6, client_connection_limit=6)
    silent = [await here.connect(said) for _ in range(12)]
    assert await here.status() == 200
    assert all([await client.cut() for client in silent[:6]])
    assert silent[-1].is_open()


async def test_the_client_that_holds_most_gives_way(web: Open) -> None:
    here = await web(connection_limit=6, client_connection_limit=6)
    modest = await here.connect(source="127.0.0.2")
    greedy = [await here.connect() for _ in range(5)]
    assert await here.status("127.0.0.3") == 200
    assert await greedy[0].cut()
    modest.writer.write(REQUEST)
    assert await modest.status() == 200


async def test_a_client_has_a_part_of_the_places(web: Open) -> None:
    here = await web(connection_limit=6, client_connection_limit=3)
    mine = [await here.connect(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n") for _ in range(3)]
    await until(lambda: here.slow == 3)
    assert await here.status() == 503, "all of its own are being answered"
    assert await here.status("127.0.0.2") == 200
    here.go.set()
    assert [await client.status() for client in mine] == [200] * 3
    assert await here.status() == 200


async def test_a_proxy_may_have_them_all(web: Open) -> None:
    here = await web(connection_limit=6, client_connection_limit=1, trusted_proxies=["127.0.0.0/8"])
    mine = [await here.connect(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n") for _ in range(5)]
    await until(lambda: here.slow == 5)
    assert await here.status() == 200
    here.go.set()
    assert [await client.status() for client in mine] == [200] * 5


async def test_what_is_being_answered_is_not_cut(web: Open) -> None:
    here = await web(connection_limit=3, client_connection_limit=3, request_timeout_s=0.2)
    mine = [await here.connect(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n") for _ in range(3)]
    await until(lambda: here.slow == 3)
    assert await here.status("127.0.0.2") == 503
    await asyncio.sleep(0.4)
    here.go.set()
    assert [await client.status() for client in mine] == [200] * 3


@pytest.mark.parametrize(
    "said",
    [b"", b"GET /", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf", REQUEST + b"GET /"],
)
async def test_a_request_that_does_not_come_is_not_awaited_for_ever(web: Open, said: bytes) -> None:
    here = await web(request_timeout_s=0.2)
    client = await here.connect(said)
    if said.startswith(REQUEST):
        assert await client.status() == 200
    assert await client.cut()


async def test_a_trickle_is_no_request(web: Open) -> None:
    here = await web(request_timeout_s=0.3)
    client = await here.connect(b"GET / HTTP/1.1\r\n")

    async def trickle() -> None:
        while True:
            client.writer.write(b"X: y\r\n")
            await client.writer.drain()
            await asyncio.sleep(0.01)

    with pytest.raises(ConnectionError):
        await asyncio.wait_for(trickle(), WAIT_S)


async def test_who_never_reads_is_cut(web: Open) -> None:
    here = await web(request_timeout_s=0.2)
    client = await here.connect()
    client.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a socket's transport reads too
    client.writer.write(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")

    async def write() -> None:
        while True:
            client.writer.write(b"\r\n" * 1000)
            await client.writer.drain()
            await asyncio.sleep(0.01)

    with pytest.raises(ConnectionError):
        await asyncio.wait_for(write(), WAIT_S)


async def test_a_connection_serves_many_requests(web: Open) -> None:
    here = await web(request_timeout_s=0.3)
    client = await here.connect()
    for _ in range(5):
        await asyncio.sleep(0.1)
        client.writer.write(REQUEST)
        assert await client.status() == 200
    client.writer.write(REQUEST * 3)
    assert [await client.status() for _ in range(3)] == [200] * 3
