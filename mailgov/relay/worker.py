"""A relay worker: one process that takes mail in, delivers it, and tells the ledger."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from mailgov.relay.acts import Acts
from mailgov.relay.certificate import CertificateWatch
from mailgov.relay.follow import Follower
from mailgov.relay.forward import Forwarder
from mailgov.relay.listener import Listener
from mailgov.relay.node import Node
from mailgov.relay.reload import DeliveryReload
from mailgov.relay.report import Reporter
from mailgov.relay.scheduler import Scheduler
from mailgov.relay.serving import Serving, serve
from mailgov.relay.tls_out.reports import TlsReports
from mailgov.store.engine import Database
from mailgov.store.spool import Spool

log = structlog.get_logger()

SESSION_DRAIN_S = 15.0
ATTEMPT_DRAIN_S = 8.0
"""With the sessions' drain and the last words to the ledger, within systemd's and our 30 s."""


@dataclass(slots=True)
class RelayWorker:
    """Built by `mailgov.config`; `start`, then `stop` within 30 s."""

    node: Node
    db: Database
    spools: Sequence[Spool]
    """The worker's own, and those that it adopted."""
    listeners: Mapping[str, Listener]
    scheduler: Scheduler
    forwarder: Forwarder
    follower: Follower
    reporter: Reporter
    acts: Acts
    reloads: DeliveryReload
    _servers: list[Serving] = field(default_factory=list)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _certificate: CertificateWatch | None = None
    _forwarding: asyncio.Task[None] | None = None

    async def start(self, sockets: Mapping[str, tuple[socket.socket, ...]]) -> None:
        """Serve on the listening `sockets`, by listener name; they stay the caller's."""
        node = self.node
        node.admit, node.offer = self.scheduler.admit, self.scheduler.offer
        await self.follower.round()
        contexts = {c for listener in self.listeners.values() if (c := listener.tls_context) is not None}
        self._certificate = CertificateWatch(node, contexts)
        self._tasks.append(asyncio.ensure_future(_forever(self._certificate.run)))
        for loop_of in (
            self.scheduler.run,
            self.follower.run,
            self.reporter.run,
            self.acts.run,
            node.ahead.run,
            TlsReports(node, self.db).run,
        ):
            self._tasks.append(asyncio.ensure_future(_forever(loop_of)))
        self._forwarding = asyncio.ensure_future(self.forwarder.run())
        for name, listener in self.listeners.items():
            for listening in sockets.get(name, ()):
                self._servers.append(await serve(node, listener, listening))
        log.info("relay worker ready", spools=len(self.spools), listeners=sorted(self.listeners))

    async def reload(self) -> None:
        """SIGHUP: delivery, policy files and certificates anew; a fault leaves what runs in force."""
        await self.reloads.run()
        await self.follower.reload_policy()
        if self._certificate is not None:
            self._certificate.reload()

    async def stop(self) -> None:
        """Take nothing new, end what is under way, say the last words to the ledger, close."""
        node = self.node
        node.draining = True
        for server in self._servers:
            server.close()
        for session in list(node.connections):
            session.drain_session()
        await _until(lambda: not node.connections and not node.tasks, SESSION_DRAIN_S)
        for session in list(node.connections):
            session.transport.abort()
        await self.scheduler.stop(ATTEMPT_DRAIN_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await node.ahead.hand_back()
        self.forwarder.stop()
        if self._forwarding is not None:
            await asyncio.wait([self._forwarding], timeout=5.0)
        await self.reporter.round()
        loop = asyncio.get_running_loop()
        for spool in self.spools:
            await loop.run_in_executor(None, spool.close)
        await self.db.dispose()
        log.info("relay worker stopped")


async def _forever(work: Callable[[], Awaitable[None]]) -> None:
    """Run a task that must not end; a fault of ours is logged and it starts again."""
    while True:
        try:
            await work()
            return
        except Exception as error:
            log.error("background task failed", task=getattr(work, "__qualname__", "?"), exc_info=error)
            await asyncio.sleep(1.0)


async def _until(condition: Callable[[], bool], timeout_s: float) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + timeout_s
    while not condition() and loop.time() < end:  # noqa: ASYNC110 - sets of sessions and tasks tell no event
        await asyncio.sleep(0.02)
