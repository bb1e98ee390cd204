"""Mail that waits for an hour ahead is due now where its way has changed, or is open again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence

import structlog

from mailgov.relay.node import Node
from mailgov.relay.route import Router
from mailgov.relay.tls_out.policies import TlsPolicies
from mailgov.store.spool import Spool, SpoolError

log = structlog.get_logger()

DOMAINS_LIMIT = 1000
"""Domains whose mail is woken in one go; what waits for others comes by the schedule."""
EVERYBODY = "*"


def ways(router: Router, tls: TlsPolicies) -> dict[str, str]:
    """What our settings say of the way to each domain that they name, `*` for all others; to compare."""
    routes = router.told()
    found = {}
    for name in {*routes, *tls.named}:
        lane = router.default if name == "*" else router.lane(name)
        minimum = None if lane is None else tls.minimum(lane, (name,))
        asked = "" if minimum is None else " ".join((minimum.level, *minimum.names, str(minimum.ca_file)))
        found[name] = f"{routes.get(name, '')} {asked}".strip()
    return found


class Waker:
    """Wakes beside the claims: a million recipients take minutes, a piece at a time."""

    def __init__(self, node: Node, spools: Sequence[Spool], woken: Callable[[], None]) -> None:
        """`woken` is called when something has become due."""
        self._node, self._spools, self._woken = node, spools, woken
        self._domains: set[str] = set()
        self._ways: dict[str, str] | None = None
        self._wanted = asyncio.Event()

    def back(self, domains: Collection[str]) -> None:
        """Their way is another one, or open again."""
        if domains and len(self._domains) < DOMAINS_LIMIT:
            self._domains.update(domains)
            self._wanted.set()

    def heed(self, routes: dict[str, str]) -> None:
        """These are the ways now: see `ways`."""
        self._ways = routes
        self._wanted.set()

    async def run(self, routes: dict[str, str]) -> None:
        """Compare the ways with those of before, then serve `heed` and `back`, for ever."""
        self.heed(routes)
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            told, self._ways = self._ways, None
            domains, self._domains = frozenset(self._domains), set()
            for spool in self._spools:
                if told is not None:
                    await self.heed_routes(spool, told)
                if domains:
                    await self._wake(spool, domains, "a way is open again: what waited for it is due")

    async def heed_routes(self, spool: Spool, routes: dict[str, str]) -> None:
        """What waits for a domain whose route is another than before is due now."""
        try:
            before = await spool.noted("routes")
            if before == routes:
                return
            if before is not None:
                changed = frozenset(name for name, _ in before.items() ^ routes.items())
                await self._wake(spool, changed, "a route has changed: what waited for it is due")
            await spool.note("routes", routes)
        except SpoolError as error:
            log.error("spool cannot be read", spool=spool.id, error=str(error))

    async def _wake(self, spool: Spool, domains: frozenset[str], why: str) -> None:
        try:
            moved = await spool.wake(self._node.clock.now_ms(), None if EVERYBODY in domains else domains)
        except SpoolError as error:
            log.error("spool cannot be read", spool=spool.id, error=str(error))
            return
        if moved:
            log.info(why, spool=spool.id, domains=sorted(domains)[:10], recipients=moved)
            self._woken()
