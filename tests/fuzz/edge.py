"""The real listeners on loopback, driven step by step from a test that is not a coroutine itself."""

from __future__ import annotations

import asyncio
import socket
import ssl
import traceback
from collections.abc import Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import uvloop

from mailgov.relay.listener import Listener
from mailgov.relay.node import Node
from mailgov.relay.serving import Serving, serve
from mailgov.relay.tls import server_context
from mailgov.settings import TlsSettings
from mailgov.store.spool import Change, Progress
from tests.support.certificates import make_certificate
from tests.support.dns_server import DnsServer
from tests.support.plain_logs import plain_logs
from tests.support.relay_node import node_settings, running_node
from tests.wire.client import Wire, eventually

T = TypeVar("T")

KINDS = ("mx", "submission", "submissions")
STEP_S = 30.0
SIZE_LIMIT = 65_536
NO_LIMIT = 1_000_000_000
# What only counts is left out here, tests/wire/test_limits.py has it: a session goes on as long as it likes.
SECTIONS: dict[str, dict[str, Any]] = {
    "smtp": {
        "size_limit_bytes": SIZE_LIMIT,
        "header_limit_bytes": 16_384,
        "memory_body_bytes": 4096,
        "error_limit": NO_LIMIT,
        "unknown_recipient_limit": 0,
        "junk_command_limit": NO_LIMIT,
        "session_message_limit": NO_LIMIT,
    },
    "sign_in": {"pair_limit": NO_LIMIT, "network_limit": NO_LIMIT, "account_limit": NO_LIMIT},
    "limits": {
        "messages_per_hour": 0,
        "messages_per_day": 0,
        "recipients_per_day": 0,
        "new_recipients_per_day": 0,
    },
    "spool": {"group_window_s": 0.0},
}


class Edge:
    """A node with its listeners. Nothing is delivered: what is taken in waits to be looked at."""

    def __init__(self, loop: asyncio.AbstractEventLoop, node: Node, tls: ssl.SSLContext) -> None:
        self.loop, self.node, self.tls = loop, node, tls
        self.ports: dict[str, int] = {}
        self.troubles: list[str] = []
        loop.set_exception_handler(self._trouble)

    def _trouble(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        told = traceback.format_exception(error) if error is not None else []
        self.troubles.append("".join([str(context), "\n", *told]))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The coroutine's result; TimeoutError where a session hangs."""
        return self.loop.run_until_complete(asyncio.wait_for(work, STEP_S))

    def connect(self, kind: str) -> Wire:
        """A session that was greeted."""
        return self.run(Wire.connect(self.ports[kind], tls=self.tls if kind == "submissions" else None))

    def take(self) -> list[bytes]:
        """The messages in the spool as they were received; they are gone from it then."""
        return self.run(self.taken())

    async def taken(self) -> list[bytes]:
        """The same, inside the loop."""
        spool, taken = self.node.spool, []
        for message in await spool.claim(self.node.clock.now_ms(), 1000):
            file = spool.body_file(message)
            taken.append(await spool.body_bytes(message) if file is None else file.read_bytes())
            done = [Progress(message.queue_id, r.position, None, 1) for r in message.recipients]
            await spool.apply(Change(progress=done))
        return taken

    def clear(self) -> None:
        """Counters at nothing, and a directory that is known to be current: campaigns are long."""
        self.troubles.clear()
        self.node.counters.values.clear()
        self.node.directory.confirm()

    def begin_anew(self) -> None:
        """Forget what came before: a fault is told once, by the example that found it."""
        for session in list(self.node.connections):
            session.transport.abort()
        self.quiet()
        self.take()
        self.clear()

    def quiet(self) -> None:
        """Return once no session is left; what is under way may end."""
        self.run(eventually(lambda: not self.node.connections and not self.node.tasks, "the sessions' end"))

    def files(self) -> list[str]:
        """Body files on disk."""
        folder = self.node.settings.data_dir / "spool" / "0"
        return [file.name for place in ("incoming", "bodies") for file in (folder / place).iterdir()]


@contextmanager
def running_edge(folder: Path) -> Iterator[Edge]:
    """An edge with the province of `tests.support.relay_node`, and a DNS that knows nothing."""
    with ExitStack() as stack:
        stack.enter_context(plain_logs())
        dns = stack.enter_context(DnsServer())
        sections = {**SECTIONS, "dns": {"nameservers": [dns.address], "timeout_s": 2.0}}
        node = stack.enter_context(running_node(node_settings(folder, sections)))
        loop = uvloop.new_event_loop()
        stack.callback(loop.close)
        certificate, key = make_certificate(folder, "localhost")
        server_tls = server_context(TlsSettings(certificate=certificate, key=key))
        edge = Edge(loop, node, ssl.create_default_context(cafile=str(certificate)))
        servers: list[Serving] = []
        for kind in KINDS:
            listening = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            listening.setblocking(False)
            servers.append(edge.run(serve(node, Listener(kind, server_tls), listening)))
            edge.ports[kind] = listening.getsockname()[1]
        try:
            yield edge
        finally:
            for server in servers:
                server.close()
            edge.quiet()
