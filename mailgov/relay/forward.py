"""From the outbox to the ledger, in order, each event once (ADR 0002)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from mailgov.relay.node import Node
from mailgov.store.engine import Database, LedgerUnavailable
from mailgov.store.ledger import applied_sequence, apply_events, step_back
from mailgov.store.spool import Spool, SpoolError

log = structlog.get_logger()

INTERVAL_S = 0.25
BUSY, BUSY_INTERVAL_S = 50, 1.0
"""After a round that told so many events the next one waits longer: told together they cost half."""
BATCH = 1000
BACK_OFF_S = (0.5, 1.0, 2.0, 5.0)
"""Waits while the ledger is away: it is asked again at most every 5 s by each worker."""


class Forwarder:
    """Feeds the ledger from the spools; while it is away, events wait on disk."""

    def __init__(self, node: Node, db: Database, spools: Sequence[Spool], node_name: str) -> None:
        self._node, self._db, self._spools, self._name = node, db, spools, node_name
        self._applied: dict[str, int] = {}
        self._failures = 0
        self._told = 0
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """Forward until `stop`, and once more after it."""
        while True:
            stopping = self._stop.is_set()
            await self.round()
            if stopping:
                return
            try:
                await asyncio.wait_for(self._stop.wait(), self._wait_s())
            except TimeoutError:
                continue

    def _wait_s(self) -> float:
        if self._failures:
            return BACK_OFF_S[min(self._failures, len(BACK_OFF_S)) - 1]
        return BUSY_INTERVAL_S if self._told >= BUSY else INTERVAL_S

    def stop(self) -> None:
        self._stop.set()

    async def round(self) -> bool:
        """One pass over all spools; False when the ledger was away. Never raises for it."""
        self._told = 0
        try:
            for spool in self._spools:
                await self._forward(spool)
        except LedgerUnavailable as error:
            self._failures += 1
            if self._failures == 1:
                log.warning("ledger away, events wait in the outbox", cause=str(error))
            self._node.counters.values["ledger_up"] = 0
            return False
        except SpoolError as error:
            log.error("outbox cannot be read", cause=str(error))
            return False
        except Exception as error:  # nothing may end the forwarder: the events would never count
            self._failures += 1
            self._node.counters.add("internal_errors")
            log.error("events not applied", exc_info=error)
            return False
        if self._failures:
            log.info("ledger is back", failures=self._failures)
        self._failures = 0
        self._node.counters.values["ledger_up"] = 1
        return True

    async def _begin(self, spool: Spool) -> int:
        """How far the ledger has the spool, which may be an older copy: a disk put back, or one that lied.

        The ledger would take its new events for old ones then, and they would never count.
        """
        applied = await applied_sequence(self._db, spool.id)
        before, told = await spool.sequences()
        if applied <= told:
            return applied
        log.error("spool older than the ledger: mail may be gone, its events are told anew", spool=spool.id,
                  ledger=applied, spool_last=told)  # fmt: skip
        await step_back(self._db, spool.id, applied, before, self._node.clock.now_ms())
        return before

    async def _forward(self, spool: Spool) -> None:
        if spool.id not in self._applied:
            self._applied[spool.id] = await self._begin(spool)
            spool.forget_events(self._applied[spool.id])
        while events := await spool.untold(self._applied[spool.id], BATCH):
            applied = await apply_events(self._db, spool.id, self._name, events, self._node.clock.now_ms())
            # Only now, committed over there, may it go here.
            self._applied[spool.id] = applied
            spool.forget_events(applied)
            self._node.counters.add("forwarded", len(events))
            self._told += len(events)
            if applied < events[-1][0] or len(events) < BATCH:
                return
