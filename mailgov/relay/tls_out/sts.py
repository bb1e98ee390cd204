"""The MTA-STS policy of a domain: asked for once in a while, kept for its time (RFC 8461 3, 5.1)."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from concurrent.futures import Executor
from dataclasses import dataclass, replace

import structlog

from mailgov.mail.text import one_line
from mailgov.relay.clock import Clock
from mailgov.relay.dns import Resolver
from mailgov.relay.tls_out.sts_fetch import Fetcher, FetchFailed
from mailgov.relay.tls_out.sts_text import PolicyInvalid, StsPolicy, read_policy, record_id
from mailgov.store import sts_policies
from mailgov.store.guard import Guard
from mailgov.store.sts_policies import KeptPolicy

log = structlog.get_logger()

LOOK_AGAIN_MS = 300_000
"""How long what was found of a domain is not asked for again (RFC 8461 3.3: 5 minutes after a failure)."""
REFRESH_MS = 86_400_000
"""A policy is fetched anew after so long, whatever its id (RFC 8461 10.2), so that it never runs out."""
DOMAINS_LIMIT = 10_000
"""Domains remembered in memory, those without a policy included."""
FETCHES_AT_ONCE = 4
"""For the others the policy that is kept stands, or none."""


@dataclass(frozen=True, slots=True)
class Found:
    """What is known of a domain. `failure`: what RFC 8460 calls the trouble of fetching, if any."""

    policy: StsPolicy | None = None
    id: str = ""
    fetched_ms: int = 0
    looked_ms: int = 0
    failure: str | None = None

    def in_force(self, now_ms: int) -> StsPolicy | None:
        """The policy for its time, 5 minutes at least. A clock that was set back ends none."""
        if self.policy is None:
            return None
        age_ms = now_ms - self.fetched_ms
        return None if age_ms > max(self.policy.max_age_s * 1000, LOOK_AGAIN_MS) else self.policy

    def holds(self, now_ms: int) -> bool:
        """Whether nobody need look again: it was done lately, and the policy has not run out since."""
        lately = 0 <= now_ms - self.looked_ms < LOOK_AGAIN_MS
        return lately and (self.policy is None or self.in_force(now_ms) is not None)


NOTHING = Found()


class Sts:
    """One worker's; policies themselves are shared by the node's workers in the guard."""

    def __init__(
        self, resolver: Resolver, fetcher: Fetcher, guard: Guard, executor: Executor, clock: Clock
    ) -> None:
        self._resolver, self._fetcher = resolver, fetcher
        self._guard, self._executor, self._clock = guard, executor, clock
        self._known: OrderedDict[str, Found] = OrderedDict()
        self._asking: dict[str, asyncio.Task[Found]] = {}
        self._fetching = 0

    async def of(self, domain: str) -> Found:
        """What holds for the domain (in ASCII, lower case) now. Never raises."""
        now_ms = self._clock.now_ms()
        known = self._known.get(domain)
        if known is not None and known.holds(now_ms):
            return known
        task = self._asking.get(domain)
        if task is None:  # one question for all that wait for it
            task = self._asking[domain] = asyncio.ensure_future(self._look(domain, known))
            task.add_done_callback(lambda _: self._asking.pop(domain, None))
        return await asyncio.shield(task)

    async def _look(self, domain: str, known: Found | None) -> Found:
        now_ms = self._clock.now_ms()
        known = known or await self._kept(domain)
        try:
            found = replace(await self._asked(domain, known, now_ms), looked_ms=now_ms)
        except Exception as error:  # mail must not stop for it: what is kept stands
            log.error("MTA-STS look-up failed", domain=domain, exc_info=error)
            found = replace(known, looked_ms=now_ms)
        self._known[domain] = found
        self._known.move_to_end(domain)
        while len(self._known) > DOMAINS_LIMIT:
            self._known.popitem(last=False)
        return found

    async def _asked(self, domain: str, known: Found, now_ms: int) -> Found:
        texts = await self._resolver.texts(f"_mta-sts.{domain}")
        published = record_id(texts.values)
        if published is None:  # a policy that is kept holds for its time all the same (RFC 8461 3.3)
            return replace(known, failure=None)
        fresh = 0 <= now_ms - known.fetched_ms < REFRESH_MS
        if published == known.id and fresh and known.in_force(now_ms) is not None:
            return replace(known, failure=None)
        if self._fetching >= FETCHES_AT_ONCE:
            return known
        self._fetching += 1
        try:
            policy = await self._fetcher.fetch(domain)
        except FetchFailed as error:
            cause = one_line(str(error), 300)
            log.info("no MTA-STS policy came", domain=domain, result=error.result, cause=cause)
            return replace(known, failure=error.result)
        finally:
            self._fetching -= 1
        kept = KeptPolicy(published, policy.text(), now_ms)
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._executor, sts_policies.keep, self._guard, domain, kept)
        return Found(policy, published, now_ms)

    async def _kept(self, domain: str) -> Found:
        loop = asyncio.get_running_loop()
        kept = await loop.run_in_executor(self._executor, sts_policies.kept, self._guard, domain)
        if kept is None:
            return NOTHING
        try:
            return Found(read_policy(kept.body.encode()), kept.id, kept.fetched_ms)
        except PolicyInvalid:
            return NOTHING
