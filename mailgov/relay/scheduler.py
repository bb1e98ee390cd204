"""Who is attempted when: lanes to next hops, leases from the spools, memory for fresh mail."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import structlog

from mailgov.mail.reply import Reply
from mailgov.relay.attempt import Attempt, LaneSession
from mailgov.relay.attended import heed_clock
from mailgov.relay.lanes import STALL_S, Job, Line, Shares, dismiss
from mailgov.relay.making_way import MakingWay
from mailgov.relay.node import Node
from mailgov.relay.notify import caused_by_stranger
from mailgov.relay.patience import Patience
from mailgov.relay.recovery import Recovery, Round
from mailgov.relay.route import Lane, Router
from mailgov.relay.throttle import Throttles, Verdict
from mailgov.relay.tls_out.policies import Minimum
from mailgov.relay.wake import Waker, ways
from mailgov.store.spool import QueuedMessage, QueuedRecipient, Spool, SpoolError

log = structlog.get_logger()

POLL_S = 1.0
"""How often the spools are asked for what is due: waking is a hint, polling is the truth."""
IDLE_S = 1.0
"""How long a connection waits for another message to its lane."""
CLAIM_LIMIT = 500
"""Recipients leased in one go: bounds the transaction."""
GIVE_BACK_MS = 10_000
"""When mail that found its lane full is looked at again, where no destination's name holds it back."""
ASIDE_BACK_MS = 60_000
"""The same for reports that strangers have caused: there may be many, and nobody waits for them."""
CLOCK_CHECK_S = 60.0
"""How often the queue is compared with a clock that may have been put right."""


class Scheduler:
    """Runs attempts within the limits of `delivery`; `spools` are all that this worker holds."""

    def __init__(self, node: Node, spools: Sequence[Spool], attempt: Attempt) -> None:
        self._node, self._spools, self._attempt = node, spools, attempt
        self._limits = node.settings.delivery
        self._shares = Shares(self._limits, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        self._throttles = Throttles(self._limits.destination_concurrency, min(self._limits.retry_schedule_s))
        self._lines: dict[Lane, Line] = {}
        self._waiting: dict[Lane, Line] = {}
        self._way = MakingWay()
        self._runners: set[asyncio.Task[None]] = set()
        self._in_flight: set[tuple[str, int]] = set()
        self._reserved = 0
        self._waker = Waker(node, spools, self.wake)
        self._recovery = Recovery(
            node, spools, lambda: attempt.router, self._throttles, self._enqueue, self.in_flight
        )
        self._poke = asyncio.Event()
        self._stopping = False

    # --- mail from memory -----------------------------------------------------------------

    def admit(self, size_bytes: int) -> bool:
        """Reserve room for a fresh message; False when it must wait in the spool for its turn."""
        size = self._memory(size_bytes)
        if self._stopping or not self._shares.room or self._reserved + size > self._limits.memory_bytes:
            return False
        self._reserved += size
        return True

    def offer(self, message: QueuedMessage | None, size_bytes: int) -> None:
        """A stored and leased message, or None to give back what `admit` reserved."""
        if message is None:
            if size_bytes:
                self._reserved -= self._memory(size_bytes)
            self._poke.set()
            return
        self._enqueue(self._node.spool, message, message.recipients, reserved=self._memory(size_bytes))

    def _memory(self, size_bytes: int) -> int:
        return min(size_bytes, self._node.settings.smtp.memory_body_bytes)

    def in_flight(self, queue_id: str, position: int) -> bool:
        """True while an attempt for this recipient is under way or about to be."""
        return (queue_id, position) in self._in_flight

    def wake(self) -> None:
        """Look for due mail now."""
        self._poke.set()

    def heed(self, router: Router) -> None:
        """The node's settings are others: what waits in memory goes by them, what is under way ends first."""
        self._attempt.router = router
        self._limits = self._shares.limits = self._node.settings.delivery
        self._throttles.heed(self._limits.destination_concurrency, min(self._limits.retry_schedule_s))
        lines = list(self._lines.values())
        moved = [(line, job) for line in lines for job in line.jobs]
        for line in lines:
            line.throttle.heed(self._limits.destination_concurrency)
            line.jobs.clear()
            line.dismiss()
            if not line.runners:
                self._lines.pop(line.lane, None)
        self._waiting.clear()
        for line, job in moved:
            self._reserved += job.reserved  # it goes on with the job
            self._finished(line, job)
        for _, job in moved:
            self._enqueue(job.spool, job.message, job.recipients, job.taken, reserved=job.reserved)
        self._waker.heed(ways(router, self._node.tls))

    # --- mail from the spools -------------------------------------------------------------

    async def run(self) -> None:
        """Claim due mail until `stop`."""
        if self._node.steady.doubtful():
            log.warning("nothing ran here for a while, or the clock leapt: no mail expires for a day")
        beside = [
            asyncio.ensure_future(self._waker.run(ways(self._attempt.router, self._node.tls))),
            asyncio.ensure_future(self._recovery.run()),
        ]
        try:
            await self._claim_on()
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)

    async def _claim_on(self) -> None:
        loop = asyncio.get_running_loop()
        check_s = loop.time()
        while not self._stopping:
            self._poke.clear()
            if loop.time() >= check_s:
                check_s = loop.time() + CLOCK_CHECK_S
                await heed_clock(self._node, self._spools)
            if await self._claim():
                continue
            try:
                await asyncio.wait_for(self._poke.wait(), POLL_S)
            except TimeoutError:
                continue

    async def _claim(self) -> bool:
        """Lease what is due; True when there is more, and room for it."""
        more = False
        for spool in self._spools:
            await spool.look_for_room()
            shares = self._shares
            if shares.local_full and shares.remote_full:
                return False
            try:
                claimed = await spool.claim(
                    self._node.clock.now_ms(),
                    CLAIM_LIMIT,
                    skip=shares.skipped(self._lines.values()),
                    local=not shares.local_full,
                    remote=not shares.remote_full,
                )
            except SpoolError as error:
                log.error("spool cannot be read", spool=spool.id, error=str(error))
                continue
            for message in claimed:
                self._enqueue(spool, message, message.recipients)
            more = more or sum(len(message.recipients) for message in claimed) == CLAIM_LIMIT
        return more and self._shares.room

    async def stop(self, timeout_s: float) -> None:
        """Start nothing new; let attempts end within `timeout_s`, then cut them off (their leases lift)."""
        self._stopping = True
        self._poke.set()
        for line in self._lines.values():
            line.jobs.clear()
            line.dismiss()
        if self._runners:
            _, late = await asyncio.wait(self._runners, timeout=timeout_s)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=1.0)

    # --- lanes ----------------------------------------------------------------------------

    def _enqueue(
        self,
        spool: Spool,
        message: QueuedMessage,
        recipients: Sequence[QueuedRecipient],
        taken: Round | None = None,
        *,
        reserved: int = 0,
    ) -> None:
        groups: dict[tuple[Lane, int], list[QueuedRecipient]] = {}
        aside = caused_by_stranger(message)
        for recipient in recipients:
            if (message.queue_id, recipient.position) not in self._in_flight:
                lane = self._attempt.router.lane(recipient.destination)
                if aside and lane.kind == "mx":  # a next hop that we have chosen hangs for nobody's sake
                    lane = replace(lane, aside=True)
                groups.setdefault((lane, recipient.variant), []).append(recipient)
        if not groups or self._stopping:
            self._reserved -= reserved
            return
        share, first = divmod(reserved, len(groups))
        for (lane, _), group in groups.items():
            self._submit(Job(spool, message, tuple(group), lane, share + first, taken))
            first = 0

    def _submit(self, job: Job) -> None:
        line = self._lines.get(job.lane) or Line(job.lane, self._throttles.of(job.lane))
        if self._shares.full(line, again=job.again):
            line.refused = True
            self._give_back(line, job)
            return
        self._lines[job.lane] = line
        for recipient in job.recipients:
            self._in_flight.add((job.message.queue_id, recipient.position))
        self._shares.take(line, job)
        if job.taken is not None:
            self._recovery.taken(job.taken)
        # One idle runner serves one job: a second must not wait behind a first that may hang.
        if line.hand_over(job):
            return
        line.add(job)
        if line.runners < line.throttle.places:
            self._start(line)

    def _give_back(self, line: Line, job: Job) -> None:
        """The lane is full: the lease ends and the recipients wait in the spool."""
        now_ms = self._node.clock.now_ms()
        later_ms = now_ms + (ASIDE_BACK_MS if line.lane.aside else GIVE_BACK_MS)
        skipped = frozenset[str]() if line.lane.aside else line.destinations
        job.spool.apply_later(job.given_back(now_ms, later_ms, skipped))
        self._reserved -= job.reserved

    def _start(self, line: Line) -> None:
        if not self._shares.may_run(line):
            if self._waiting.get(line.lane) is not line:  # one of before may stand there, which has ended
                self._waiting[line.lane] = line
                self._make_way()
            return
        line.runners += 1
        self._shares.count_runner(line, 1)
        task = asyncio.ensure_future(self._serve(line))
        self._runners.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._runners.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("delivery runner failed", exc_info=error)
        self._fill()

    def _fill(self) -> None:
        """Give free places to the lanes that wait for one, in turn."""
        for lane, line in list(self._waiting.items()):
            if not line.jobs or self._shares.may_run(line):
                del self._waiting[lane]
            if line.jobs and self._shares.may_run(line):
                self._start(line)
                if len(line.jobs) > 1:  # its turn for another comes after the others'
                    self._waiting.setdefault(lane, line)

    def _make_way(self) -> None:
        if self._shares.runners >= self._shares.connections:
            self._way.make(self._waiting.values())

    async def _serve(self, line: Line) -> None:
        session, patience = LaneSession(line.lane), Patience(asyncio.get_running_loop())
        try:
            while not self._stopping and not session.gave_way and line.runners <= line.throttle.places:
                if self._waiting and line.ahead_of(self._waiting.values()):
                    break
                job = await self._next(line, patience)
                if job is None:
                    break
                await self._run(line, job, session, patience)
        finally:
            patience.close()
            line.runners -= 1
            self._shares.count_runner(line, -1)
            self._way.left(session)
            if line.jobs and not self._stopping and line.runners < line.throttle.places:
                if session.gave_way or self._waiting:  # for the others first
                    self._waiting.pop(line.lane, None)
                    self._waiting[line.lane] = line
                else:
                    self._start(line)
            elif not line.runners and not line.jobs:
                self._lines.pop(line.lane, None)
            await session.close()

    async def _run(self, line: Line, job: Job, session: LaneSession, patience: Patience) -> None:
        """One attempt; when it lasts, it waits for a peer and its place is free."""
        now_s = self._node.clock.monotonic()
        reply = line.throttle.away(now_s)
        if reply is not None and not self._recovery.may_ask(line.lane, now_s):
            await self._put_off(line, job, reply)
            return
        stalled = False

        def stall() -> None:
            nonlocal stalled
            stalled = True
            self._shares.stalled += not line.local
            if not line.local:
                self._way.lasts(session)
                self._make_way()
            self._fill()

        patience.begin(STALL_S, stall)
        try:
            router, asked = self._attempt.router, self._asked(job)
            await self._attempt.run(job.spool, job.message, job.recipients, session)
            self._learn(line, session)
            if self._attempt.router is not router:
                self._go_again(job, asked)
        finally:
            patience.end()
            self._way.over(session)
            self._shares.stalled -= stalled and not line.local
            self._finished(line, job)

    def _asked(self, job: Job) -> Minimum | None:
        return self._node.tls.minimum(job.lane, (r.destination for r in job.recipients))

    def _go_again(self, job: Job, asked: Minimum | None) -> None:
        """Who is to go another way by now, or by other TLS, and waits, does not wait by the old one."""
        router, other = self._attempt.router, self._asked(job) != asked
        gone = {r.destination for r in job.recipients if other or router.lane(r.destination) != job.lane}
        if gone:
            self._waker.back({one.rpartition("@")[2] for one in gone})

    async def _put_off(self, line: Line, job: Job, reply: Reply) -> None:
        """The next hop is away: all that waits for it in memory is deferred in one go, unattempted."""
        jobs = [job, *line.jobs]
        line.jobs.clear()

        async def one_of_them(one: Job) -> None:
            waiting: Sequence[QueuedRecipient] = one.recipients
            if one.taken is not None:  # before its time: were it counted, a next hop that flaps cost it hours
                waiting = [replace(r, attempts=r.attempts - 1) for r in waiting]
            try:
                await self._attempt.put_off(one.spool, one.message, waiting, reply)
            finally:  # not when all are: woken meanwhile it would be leased as one in flight, and left
                self._finished(line, one)

        await asyncio.gather(*map(one_of_them, jobs))

    def _learn(self, line: Line, session: LaneSession) -> None:
        """What the attempt says of the next hop: fewer runners end by themselves, more are started here."""
        if line.local or session.heard is None:
            return
        heard, reply = session.heard
        if heard != "well" or not line.throttle.at_rest or self._recovery.listening:
            self._told(line, heard, reply)
        if line.jobs and line.runners < line.throttle.places:
            self._start(line)

    def _told(self, line: Line, heard: Verdict, reply: Reply) -> None:
        was_away, now_s = line.throttle.was_away, self._node.clock.monotonic()
        line.throttle.tell(heard, reply, now_s)
        if heard != "well" or was_away or self._recovery.listening:
            self._recovery.heard(line.lane, heard, now_s, was_away=was_away, away=line.throttle.was_away)
            if heard == "well" and was_away:  # mailboxes of ours that are kept elsewhere
                self._waker.back({one.rpartition("@")[2] for one in line.destinations if "@" in one})
        self._throttles.keep(line.lane, line.throttle)

    async def _next(self, line: Line, patience: Patience) -> Job | None:
        """The lane's next job; waits a little for one where an open connection may serve it."""
        if line.jobs:
            return line.jobs.popleft()
        if line.local or self._others_wait(line):
            return None
        waiter: asyncio.Future[Job | None] = asyncio.get_running_loop().create_future()
        line.waiters.append(waiter)
        patience.begin(IDLE_S, partial(dismiss, waiter))
        try:
            return await waiter
        finally:
            patience.end()
            if waiter in line.waiters:
                line.waiters.remove(waiter)

    def _others_wait(self, line: Line) -> bool:
        """Whether its place is wanted: reports that strangers have caused wait for each other's alone."""
        return bool(self._waiting) and any(line.lane.aside or not lane.aside for lane in self._waiting)

    def _finished(self, line: Line, job: Job) -> None:
        had_room = self._shares.room
        for recipient in job.recipients:
            self._in_flight.discard((job.message.queue_id, recipient.position))
        self._shares.give(line, job)
        self._reserved -= job.reserved
        if job.taken is not None:
            self._recovery.over(job.taken)
        self._node.counters.values["in_flight"] = len(self._in_flight)
        if self._shares.room > had_room or self._shares.refilled(line):
            self._poke.set()
