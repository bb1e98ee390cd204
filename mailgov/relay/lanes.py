"""Lanes to next hops, and what each may take of a worker: places to run in, and memory to wait in.

A next hop that hangs must hold up nobody else (RFC 5321 4.5.3.2 lets one reply take ten
minutes): mailboxes of ours need no place, every lane may always have one runner and a few jobs,
and an attempt that waits long gives its place to others.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from itertools import islice, takewhile

from mailgov.relay.recovery import Round
from mailgov.relay.route import Lane
from mailgov.relay.throttle import Throttle
from mailgov.settings import DeliverySettings
from mailgov.store.spool import Change, Progress, QueuedMessage, QueuedRecipient, Spool

STALL_S = 10.0
"""An attempt that lasts longer waits for its peer, which costs a socket but no work."""
RECIPIENT_LIMIT = 2000
"""Recipients in memory, of ours and of others each; past it new mail waits in the spool."""
LANE_LIMIT = RECIPIENT_LIMIT // 2
"""Recipients of one lane in memory: one dead next hop leaves room for the others."""
LANE_FLOOR = 20
"""So many a lane may have even when the memory is full of others', up to twice the limit in all."""
ASIDE_LIMIT = RECIPIENT_LIMIT // 4
"""Reports that strangers have caused in memory; past it they wait in the spool."""
ASIDE_PART = 4
"""One connection of so many at most serves them: their hosts are the strangers' choice, and may all hang."""
DESCRIPTORS_PART = 4
"""Of the descriptors of a worker one in so many may be a connection out."""
COMPARED = 10
"""Lanes that wait for a place, looked at before each job where there are any."""
DESTINATIONS_NOTED = 1000
"""Domains that a lane is remembered by; a smarthost's may be without end."""


@dataclass(slots=True, eq=False)
class Job:
    """Recipients of one message that share a lane: one mail transaction."""

    spool: Spool
    message: QueuedMessage
    recipients: tuple[QueuedRecipient, ...]
    lane: Lane
    reserved: int = 0
    taken: Round | None = None
    """By what it was taken from the spool whenever it is due."""

    @property
    def again(self) -> bool:
        """It was tried before."""
        return self.recipients[0].attempts > 0

    def given_back(self, now_ms: int, later_ms: int, skipped: Collection[str]) -> Change:
        """Its recipients are due again: later, or now where it is their destination that is `skipped`."""
        message_id = self.message.queue_id
        waiting = []
        for r in self.recipients:
            due_ms = now_ms if r.destination in skipped else later_ms
            waiting.append(Progress(message_id, r.position, "ready", r.attempts, due_ms, r.last_reply))
        return Change(progress=waiting)


@dataclass(slots=True, eq=False)
class Line:
    """The jobs of one lane and how many runners serve them."""

    lane: Lane
    throttle: Throttle
    jobs: deque[Job] = field(default_factory=deque)
    """That wait; see `add`."""
    runners: int = 0
    waiters: list[asyncio.Future[Job | None]] = field(default_factory=list)
    """Idle runners, whose connections stay open for another job."""
    recipients: int = 0
    """In memory: waiting and under way."""
    destinations: set[str] = field(default_factory=set)
    refused: bool = False
    """Mail of the lane was left in the spool: it is asked for again when half the lane's share is free."""
    local: bool = field(init=False)
    """A mailbox of ours."""

    def __post_init__(self) -> None:
        self.local = self.lane.kind == "maildir"

    def hand_over(self, job: Job) -> bool:
        """Give the job to the runner that became idle last, if there is one, so that others may end."""
        while self.waiters:
            waiter = self.waiters.pop()
            if not waiter.done():
                waiter.set_result(job)
                return True
        return False

    def dismiss(self) -> None:
        """Idle runners need wait no longer."""
        for waiter in self.waiters:
            dismiss(waiter)

    def add(self, job: Job) -> None:
        """It waits at its place: first attempts, and beside them, one in turn, those that come again."""
        jobs = self.jobs
        if not jobs or jobs[-1].again == job.again:
            jobs.append(job)
            return
        others = sum(1 for _ in takewhile(lambda one: one.again != job.again, reversed(jobs)))
        jobs.insert(len(jobs) - others + 1, job)

    def ahead_of(self, others: Iterable[Line]) -> bool:
        """It has more places than one of the others, by more than one."""
        return not self.local and any(
            self.runners > other.runners + 1 for other in islice(others, COMPARED) if not other.lane.aside
        )


def dismiss(waiter: asyncio.Future[Job | None]) -> None:
    """Nothing came for this idle runner."""
    if not waiter.done():
        waiter.set_result(None)


@dataclass(slots=True)
class Shares:
    """Who may run and who may wait in memory. Counts recipients, and runners to other hosts."""

    limits: DeliverySettings
    descriptors: int = 1 << 20
    """That this process may have, of which the sessions that come in take a part too."""
    local: int = 0
    remote: int = 0
    runners: int = 0
    stalled: int = 0
    """Of `runners`, those whose attempt waits for its peer."""
    aside: int = 0
    """Of `remote`, reports that strangers have caused."""
    aside_runners: int = 0

    @property
    def connections(self) -> int:
        """So many out at once: where hosts hang, one must be left for who comes in, and for files."""
        return max(1, min(self.limits.connection_limit, self.descriptors // DESCRIPTORS_PART))

    def may_run(self, line: Line) -> bool:
        """True when the lane may have another runner now."""
        if line.runners >= line.throttle.places:
            return False
        if line.local:
            return True
        if self.runners >= self.connections:
            return False
        if line.lane.aside and self.aside_runners >= max(1, self.connections // ASIDE_PART):
            return False
        return line.runners == 0 or self.runners - self.stalled < self.limits.concurrency

    def full(self, line: Line, *, again: bool = False) -> bool:
        """True when no more of the lane's mail may come into memory: `again` is some that was tried before,
        and leaves a quarter to what has just come.
        """
        if line.local:
            return self.local_full
        if line.lane.aside and self.aside >= ASIDE_LIMIT:
            return True
        if line.recipients < LANE_FLOOR:
            return self.remote_full
        left = 3 if again else 4
        return line.recipients >= LANE_LIMIT * left // 4 or self.remote >= RECIPIENT_LIMIT * left // 4

    @property
    def room(self) -> bool:
        """True when fresh mail may stay in memory, wherever it goes."""
        return self.local < RECIPIENT_LIMIT and self.remote < RECIPIENT_LIMIT

    @property
    def local_full(self) -> bool:
        return self.local >= RECIPIENT_LIMIT

    @property
    def remote_full(self) -> bool:
        """True when not even a lane's floor is left."""
        return self.remote >= 2 * RECIPIENT_LIMIT

    def take(self, line: Line, job: Job) -> None:
        """The job's recipients come into memory."""
        self._count(line, len(job.recipients))
        if len(line.destinations) < DESTINATIONS_NOTED:
            for recipient in job.recipients:
                line.destinations.add(recipient.destination)

    def give(self, line: Line, job: Job) -> None:
        """They leave it."""
        self._count(line, -len(job.recipients))

    def _count(self, line: Line, number: int) -> None:
        line.recipients += number
        if line.local:
            self.local += number
        else:
            self.remote += number
            self.aside += number * line.lane.aside

    def count_runner(self, line: Line, number: int) -> None:
        """One more runs, or (-1) has ended."""
        self.runners += number * (not line.local)
        self.aside_runners += number * line.lane.aside

    def refilled(self, line: Line) -> bool:
        """True once when a lane that was full has room for a good number again."""
        if not line.refused or line.recipients > LANE_LIMIT // 2 or self.full(line):
            return False
        line.refused = False
        return True

    def skipped(self, lines: Iterable[Line]) -> frozenset[str]:
        """Destinations whose mail must stay in the spool for now; those of ours are asked for apart."""
        found: set[str] = set()
        for line in lines:
            # A domain that hangs a stranger's report may be anybody's: other mail to it goes on.
            if not line.local and not line.lane.aside and (line.refused or self.full(line)):
                line.refused = True
                found |= line.destinations
        return frozenset(found)
