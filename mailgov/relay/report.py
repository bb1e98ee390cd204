"""Tells the ledger, every few seconds, how this worker is and what it refused at the door."""

from __future__ import annotations

import asyncio
import os

import structlog

from mailgov.relay.node import Node
from mailgov.store import status
from mailgov.store.engine import Database, LedgerUnavailable
from mailgov.store.spool import SpoolError

log = structlog.get_logger()

INTERVAL_S = 2.0
TLS_MS = 60_000
PRUNE_MS = 3_600_000
KEEP_MS = 400 * 86_400_000
"""Counters of the door stay for a year and a bit: level-3 practice asks for 3 months of logs."""


class Reporter:
    """Losable by design: what a ledger that is away misses is counted on, within bounds."""

    def __init__(self, node: Node, db: Database, node_name: str, worker: str) -> None:
        self._node, self._db = node, db
        self._name, self._worker = node_name, worker
        self._tls_ms = self._started_ms = self._pruned_ms = node.clock.now_ms()

    async def run(self) -> None:
        while True:
            await self.round()
            await asyncio.sleep(INTERVAL_S)

    async def round(self) -> None:
        """One report; never raises for the ledger."""
        node = self._node
        node.counters.refusals.close_minute(node.clock.now_ms())
        door, sign_ins = node.counters.take_door(), node.sign_ins.take()
        tls = node.tls.tally.take() if self._tls_due() else {}
        try:
            counters = dict(node.counters.values)
            counters["sessions"] = node.sessions
            for state, count in (await node.spool.depth()).items():
                counters[f"spool_{state}"] = count
            await status.report(
                self._db,
                node=self._name,
                worker=self._worker,
                pid=os.getpid(),
                now_ms=node.clock.now_ms(),
                started_ms=self._started_ms,
                policy_hash=node.policy.policy.hash,
                policy_error=node.policy.error,
                directory_revision=node.directory.snapshot.revision,
                counters=counters,
                door=door,
                sign_ins=sign_ins,
                tls=tls,
            )
        except (LedgerUnavailable, SpoolError):
            node.counters.give_door(door)
            node.sign_ins.give(sign_ins)
            node.tls.tally.give(tls)
            return
        await self._prune()

    def _tls_due(self) -> bool:
        """Sessions with other servers are told once in a while, and at the end: nobody waits for them."""
        now_ms = self._node.clock.now_ms()
        if abs(now_ms - self._tls_ms) < TLS_MS and not self._node.draining:
            return False
        self._tls_ms = now_ms
        return True

    async def _prune(self) -> None:
        now_ms = self._node.clock.now_ms()
        if now_ms - self._pruned_ms < PRUNE_MS:
            return
        self._pruned_ms = now_ms
        try:
            await status.prune(self._db, now_ms - KEEP_MS)
        except LedgerUnavailable as error:
            log.debug("not pruned", cause=str(error))
