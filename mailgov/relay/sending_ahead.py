"""What a worker has counted of its senders' limits ahead, and whom they are known to have met.

Most of what is sent is so counted in memory: a transaction that all workers share, for each recipient,
was a third of what a message cost. Bounded; lost with the worker, whose senders may then send less
by what it held, never more.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from mailgov.store import sending
from mailgov.store.guard import Guard
from mailgov.store.sending import REMEMBER_MS, Charge, Counted, Over

IDLE_MS = 3_000
"""What was not touched for so long goes back: another worker may want it."""
HELD_LIMIT = 10_000
MET_LIMIT = 50_000


@dataclass(slots=True)
class _Held:
    count: int
    used_ms: int


class Ahead:
    """One worker's; for its event loop alone."""

    def __init__(self, guard: Guard, executor: Executor, now_ms: Callable[[], int]) -> None:
        self._guard, self._executor, self._now_ms = guard, executor, now_ms
        # A limit that was changed is another key: nothing counted under the old one serves it.
        self._held: OrderedDict[tuple[str, str, int], _Held] = OrderedDict()
        self._met: OrderedDict[tuple[str, str], int] = OrderedDict()

    async def charge(self, charges: Sequence[Charge], scope: str, outside: Sequence[str]) -> Over | None:
        """As `sending.charge`, in memory where what is held suffices."""
        now_ms = self._now_ms()
        if all(now_ms - self._met.get((scope, one), 0) <= REMEMBER_MS for one in outside):
            charges = [one for one in charges if one.amount is not None]  # no stranger among them
            outside = ()
        short = [one for one in charges if not self._use(one, now_ms)]
        if not short and not outside:
            return None
        result = await asyncio.get_running_loop().run_in_executor(
            self._executor, sending.charge, self._guard, short, scope, outside, now_ms
        )
        if isinstance(result, Counted):
            self._keep(short, result, now_ms)
            self._note_met(scope, outside, now_ms)
        elif result is not None:
            for one in charges:
                if one not in short:
                    self._held_of(one, now_ms).count += one.amount or 0
            return result
        return None

    async def run(self) -> None:
        """Hand back what is idle, for ever."""
        while True:
            await asyncio.sleep(IDLE_MS / 1000)
            await self.hand_back(idle_ms=IDLE_MS)

    async def hand_back(self, *, idle_ms: int = 0) -> None:
        """Give back what was not used for `idle_ms`."""
        now_ms = self._now_ms()
        idle = [key for key, held in self._held.items() if abs(now_ms - held.used_ms) >= idle_ms]
        taken = [(key, self._held.pop(key).count) for key in idle]
        unused = [(key, span, count) for (key, span, _), count in taken if count > 0]
        if unused:
            await asyncio.get_running_loop().run_in_executor(
                self._executor, sending.hand_back, self._guard, unused
            )

    def _use(self, one: Charge, now_ms: int) -> bool:
        held = self._held.get((one.key, one.span, one.limit))
        if held is None or one.amount is None or held.count < one.amount:
            return False
        held.count -= one.amount
        held.used_ms = now_ms
        return True

    def _keep(self, charges: Iterable[Charge], result: Counted, now_ms: int) -> None:
        for one in charges:
            if more := result.ahead.get(one.key):
                self._held_of(one, now_ms).count += more

    def _held_of(self, one: Charge, now_ms: int) -> _Held:
        key = (one.key, one.span, one.limit)
        held = self._held.get(key)
        if held is None:
            if len(self._held) >= HELD_LIMIT:
                self._held.popitem(last=False)  # counted as sent, though it was not: the sender has it less
            held = self._held[key] = _Held(0, now_ms)
        return held

    def _note_met(self, scope: str, outside: Iterable[str], now_ms: int) -> None:
        for one in outside:
            self._met[scope, one] = now_ms
            self._met.move_to_end((scope, one))
        while len(self._met) > MET_LIMIT:
            self._met.popitem(last=False)
