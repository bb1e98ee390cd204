"""When operations go to the spool's writer, and how many together.

They gather where they come from, on the loop, and go as one batch while the writer is idle: each time that
its thread wakes up, both wait for the interpreter. Lazy ones (outcomes: losing one costs a repeated delivery,
never a message) wait a little for company.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mailgov.store.spool.model import Change, SpoolError, SpoolFull

Operation = Callable[[sqlite3.Connection], Any]
Answers = list[tuple[asyncio.Future[Any], Any]]

OFTEN_S = 0.05
"""Mail comes often where the last commit is not older than this."""
WINDOWS = 4
"""So many times a batch's window may begin anew."""
LAZY_S = 0.05
"""How long lazy operations wait, where no other takes them along."""
TICK_S = 0.001
"""Timers of the loop count in these."""


@dataclass(slots=True)
class Job:
    """One operation. `future` hears its result; a lazy one has none."""

    work: Operation | Change
    future: asyncio.Future[Any] | None = None
    after: Callable[[Any], None] | None = None
    """Called in the writer's thread with the result, where there is one, once it is on disk."""
    grows: bool = False
    """It brings new mail: refused while the disk is full, so that what there is can leave."""


@dataclass(slots=True)
class Batch:
    """What shares a transaction, and the loop that waits for its end."""

    jobs: list[Job]
    loop: asyncio.AbstractEventLoop | None


class Gathering:
    """Collects operations in order; `hand` takes a batch, and `done` is called after its commit.

    A batch waits for company where the one before it had some, or where mail comes often and `expected` says
    that more is on its way: a commit costs as much as several messages in it. It waits `window_s` after each
    that came, a few times as long in all. A lone session is not slowed.
    """

    def __init__(
        self,
        hand: Callable[[Batch], None],
        *,
        window_s: float,
        group_limit: int,
        queue_limit: int,
        expected: Callable[[], int],
    ) -> None:
        self._hand, self._expected = hand, expected
        self._window_s, self._group_limit, self._queue_limit = window_s, group_limit, queue_limit
        self._lock = threading.Lock()
        self._urgent: list[Job] = []
        self._lazy: list[Job] = []
        self._lazy_since = 0.0
        self._out = 0
        """Batches with the writer."""
        self._wanted = 1
        """How many urgent operations go without waiting on."""
        self._come = 0
        """How many were there when this was last thought over."""
        self._window_end = self._latest = 0.0
        self._last_group, self._committed = 0, 0.0
        self._turn: asyncio.AbstractEventLoop | None = None
        """At the end of its turn what came in it goes together."""
        self._timer: asyncio.TimerHandle | None = None
        self._timer_loop: asyncio.AbstractEventLoop | None = None
        self._timer_due = 0.0
        self._closing = False

    def add(self, job: Job, loop: asyncio.AbstractEventLoop | None) -> None:
        """Take an operation in, from the thread of `loop`, which answers are for.

        Raises SpoolError after `close`, and SpoolFull where too many wait; a lazy one is never refused.
        """
        with self._lock:
            if job.future is None:
                if not self._lazy:
                    self._lazy_since = time.monotonic()
                self._lazy.append(job)
            else:
                if self._closing:
                    raise SpoolError("the spool is closing")
                if len(self._urgent) >= self._queue_limit:
                    raise SpoolFull("too many operations wait for the spool")
                self._urgent.append(job)
            if loop is None:
                self._consider(None)
            elif job.future is None and self._timer is not None and self._timer_loop is loop:
                pass  # it comes no later than this one is due
            elif not self._out and self._turn is not loop:
                self._turn = loop
                loop.call_soon(self._turned, loop)

    def done(self, batch: Batch, answers: Answers) -> int:
        """A batch's end, told by the writer's thread; returns how many answers found nobody to hear them."""
        with self._lock:
            self._out -= 1
            self._last_group = sum(job.future is not None for job in batch.jobs)
            self._committed = time.monotonic()
            if batch.loop is None:  # nobody else asks what came in meanwhile
                self._consider(None)
        by_loop: dict[asyncio.AbstractEventLoop, Answers] = {}
        if batch.loop is not None:
            by_loop[batch.loop] = []
        for future, result in answers:
            by_loop.setdefault(future.get_loop(), []).append((future, result))
        unheard = 0
        for loop, some in by_loop.items():
            try:
                loop.call_soon_threadsafe(self._back, loop, some)
            except RuntimeError:  # the loop is closed
                unheard += len(some)
        return unheard

    def close(self) -> None:
        """Hand over all that waits, and take no more."""
        with self._lock:
            self._closing = True
            while self._urgent or self._lazy:
                self._go(None)

    def _back(self, loop: asyncio.AbstractEventLoop, answers: Answers) -> None:
        for future, result in answers:
            if future.done():
                continue
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)
        if self._urgent or self._lazy:
            loop.call_soon(self._again, loop)  # who was answered goes first, and is no longer expected

    def _turned(self, loop: asyncio.AbstractEventLoop) -> None:
        self._turn = None
        self._again(loop)

    def _fired(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        self._again(loop)

    def _again(self, loop: asyncio.AbstractEventLoop) -> None:
        with self._lock:
            self._consider(loop)

    def _consider(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """Hand over what is due, if the writer is idle; else see to it that this is asked again in time."""
        if self._out or not (self._urgent or self._lazy):
            return
        now = time.monotonic()
        if self._urgent:
            if len(self._urgent) != self._come:
                self._company(now)
            left = 0.0 if len(self._urgent) >= self._wanted else min(self._window_end, self._latest) - now
        else:
            left = self._lazy_since + LAZY_S - now
        if left < TICK_S or loop is None:
            self._go(loop)
        else:
            self._arm(loop, now + left, left)

    def _company(self, now: float) -> None:
        """Somebody came: how many more to wait for, and how long."""
        often = now - self._committed < OFTEN_S
        if not self._come:
            self._wanted, self._latest = max(self._last_group, 1), now + WINDOWS * self._window_s
        if often:
            self._wanted = max(self._wanted, self._expected())
        self._wanted = min(self._wanted, self._group_limit)
        self._come, self._window_end = len(self._urgent), now + self._window_s

    def _arm(self, loop: asyncio.AbstractEventLoop, due: float, left: float) -> None:
        timer = self._timer
        if timer is not None and self._timer_loop is loop:
            if self._timer_due <= due:
                return
            timer.cancel()
        self._timer, self._timer_loop, self._timer_due = loop.call_later(left, self._fired, loop), loop, due

    def _go(self, loop: asyncio.AbstractEventLoop | None) -> None:
        urgent = self._group_limit
        lazy = max(0, urgent - len(self._urgent))
        jobs = self._urgent[:urgent] + self._lazy[:lazy]
        del self._urgent[:urgent], self._lazy[:lazy]
        if self._lazy:
            self._lazy_since = time.monotonic()
        self._come = 0
        self._out += 1
        self._hand(Batch(jobs, loop))
