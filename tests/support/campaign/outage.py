"""An hour in which the next hops refuse, at the nominal load; then they are back, and the load goes on.

The hour passes on a clock of the campaign's own; the recovery passes in real time. Real are the spool, the
scheduler, the DNS questions, the sessions and the next hop; the ledger's place takes a reader of the outbox.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from mailgov.mail.events import OutcomeEvent
from mailgov.relay.attempt import Attempt
from mailgov.relay.clock import Clock
from mailgov.relay.node import Node
from mailgov.relay.route import Router
from mailgov.relay.scheduler import Scheduler
from mailgov.store.spool import Body, Change, QueuedMessage, QueuedRecipient, Variant
from mailgov.store.spool.spool import LEASE_MS
from tests.support.dns_server import DnsServer
from tests.support.relay_node import AN, node_settings, running_node
from tests.support.sink import Sink

HOUR_S = 3600
STEP_S = 60
"""The clock goes on by so much at once: the schedule's first wait is two minutes."""
BODY = b"From: <annv@caobang.gov.vn>\r\nSubject: 12/CV-UBND\r\n\r\n" + (b"x" * 76 + b"\r\n") * 50
BACK_S = 120


@dataclass(slots=True)
class Time:
    """Real time, and what the campaign adds to it."""

    ahead_s: float = 0.0

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000 + int(self.ahead_s * 1000)

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead_s


@dataclass(slots=True)
class Outage:
    """What came of it."""

    queued: int
    domains: int
    rate: float
    """Messages a second, before, in and after the outage."""
    attempts: Counter[int] = field(default_factory=Counter)
    """How many messages were put off so often within the hour."""
    hour_took_s: float = 0.0
    full_octets: int = 0
    drained_octets: int = 0
    """The spool's files with the full queue, and when it was empty again."""
    grown_mb: float = 0.0
    """Memory of the process, from the first message to the full queue."""
    drained_s: float = 0.0
    """From the first that the next hops took until nothing old waited."""
    fresh: int = 0
    noticed_s: float = 0.0
    """From their being back until the first of them had a message."""
    fresh_p95_s: float = 0.0
    """Of mail that came from then on, from its acceptance until the next hop had it."""
    shares: tuple[float, float] = (0.0, 0.0)
    """When half of the old mail was there: the least and the most of a domain, by the mean of all."""
    wrong: dict[str, int] = field(default_factory=dict)
    """Messages that never came, came twice, or went back; all must be 0."""

    @property
    def drain_rate(self) -> float:
        """Of old mail, messages a second."""
        return self.queued / max(0.001, self.drained_s)

    def summary(self) -> str:
        """A few lines for a person."""
        tries = ", ".join(f"{count} {often} times" for often, count in sorted(self.attempts.items()))
        return "\n".join(
            [
                f"outage     an hour, {self.rate:.1f} messages a second: {self.queued} "
                f"to {self.domains} domains",
                f"put off    {tries} (the hour took {self.hour_took_s:.0f} s)",
                f"noticed    {self.noticed_s:.1f} s after they were back",
                f"back       all {self.queued} within {self.drained_s:.1f} s of the first: "
                f"{self.drain_rate:.0f} a second, {self.drain_rate / self.rate:.0f} times what comes in",
                f"meanwhile  {self.fresh} new messages, p95 {self.fresh_p95_s:.2f} s",
                f"fair       with half of it there, each domain had {50 * self.shares[0]:.0f} to "
                f"{50 * self.shares[1]:.0f} % of its own",
                f"disk       spool {self.full_octets / 1e6:.0f} MB when full, "
                f"{self.full_octets / self.queued:.0f} octets a message; "
                f"{self.drained_octets / 1e6:.0f} MB after",
                f"memory     {self.grown_mb:+.0f} MB with the full queue",
                f"wrong      {', '.join(f'{count} {name}' for name, count in self.wrong.items())}",
            ]
        )


class Campaign:
    """`hour`, then `recover`, then `settle`; `result` has the figures."""

    def __init__(self, node: Node, scheduler: Scheduler, sink: Sink, clock: Time, result: Outage) -> None:
        self._node, self._scheduler, self._sink, self._time = node, scheduler, sink, clock
        self.result = result
        self._number = 0
        self._sent_s: dict[str, float] = {}
        self._told: Counter[str] = Counter()
        self._states: Counter[str] = Counter()
        self._cursor = 0
        self._memory_mb = rss_mb()

    async def hour(self) -> None:
        """A load that nobody takes: each minute's mail comes in at once, then the clock goes on."""
        began_s = time.monotonic()
        each = self.result.queued // (HOUR_S // STEP_S)
        while self._number < self.result.queued:
            await self._put(min(each, self.result.queued - self._number))
            await self._quiet()
            self._time.ahead_s += STEP_S
        self.result.attempts = Counter(self._told.values())
        self.result.hour_took_s = time.monotonic() - began_s
        self.result.full_octets = self._octets()
        self.result.grown_mb = rss_mb() - self._memory_mb

    async def rest(self) -> None:
        """Until all that is due was tried in vain: each next hop has just been found away for a minute."""
        await self._quiet()

    async def recover(self) -> None:
        """The next hop takes mail again, the load goes on; until nothing of the old waits."""
        old = self.result.queued
        coming, back_s = asyncio.ensure_future(self._come()), time.monotonic()
        try:
            await self._until(lambda: bool(self._sink.messages), BACK_S, "the first delivery")
            first_s = min(message.at for message in self._sink.messages)
            self.result.noticed_s = first_s - back_s
            await self._until(lambda: len(self._old()) >= old // 2, 300, "half of the old mail")
            self.result.shares = self._shares()
            await self._until(lambda: len(self._old()) >= old, 300, "all of the old mail")
            self.result.drained_s = time.monotonic() - first_s
        finally:
            coming.cancel()
            with suppress(asyncio.CancelledError):
                await coming
        await self._until(lambda: len(self._arrived()) >= self._number, 60, "the new mail")

    async def settle(self) -> None:
        """Count."""
        await self._quiet()
        arrived, sent = self._arrived(), self._sent_s
        to = [(m.recipients[0], m.at) for m in self._sink.messages]
        first_s = min(at_s for _, at_s in to)
        found = [at_s - sent[address] for address, at_s in to if sent.get(address, 0.0) >= first_s]
        self.result.fresh = len(found)
        self.result.fresh_p95_s = statistics.quantiles(found, n=20)[-1]
        depth = await self._node.spool.depth()
        self.result.wrong = {
            "lost": self._number - len(arrived),
            "twice": sum(arrived.values()) - len(arrived),
            "bounced": self._states["bounced"] + self._states["expired"],
            "waiting": depth.get("ready", 0),
        }
        self.result.drained_octets = self._octets()

    async def _put(self, count: int) -> list[str]:
        """So many messages into the spool, as the intake puts them there; their recipients.

        A single one is offered from memory where there is room, as mail that has just come is.
        """
        node, now_ms = self._node, self._node.clock.now_ms()
        messages: list[QueuedMessage] = []
        offered = count == 1 and node.admit(len(BODY))
        due_ms = now_ms + LEASE_MS if offered else now_ms
        for number in range(self._number, self._number + count):
            domain = f"d{number % self.result.domains}.example"
            recipient = QueuedRecipient(0, f"u{number}@{domain}", domain, due_ms=due_ms)
            messages.append(
                QueuedMessage(
                    queue_id=f"Q{number:017}",
                    received_ms=now_ms,
                    reverse_path=AN,
                    body=Body(len(BODY), data=BODY),
                    variants=(Variant(b"Received: by us\r\n"),),
                    recipients=(recipient,),
                )
            )
        self._number += count
        await node.spool.apply(Change(messages=messages))
        node.offer(messages[0] if offered else None, len(BODY) if offered else 0)
        return [message.recipients[0].address for message in messages]

    async def _come(self) -> None:
        """New mail at the load's pace."""
        loop = asyncio.get_running_loop()
        began_s, number = loop.time(), 0
        while True:
            number += 1
            await asyncio.sleep(max(0.0, began_s + number / self.result.rate - loop.time()))
            now_s = time.monotonic()
            for recipient in await self._put(1):
                self._sent_s[recipient] = now_s

    async def _quiet(self) -> None:
        """Nothing is due any more, and all of it is told."""
        while True:
            self._scheduler.wake()
            await asyncio.sleep(0.05)
            await self._node.spool.apply(Change())
            await self._read()
            if not self._scheduler._in_flight and not await self._due():
                return

    async def _due(self) -> int:
        now_ms = self._node.clock.now_ms()
        query = "SELECT count(*) FROM recipient WHERE state='ready' AND due_ms<=?"
        return int(await self._node.spool._read(lambda c: c.execute(query, (now_ms,)).fetchone()[0]))

    async def _read(self) -> None:
        """The outbox, as the ledger would take it: what is told is forgotten."""
        spool = self._node.spool
        while events := await spool.untold(self._cursor, 500):
            self._cursor = events[-1][0]
            spool.forget_events(self._cursor)
            for _, event in events:
                if isinstance(event, OutcomeEvent):
                    self._states[event.state] += 1
                    if event.state == "deferred":
                        self._told[event.queue_id] += 1

    async def _until(self, condition: Callable[[], bool], timeout_s: float, what: str) -> None:
        end = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError(f"waited {timeout_s:g} s for {what}: {len(self._arrived())} are there")
            await self._read()
            await asyncio.sleep(0.1)

    def _arrived(self) -> Counter[str]:
        return Counter(m.recipients[0] for m in list(self._sink.messages))

    def _old(self) -> list[str]:
        return [address for address in self._arrived() if address not in self._sent_s]

    def _shares(self) -> tuple[float, float]:
        counts = Counter(address.rpartition("@")[2] for address in self._old())
        each = [counts[f"d{number}.example"] for number in range(self.result.domains)]
        mean = sum(each) / len(each)
        return min(each) / mean, max(each) / mean

    def _octets(self) -> int:
        folder = self._node.settings.data_dir / "spool" / "0"
        return sum(file.stat().st_size for file in folder.glob("spool.sqlite*"))


def rss_mb() -> float:
    """Memory of this process now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 1e6


@asynccontextmanager
async def outage(folder: Path, *, queued: int, domains: int) -> AsyncIterator[tuple[Campaign, Sink]]:
    """A node whose next hop is a sink that is to be entered when it is back."""
    clock, sink = Time(ahead_s=-float(HOUR_S)), Sink()
    with DnsServer() as dns:
        for number in range(domains):
            dns.mx(f"d{number}.example", f"mx.d{number}.example")
            dns.a(f"mx.d{number}.example", sink.host)
        settings = node_settings(
            folder,
            {
                "dns": {"nameservers": [dns.address]},
                "delivery": {"allow_networks": ["127.0.0.0/8"], "mx_port": sink.port},
            },
        )
        with running_node(settings, clock=Clock(clock.now_ms, clock.monotonic)) as node:
            scheduler = Scheduler(
                node, [node.spool], Attempt(node, Router(settings.delivery, node.resolver, settings.hostname))
            )
            node.admit, node.offer = scheduler.admit, scheduler.offer
            work = asyncio.ensure_future(scheduler.run())
            try:
                yield Campaign(node, scheduler, sink, clock, Outage(queued, domains, queued / HOUR_S)), sink
            finally:
                await scheduler.stop(1.0)
                await work
