"""The real relay server on loopback, in the test's own loop: no subprocess, no ledger."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvloop

from mailgov.identity.passwords import PasswordChecker
from mailgov.mail.events import MessageEvent
from mailgov.relay.listener import Listener
from mailgov.relay.node import Node
from mailgov.relay.server import RelayServer
from mailgov.relay.serving import BACKLOG, Serving, serve
from mailgov.relay.tls import server_context
from mailgov.settings import TlsSettings
from mailgov.store.snapshot import Snapshot
from mailgov.store.spool import QueuedMessage
from tests.support.certificates import make_certificate
from tests.support.dns_server import DnsServer
from tests.support.relay_node import AN, PASSWORD, SCANNER, node_settings, running_node
from tests.wire.client import Wire, eventually


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop that the workers run on: asyncio's own behaves otherwise at the edges that are tested here."""
    return {"uvloop": uvloop.new_event_loop}


@dataclass
class World:
    """A node, its listeners' ports by kind, and what was offered for delivery from memory."""

    node: Node
    ports: dict[str, int]
    client_tls: ssl.SSLContext
    data_dir: Path
    offered: list[QueuedMessage] = field(default_factory=list)
    reserved: int = 0
    taken: int = 0
    """Octets that sessions have been given."""
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def connect(
        self, kind: str, *, greeted: bool = True, source: str = "127.0.0.1", silent: bool = False
    ) -> Wire:
        """A connection to a listener; TLS from the start on submissions. The world closes it.

        A `silent` one does not begin its handshake.
        """
        tls = self.client_tls if kind == "submissions" and not silent else None
        wire = await Wire.connect(self.ports[kind], tls=tls, greeted=greeted and not silent, source=source)
        self._stack.push_async_callback(wire.close)
        return wire

    async def outside(self, source: str = "127.0.0.1") -> Wire:
        """A stranger's session on mx, after EHLO."""
        wire = await self.connect("mx", source=source)
        await wire.ehlo()
        return wire

    async def inside(self, account: str = AN, kind: str = "submissions") -> Wire:
        """A session that has signed in."""
        wire = await self.connect(kind)
        await wire.ehlo()
        if kind == "submission":
            await wire.starttls(self.client_tls)
            await wire.ehlo()
        assert (await wire.sign_in(account, PASSWORD)).short == "235 2.7.0"
        return wire

    async def taken_in(self, wire: Wire) -> None:
        """Wait until the server has read all that this client, the only one, has sent."""
        async with asyncio.timeout(20):
            while self.taken < wire.sent:  # noqa: ASYNC110 - a counter tells no event
                await asyncio.sleep(0)

    async def kept(self) -> list[QueuedMessage]:
        """What the spool holds and nobody has claimed yet, leased from now on."""
        return await self.node.spool.claim(self.node.clock.now_ms() + 10_000, 1000)

    async def one_kept(self) -> QueuedMessage:
        kept = await self.kept()
        assert len(kept) == 1, kept
        return kept[0]

    async def bytes_of(self, message: QueuedMessage) -> bytes:
        """The body as it was received."""
        file = self.node.spool.body_file(message)
        return await self.node.spool.body_bytes(message) if file is None else file.read_bytes()

    async def leaving(self, message: QueuedMessage) -> bytes:
        """The first variant, as it leaves."""
        return message.variants[0].head(await self.bytes_of(message))

    async def events(self) -> list[MessageEvent]:
        """The traffic records in the outbox."""
        found = [event for _, event in await self.node.spool.events(0, 1000)]
        return [event for event in found if isinstance(event, MessageEvent)]

    def files(self) -> list[str]:
        """Body files on disk, incoming ones too."""
        folder = self.data_dir / "spool" / "0"
        return sorted(
            f"{place}/{file.name}" for place in ("incoming", "bodies") for file in (folder / place).iterdir()
        )

    def count(self, name: str) -> int:
        """A counter of the worker."""
        return self.node.counters.values[name]


OpenWorld = Callable[..., Awaitable[World]]


@pytest.fixture(scope="session")
def server_tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[TlsSettings, Path]:
    """A certificate for localhost, and its file for clients to trust."""
    certificate, key = make_certificate(tmp_path_factory.mktemp("tls"), "localhost")
    return TlsSettings(certificate=certificate, key=key), certificate


@pytest.fixture(scope="session")
def passwords() -> Iterator[PasswordChecker]:
    """One for all worlds: most of them only want to be signed in."""
    checker = PasswordChecker(os.urandom(32), time.monotonic)
    yield checker
    checker.close()


@pytest.fixture
async def open_world(
    tmp_path: Path,
    dns_server: DnsServer,
    server_tls: tuple[TlsSettings, Path],
    passwords: PasswordChecker,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[OpenWorld]:
    """Opens a world. `smtp` and other sections change settings, `snapshot` replaces the directory."""
    async with AsyncExitStack() as stack:

        async def opened(
            *, snapshot: Snapshot | None = None, networks: tuple[str, ...] = ("127.0.0.0/8",), **sections: Any
        ) -> World:
            sections.setdefault("dns", {"nameservers": [dns_server.address], "timeout_s": 2.0})
            sections.setdefault("spool", {"group_window_s": 0.0})
            settings = node_settings(tmp_path, sections)
            node = stack.enter_context(running_node(settings, snapshot, passwords=passwords))
            context = server_context(server_tls[0])
            listeners = [
                Listener("mx", context),
                Listener("submission", context),
                Listener("submissions", context),
                Listener("trusted", trusted_networks=networks, trusted_account=SCANNER),
            ]
            world = World(
                node, {}, ssl.create_default_context(cafile=str(server_tls[1])), tmp_path, _stack=stack
            )
            _watch(world, monkeypatch)
            for listener in listeners:
                listening = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=BACKLOG))
                listening.setblocking(False)
                stack.push_async_callback(_shut, world, await serve(node, listener, listening))
                world.ports[listener.kind] = listening.getsockname()[1]
            return world

        yield opened


def _watch(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand where the scheduler stands: nothing is attempted, what was offered is kept. Count octets."""
    given = RelayServer.data_received

    def data_received(session: RelayServer, data: bytes) -> None:
        world.taken += len(data)
        given(session, data)

    monkeypatch.setattr(RelayServer, "data_received", data_received)

    def admit(size_bytes: int) -> bool:
        world.reserved += 1
        return True

    def offer(message: QueuedMessage | None, size_bytes: int) -> None:
        world.reserved -= message is not None or size_bytes > 0
        if message is not None:
            world.offered.append(message)

    world.node.admit, world.node.offer = admit, offer


async def _shut(world: World, server: Serving) -> None:
    """Close a listener and its sessions, and see that they leave nothing behind."""
    server.close()
    for session in list(world.node.connections):
        session.transport.abort()
    await eventually(lambda: not world.node.connections and not world.node.tasks, "the sessions' end")
    assert world.node.sessions == 0


@pytest.fixture
async def world(open_world: OpenWorld) -> World:
    """The province of tests.support.relay_node with the limits that are shipped."""
    return await open_world()
