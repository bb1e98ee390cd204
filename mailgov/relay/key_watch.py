"""DKIM keys in the DNS: a new one signs once it is seen there, and a key that goes missing is heard of.

The ledger says when each key was looked at, so that of all workers one asks, whoever comes first.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace

import structlog

from mailgov.relay.alarm import alarm
from mailgov.relay.dns import Resolver
from mailgov.relay.key_records import Published, look_up, private_problem
from mailgov.relay.node import Node
from mailgov.settings import Settings
from mailgov.store import dkim_keys, sending
from mailgov.store.audit_rows import keep
from mailgov.store.calendar import local_date
from mailgov.store.directory import bump_revision, hold_directory
from mailgov.store.dkim_keys import DkimKeyView
from mailgov.store.engine import Database, LedgerUnavailable

log = structlog.get_logger()

ROUND_S = 60.0
KEYS_A_ROUND = 100
"""Asked for one after the other; a province has a few domains, and further keys come in the next round."""
BEGUN, MISSING, WITHDRAWN = "dkim.begun", "dkim.not_published", "dkim.withdrawn"
COUNTER = "dkim_keys_not_published"


def withdraw_ms(settings: Settings, now_ms: int) -> int:
    """Until when a key that stops signing now stays published: our queue's time, and the next hops'."""
    return now_ms + round((settings.delivery.expire_s + settings.dkim.in_flight_s) * 1000)


class KeyWatch:
    """Runs in every worker. Without the ledger nothing changes, and mail is signed as before."""

    def __init__(self, node: Node, db: Database) -> None:
        self._node, self._db, self._dkim = node, db, node.settings.dkim

    async def run(self) -> None:
        """For ever; the first look comes after a while, for a start has more urgent things to do."""
        while True:
            await asyncio.sleep(min(ROUND_S, self._dkim.check_interval_s))
            await self.round()

    async def round(self) -> None:
        """One look at the keys that are due; never raises for DNS, ledger or files."""
        try:
            async with self._db.read() as session:
                keys = await dkim_keys.list_keys(session)
            due = [key for key in keys if self._is_due(key)][:KEYS_A_ROUND]
            resolver = Resolver(self._node.settings.dns)  # a new one, for what is cached may be over
            for key in due:
                await self._look(resolver, key)
            self._count([key for key in keys if key.state == "active"])
        except LedgerUnavailable as error:
            log.debug("DKIM keys not looked at", cause=str(error))

    def _is_due(self, key: DkimKeyView) -> bool:
        if key.state == "withdrawn" or not self._node.directory.snapshot.is_local(key.domain):
            return False
        wait_s = self._dkim.check_interval_s
        if key.state == "pending":
            wait_s = min(wait_s, ROUND_S)
        now_ms = self._node.clock.now_ms()
        # A clock that was set back must not stop the looks.
        return key.checked_ms is None or not 0 <= now_ms - key.checked_ms < wait_s * 1000

    async def _look(self, resolver: Resolver, key: DkimKeyView) -> None:
        found = await look_up(resolver, key)
        if key.state == "pending" and found.good:
            signer = self._node.signer
            work = asyncio.get_running_loop().run_in_executor(
                self._node.executor, private_problem, signer, key
            )
            if (problem := await work) is not None:
                found = Published("no_private_key", f"{self._node.settings.hostname}: {problem}")
        now_ms = self._node.clock.now_ms()
        seen_ms = (key.seen_ms or now_ms) if found.good else None if found.bad else key.seen_ms
        async with self._db.write() as session:
            await dkim_keys.note_standing(session, key, found.standing, found.detail, seen_ms, now_ms)
        await self._act(replace(key, seen_ms=seen_ms), found, now_ms)

    async def _act(self, key: DkimKeyView, found: Published, now_ms: int) -> None:
        settled = key.seen_ms is not None and now_ms - key.seen_ms >= self._dkim.settle_s * 1000
        if key.state == "pending" and found.good and settled:
            await self._begin(key, now_ms)
        elif key.state == "retired" and now_ms >= (key.withdraw_ms or 0):
            await self._end(key, found, now_ms)
        elif key.state in {"active", "retired"} and found.bad:
            await self._warn(key, found)

    async def _begin(self, key: DkimKeyView, now_ms: int) -> None:
        async with self._db.write() as session:
            await hold_directory(session)
            until_ms = withdraw_ms(self._node.settings, now_ms)
            retired = await dkim_keys.begin(session, key, now_ms, until_ms)
            if retired is None:
                return  # somebody was faster
            await bump_revision(session)
            told = {"selector": key.selector, "algorithm": key.algorithm, "retired": retired}
            await keep(session, [alarm(self._node, BEGUN, key.domain, **told)])
        log.info("DKIM key signs now", domain=key.domain, selector=key.selector, retired=retired)

    async def _end(self, key: DkimKeyView, found: Published, now_ms: int) -> None:
        """Its time is over: unless mail that it signed is held here, the zone may let it go."""
        async with self._db.write() as session:
            if await dkim_keys.postpone(session, key, now_ms + round(self._dkim.in_flight_s * 1000)):
                return
            if found.standing in {"missing", "revoked"} and await dkim_keys.withdraw(session, key):
                await keep(session, [alarm(self._node, WITHDRAWN, key.domain, selector=key.selector)])

    async def _warn(self, key: DkimKeyView, found: Published) -> None:
        """In the log at each look, in the audit log once a day. The key signs on: there is no better one."""
        if self._node.settings.demo.sink is not None:
            return  # a rehearsal publishes nothing
        told = {
            "selector": key.selector,
            "state": key.state,
            "standing": found.standing,
            "detail": found.detail,
        }
        log.error("DKIM key not in the DNS as it must be", domain=key.domain, **told)
        first = await asyncio.get_running_loop().run_in_executor(self._node.executor, self._first_today, key)
        if first:
            async with self._db.write() as session:
                await keep(session, [alarm(self._node, MISSING, key.domain, **told)])

    def _first_today(self, key: DkimKeyView) -> bool:
        now_ms = self._node.clock.now_ms()
        day = local_date(now_ms, self._node.settings.province.timezone).isoformat()
        return sending.first_time(self._node.guard, f"told:dkim:{key.record_name}", day, now_ms)

    def _count(self, active: list[DkimKeyView]) -> None:
        """For metrics, as the ledger had it at the beginning of the round."""
        standings = Counter(key.standing for key in active)
        bad = sum(n for word, n in standings.items() if word not in {None, "published", "unknown"})
        self._node.counters.values[COUNTER] = bad
