"""The next hop of the campaign: it answers 4xx, drops and hangs, by chance from a seed."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

from tests.support.sink import Act, Phase, Reaction, Sink, _Gone, _Session

HANG_S = 4.0
"""Longer than the relay waits in the campaign, so that it is the relay that ends a hang."""
FAULT_SHARE = 0.03
"""Of each step; a message takes five and more."""
FAULTS: dict[str, tuple[Reaction, ...]] = {
    "connect": ("421 4.3.2 not now", Act.DROP, Act.HANG),
    "mail": ("451 4.3.0 not now", Act.DROP, Act.HANG),
    "rcpt": ("450 4.2.0 not now", "452 4.5.3 too many", Act.RESET),
    "data": ("451 4.3.0 not now", Act.DROP, Act.HANG),
    "eod": ("451 4.3.0 not now", Act.DROP, Act.HANG, Act.KEEP_AND_DROP),
}


class MoodySink(Sink):
    """`forced` holds the places in `messages` of those that were kept without a word: they come again."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._chance = random.Random(seed)
        self.moody = True
        self.faults: Counter[str] = Counter()
        self.forced: set[int] = set()

    def _scripted(self, phase: Phase, argument: str = "") -> Reaction | None:
        if not self.moody or phase not in FAULTS or self._chance.random() >= FAULT_SHARE:
            return None
        fault = self._chance.choice(FAULTS[phase])
        self.faults[fault.name if isinstance(fault, Act) else "4xx"] += 1
        if fault is Act.KEEP_AND_DROP:
            self.forced.add(len(self.messages))
        return fault

    async def _say(self, session: _Session, reaction: Reaction) -> bool:
        if reaction is Act.HANG:
            await asyncio.sleep(HANG_S)
            raise _Gone
        return await super()._say(session, reaction)
