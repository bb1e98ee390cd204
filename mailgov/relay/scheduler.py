"""Who is attempted when: lanes to next hops, leases from the spools, memory for fresh mail."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog

from mailgov.relay.attempt import Attempt, LaneSession
from mailgov.relay.node import Node
from mailgov.relay.route import Lane
from mailgov.store.spool import QueuedMessage, QueuedRecipient, Spool, SpoolError

log = structlog.get_logger()

POLL_S = 1.0
"""How often the spools are asked for what is due: waking is a hint, polling is the truth."""
IDLE_S = 1.0
"""How long a connection waits for another message to its lane."""
JOB_LIMIT = 2000
"""Jobs in memory; past it new mail is stored unleased and claimed when there is room."""


@dataclass(slots=True, eq=False)
class Job:
    """Recipients of one message that share a lane: one mail transaction."""

    spool: Spool
    message: QueuedMessage
    recipients: tuple[QueuedRecipient, ...]
    lane: Lane
    reserved: int = 0


@dataclass(slots=True, eq=False)
class _Line:
    """The jobs of one lane and how many runners serve them."""

    lane: Lane
    jobs: deque[Job] = field(default_factory=deque)
    runners: int = 0
    idle: int = 0
    wake: asyncio.Event = field(default_factory=asyncio.Event)


class Scheduler:
    """Runs attempts within the limits of `delivery`; `spools` are all that this worker holds."""

    def __init__(self, node: Node, spools: Sequence[Spool], attempt: Attempt) -> None:
        self._node, self._spools, self._attempt = node, spools, attempt
        self._limits = node.settings.delivery
        self._lines: dict[Lane, _Line] = {}
        self._waiting: dict[Lane, _Line] = {}
        self._runners: set[asyncio.Task[None]] = set()
        self._in_flight: set[tuple[str, int]] = set()
        self._reserved = 0
        self._poke = asyncio.Event()
        self._stopping = False

    # --- mail from memory -----------------------------------------------------------------

    def admit(self, size_bytes: int) -> bool:
        """Reserve room for a fresh message; False when it must wait in the spool for its turn."""
        size = self._memory(size_bytes)
        if (
            self._stopping
            or len(self._in_flight) >= JOB_LIMIT
            or self._reserved + size > self._limits.memory_bytes
        ):
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
        self._enqueue(self._node.spool, message, reserved=self._memory(size_bytes))

    def _memory(self, size_bytes: int) -> int:
        return min(size_bytes, self._node.settings.smtp.memory_body_bytes)

    def in_flight(self, queue_id: str, position: int) -> bool:
        """True while an attempt for this recipient is under way or about to be."""
        return (queue_id, position) in self._in_flight

    def wake(self) -> None:
        """Look for due mail now."""
        self._poke.set()

    # --- mail from the spools -------------------------------------------------------------

    async def run(self) -> None:
        """Claim due mail until `stop`."""
        while not self._stopping:
            self._poke.clear()
            for spool in self._spools:
                room = JOB_LIMIT - len(self._in_flight)
                if room <= 0:
                    break
                try:
                    claimed = await spool.claim(self._node.clock.now_ms(), min(room, 500))
                except SpoolError as error:
                    log.error("spool cannot be read", spool=spool.id, error=str(error))
                    continue
                for message in claimed:
                    self._enqueue(spool, message, reserved=0)
            try:
                await asyncio.wait_for(self._poke.wait(), POLL_S)
            except TimeoutError:
                continue

    async def stop(self, timeout_s: float) -> None:
        """Start nothing new; let attempts end within `timeout_s`, then cut them off (their leases lift)."""
        self._stopping = True
        self._poke.set()
        for line in self._lines.values():
            line.jobs.clear()
            line.wake.set()
        if self._runners:
            _, late = await asyncio.wait(self._runners, timeout=timeout_s)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=1.0)

    # --- lanes ----------------------------------------------------------------------------

    def _enqueue(self, spool: Spool, message: QueuedMessage, *, reserved: int) -> None:
        groups: dict[tuple[Lane, int], list[QueuedRecipient]] = {}
        for recipient in message.recipients:
            if (message.queue_id, recipient.position) not in self._in_flight:
                lane = self._attempt.router.lane(recipient.destination)
                groups.setdefault((lane, recipient.variant), []).append(recipient)
        if not groups or self._stopping:
            self._reserved -= reserved
            return
        share, first = divmod(reserved, len(groups))
        for number, ((lane, _), recipients) in enumerate(groups.items()):
            self._in_flight.update((message.queue_id, r.position) for r in recipients)
            held = share + (first if number == 0 else 0)
            self._submit(Job(spool, message, tuple(recipients), lane, held))

    def _submit(self, job: Job) -> None:
        line = self._lines.get(job.lane)
        if line is None:
            line = self._lines[job.lane] = _Line(job.lane)
        line.jobs.append(job)
        # One idle runner serves one job: a second must not wait behind a first that may hang.
        if line.idle >= len(line.jobs):
            line.wake.set()
        elif line.runners < self._limits.destination_concurrency:
            self._start(line)

    def _start(self, line: _Line) -> None:
        if len(self._runners) >= self._limits.concurrency:
            self._waiting.setdefault(line.lane, line)
            return
        line.runners += 1
        task = asyncio.ensure_future(self._serve(line))
        self._runners.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._runners.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("delivery runner failed", exc_info=error)
        while self._waiting and len(self._runners) < self._limits.concurrency:
            line = self._waiting.pop(next(iter(self._waiting)))
            if line.jobs:
                self._start(line)

    async def _serve(self, line: _Line) -> None:
        session = LaneSession(line.lane)
        try:
            while not self._stopping:
                job = await self._next(line)
                if job is None:
                    break
                try:
                    await self._attempt.run(job.spool, job.message, job.recipients, session)
                finally:
                    self._finished(job)
        finally:
            line.runners -= 1
            if line.jobs and not self._stopping:
                self._start(line)
            elif not line.runners and not line.jobs:
                self._lines.pop(line.lane, None)
            await session.close()

    async def _next(self, line: _Line) -> Job | None:
        """The lane's next job; waits a little for one where an open connection may serve it."""
        if not line.jobs and line.lane.kind != "maildir" and not self._waiting:
            line.idle += 1
            line.wake.clear()
            try:
                await asyncio.wait_for(line.wake.wait(), IDLE_S)
            except TimeoutError:
                pass
            finally:
                line.idle -= 1
        return line.jobs.popleft() if line.jobs else None

    def _finished(self, job: Job) -> None:
        self._in_flight.difference_update((job.message.queue_id, r.position) for r in job.recipients)
        self._reserved -= job.reserved
        self._node.counters.values["in_flight"] = len(self._in_flight)
        if len(self._in_flight) == JOB_LIMIT - 1:
            self._poke.set()
