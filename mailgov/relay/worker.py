"""A relay worker: one process that takes mail in, delivers it, and tells the ledger."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING

import structlog

from mailgov.relay.certificate import CertificateWatch
from mailgov.relay.listener import Listener
from mailgov.relay.node import Node
from mailgov.relay.reload import DeliveryReload
from mailgov.relay.scheduler import Scheduler
from mailgov.relay.serving import Serving, serve
from mailgov.store.spool import Spool

if TYPE_CHECKING:
    from mailgov.relay.ledger_side import LedgerSide

log = structlog.get_logger()

SESSION_DRAIN_S = 15.0
EARLY = ("mx",)
"""Listeners that the directory at hand will do for. An account shut out meanwhile must not sign in by it."""
ATTEMPT_DRAIN_S = 8.0
"""With the sessions' drain and the last words to the ledger, within systemd's and our 30 s."""


@dataclass(slots=True)
class RelayWorker:
    """Built by `mailgov.config`; `start`, then `rise`, then `stop` within 30 s."""

    node: Node
    spools: Sequence[Spool]
    """The worker's own, and those that it adopted."""
    listeners: Mapping[str, Listener]
    scheduler: Scheduler
    reloads: DeliveryReload
    make_ledger_side: Callable[[], LedgerSide]
    """Blocks, for most of a start: what speaks with the ledger is three fifths of what a worker loads."""
    _ledger: LedgerSide | None = None
    _servers: dict[str, list[Serving]] = field(default_factory=dict)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _certificate: CertificateWatch | None = None

    async def start(self, sockets: Mapping[str, tuple[socket.socket, ...]]) -> None:
        """Deliver, and take mail from outside where a directory is at hand; the sockets stay the caller's."""
        node = self.node
        node.admit, node.offer = self.scheduler.admit, self.scheduler.offer
        contexts = {c for listener in self.listeners.values() if (c := listener.tls_context) is not None}
        self._certificate = CertificateWatch(node, contexts)
        self._run(self._certificate.run, self.scheduler.run, node.ahead.run)
        if node.directory.snapshot.domains:
            await self._serve(EARLY, sockets)

    async def rise(self, sockets: Mapping[str, tuple[socket.socket, ...]]) -> None:
        """The rest: all that speaks with the ledger, and the listeners where people sign in.

        Raises ConfigError for a database that none can be.
        """
        loop = asyncio.get_running_loop()
        ledger = await loop.run_in_executor(None, self.make_ledger_side)
        await ledger.look()
        self._ledger = ledger
        self._run(*ledger.run())
        await self._serve(self.listeners, sockets)
        log.info("relay worker ready", spools=len(self.spools), listeners=sorted(self.listeners))

    def _run(self, *works: Callable[[], Awaitable[None]]) -> None:
        self._tasks += [asyncio.ensure_future(_forever(work)) for work in works]

    async def _serve(self, names: Iterable[str], sockets: Mapping[str, tuple[socket.socket, ...]]) -> None:
        for name in names:
            if name in self.listeners and name not in self._servers:
                listener = self.listeners[name]
                self._servers[name] = [await serve(self.node, listener, s) for s in sockets.get(name, ())]

    async def reload(self) -> None:
        """SIGHUP: delivery, policy files and certificates anew; a fault leaves what runs in force."""
        await self.reloads.run()
        if self._ledger is not None:  # otherwise they were read a moment ago
            await self._ledger.follower.reload_policy()
        if self._certificate is not None:
            self._certificate.reload()

    async def stop(self) -> None:
        """Take nothing new, end what is under way, say the last words to the ledger, close."""
        node = self.node
        node.draining = True
        for server in chain.from_iterable(self._servers.values()):
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
        if self._ledger is not None:
            await self._ledger.stop()
        loop = asyncio.get_running_loop()
        for spool in self.spools:
            await loop.run_in_executor(None, spool.close)
        if self._ledger is not None:
            await self._ledger.db.dispose()
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
