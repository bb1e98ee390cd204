"""Next hops that are back: what waits for them leaves whatever the schedule says, and in turn.

After an outage each destination has its part of what a worker does, however much waits for the others
(F21: an hour without any next hop, and fifty thousand messages). The mail stays in the spool, and each claim
takes a little for each destination.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

import structlog

from mailgov.relay.node import Node
from mailgov.relay.route import Lane, Router
from mailgov.relay.throttle import LANES_LIMIT, Throttles, Verdict
from mailgov.relay.wake import EVERYBODY
from mailgov.store.spool import Change, Progress, QueuedMessage, QueuedRecipient, Spool, SpoolError, Turn

log = structlog.get_logger()

MEMORY_LIMIT = 1000
"""Messages in memory that were taken so; the rest of the memory is left to mail that has just come."""
LANE_PART = 4
"""Of one lane so many for each of its places, as long as there is memory for that."""
EACH = 10
"""Messages for a destination in one turn, where others share its lane."""
TAKE_LIMIT = 500
"""Recipients leased in one go: bounds the transaction."""
PACE_S = 0.05
"""From one go to the next: each lane has some in memory meanwhile."""
NAMES_LIMIT = 5000
"""Destinations of one lane that take turns; a smarthost's may be without end: more come as these are done."""
PAGE = 500
"""Destinations that are looked up in one go."""
SILENCE_S = 10.0
"""Where nobody was reached for so long, it was us: one that is back speaks for who fell silent meanwhile."""
TRIALS = 3
"""Messages that ask one that fell silent with others, as long as it puts them off with a word."""
FELL = 3
"""So many fell silent together: it is us."""
ASKED_S = 5.0
"""Then one of all that are away is asked so often."""
AGAIN_MS = 60_000
"""A message whose last attempt ends at this very moment is taken so much later."""


@dataclass(slots=True, eq=False)
class Round:
    """What waits in one spool for one lane."""

    spool: Spool
    lane: Lane
    name: str
    """One of its destinations, to know it by in a later life; `*` for those without a way of their own."""
    turns: deque[tuple[str, int]]
    """Destinations, each with the row of the message that it has had last."""
    listed: str | None = None
    """Destinations behind this name are to be looked up yet; None: there are no more."""
    trials: int = 0
    """So many messages, one after the other, may find out whether the next hop takes mail; 0: it does."""
    asked: bool = False
    """One of them is on its way, or was the last."""
    out: int = 0
    """Messages in memory."""

    @property
    def over(self) -> bool:
        return not self.turns and self.listed is None


Enqueue = Callable[[Spool, QueuedMessage, Sequence[QueuedRecipient], Round], None]


@dataclass(slots=True, eq=False)
class Recovery:
    """One worker's. `enqueue` takes what was claimed; for each message of it in memory `taken` and `over`."""

    node: Node
    spools: Sequence[Spool]
    router: Callable[[], Router]
    throttles: Throttles
    enqueue: Enqueue
    in_flight: Callable[[str, int], bool]
    listening: bool = False
    """True while success is news too: see `heard`."""
    out: int = 0
    _rounds: dict[tuple[str, Lane], Round] = field(default_factory=dict)
    """By spool and lane; who was served last comes last."""
    _silent_s: float | None = None
    """Since when each attempt found no session; None: the last one did, or nothing was tried."""
    _asked_s: float = 0.0
    _fell: dict[Lane, None] = field(default_factory=dict)
    """Lanes that were found away since then, and were not before."""
    _noted: dict[str, list[str]] = field(default_factory=dict)
    """By spool: who is being served, as it is written down there."""
    _wanted: asyncio.Event = field(default_factory=asyncio.Event)

    # --- what attempts say ----------------------------------------------------------------

    def heard(self, lane: Lane, verdict: Verdict, now_s: float, *, was_away: bool, away: bool) -> None:
        """An attempt's verdict, and whether the lane counted as away before it and after it.

        Where it went well, to a lane that was not away, this need be told while `listening` alone.
        """
        if verdict == "away":
            if self._silent_s is None:
                self._silent_s = self._asked_s = now_s
            if away and not was_away:
                self._fell[lane] = None
                if len(self._fell) > LANES_LIMIT:  # the throttles too know the last ones
                    del self._fell[next(iter(self._fell))]
            if away:  # it begins anew when the lane is back
                for spool in self.spools:
                    if self._rounds.pop((spool.id, lane), None) is not None:
                        self._wanted.set()
        elif verdict != "own":
            self._sound(lane, now_s)
            if verdict == "well":
                self._well(lane, now_s, was_away)
            else:
                self._busy(lane, was_away)
        self.listening = self._silent_s is not None or bool(self._rounds)

    def may_ask(self, lane: Lane, now_s: float) -> bool:
        """True once in a while for one that is away, where nobody is reached. A host that we have chosen may
        be away because of our password: it is left in peace.
        """
        if lane.kind != "mx" or len(self._fell) < FELL or now_s < self._asked_s + ASKED_S:
            return False
        self._asked_s = now_s
        return True

    def _sound(self, lane: Lane, now_s: float) -> None:
        """The silence has an end: each that fell silent with the others is asked, by one message."""
        silent_s, fell = self._silent_s, self._fell
        self._silent_s, self._fell = None, {}
        if silent_s is not None and now_s - silent_s >= SILENCE_S:
            for one in fell:
                if one != lane and self.throttles.let_go(one):
                    self._begin(one, TRIALS)

    def _known(self, spool: Spool, lane: Lane) -> Round | None:
        """What strangers have caused goes to the same host, and may be what asks it."""
        return self._rounds.get((spool.id, replace(lane, aside=False) if lane.aside else lane))

    def _well(self, lane: Lane, now_s: float, was_away: bool) -> None:
        for spool in self.spools:
            known = self._known(spool, lane)
            if known is not None and known.trials:
                known.trials = 0
                self._wanted.set()
        if was_away:
            self.throttles.ease(now_s)
            self._begin(lane)
            log.info("a next hop is back: what waited for it leaves", lane=lane.target)

    def _busy(self, lane: Lane, was_away: bool) -> None:
        """It talks to us again. The refusal may have been that one recipient's, so another one is tried."""
        for spool in self.spools:
            known = self._known(spool, lane)
            if known is not None:
                self._ask_another(known)
        if was_away:
            self._begin(lane, TRIALS)

    def _ask_another(self, one: Round) -> None:
        """The last one that was to ask got no answer for all."""
        if one.trials > 1:
            one.trials -= 1
            one.asked = False
            self._wanted.set()

    def _begin(self, lane: Lane, trials: int = 0) -> None:
        router = self.router()
        everybody = lane == router.default
        names = () if everybody else router.named(lane)
        if names:  # what strangers have caused goes to the same host
            lane = router.lane(names[0])
        for spool in self.spools:
            known = self._rounds.get((spool.id, lane))
            if known is None and len(self._rounds) < LANES_LIMIT:
                turns = deque((name, 0) for name in names)
                listed = "" if everybody else None
                name = EVERYBODY if everybody else names[0] if names else ""
                self._rounds[spool.id, lane] = Round(spool, lane, name, turns, listed, trials)
            elif known is not None and not trials:
                known.trials = 0
        self._wanted.set()

    # --- mail from the spools -------------------------------------------------------------

    def taken(self, one: Round) -> None:
        """A message of the round is in memory."""
        one.out += 1
        self.out += 1

    def over(self, one: Round) -> None:
        """It has left memory."""
        one.out -= 1
        self.out -= 1
        self._look_back(one)
        self._wanted.set()

    def _look_back(self, one: Round) -> None:
        """What was to ask may have left without a word of the next hop: lane full, fault of ours."""
        if one.asked and not one.out:
            self._ask_another(one)

    async def run(self) -> None:
        """Take what waits, for ever; first for whom an earlier life had not come to the end."""
        for spool in self.spools:
            await self._remember(spool)
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            for spool in self.spools:
                try:
                    await self._serve(spool)
                    await self._note(spool)
                except SpoolError as error:  # what is left comes by the schedule
                    log.error("spool cannot be read", spool=spool.id, error=str(error))
                    for key in [key for key in self._rounds if key[0] == spool.id]:
                        del self._rounds[key]
            self.listening = self._silent_s is not None or bool(self._rounds)
            await asyncio.sleep(PACE_S)

    async def _serve(self, spool: Spool) -> None:
        for one in [one for one in self._rounds.values() if one.spool is spool]:
            await self._list(one)
        self._tidy(spool)
        picked = self._pick(spool)
        if not picked:
            return
        messages, until = await spool.take(self.node.clock.now_ms(), [turn for _, turn in picked], TAKE_LIMIT)
        rounds = {turn.destination: one for one, turn in picked}
        for message in messages:
            self._hand_over(spool, message, rounds)
        for (one, turn), after in zip(picked, until, strict=True):
            if after is not None:
                one.turns.append((turn.destination, after))
            self._look_back(one)
        self._wanted.set()

    async def _remember(self, spool: Spool) -> None:
        try:
            names = await spool.noted("recovering") or []
        except SpoolError as error:
            log.error("spool cannot be read", spool=spool.id, error=str(error))
            return
        self._noted[spool.id] = names
        router = self.router()
        for name in names:
            lane = router.default if name == EVERYBODY else router.lane(name)
            if lane is not None:
                self._begin(lane, TRIALS)

    async def _note(self, spool: Spool) -> None:
        names = sorted({one.name for one in self._rounds.values() if one.spool is spool})
        if names != self._noted.get(spool.id, []):
            await spool.note("recovering", names)
            self._noted[spool.id] = names

    async def _list(self, one: Round) -> None:
        if one.listed is None or len(one.turns) > NAMES_LIMIT // 2:
            return
        names = await one.spool.destinations(one.listed, PAGE)
        one.listed = names[-1] if len(names) == PAGE else None
        router = self.router()
        one.turns.extend((name, 0) for name in names if "@" not in name and router.lane(name) == one.lane)
        if (
            one.listed is not None and not one.turns
        ):  # a page of others' names; nothing else asks for the next
            self._wanted.set()

    def _pick(self, spool: Spool) -> list[tuple[Round, Turn]]:
        """Turns for rounds that have room in memory, who was served last coming last."""
        picked: list[tuple[Round, Turn]] = []
        # Who has been asked in vain waits for a word: a part of the memory is of no use to him.
        serving = sum(not (one.trials and one.asked) for one in self._rounds.values())
        total, most = self.out, MEMORY_LIMIT // max(1, serving)
        for key, one in list(self._rounds.items()):
            wanted = self._wants(one, most)
            # One that has none in memory is served although others, which may hang, have taken all of it.
            limit = MEMORY_LIMIT if one.out else MEMORY_LIMIT + MEMORY_LIMIT // 4
            wanted = min(wanted, limit - total)
            if one.spool is not spool or wanted <= 0 or not one.turns:
                continue
            self._rounds[key] = self._rounds.pop(key)
            one.asked = one.trials > 0
            total += wanted
            turns = min(len(one.turns), max(1, wanted // EACH))
            for _ in range(turns):
                name, after = one.turns.popleft()
                picked.append((one, Turn(name, after, wanted // turns)))
            if total - self.out >= TAKE_LIMIT:
                break
        return picked

    def _wants(self, one: Round, most: int) -> int:
        """So many messages more in memory; none before half of what it may have is gone."""
        if one.trials:
            return not one.asked
        target = max(2, min(most, LANE_PART * self.throttles.of(one.lane).places))
        return target - one.out if 2 * one.out <= target else 0

    def _hand_over(self, spool: Spool, message: QueuedMessage, rounds: dict[str, Round]) -> None:
        by_round: dict[Round, list[QueuedRecipient]] = {}
        ending: list[QueuedRecipient] = []
        for recipient in message.recipients:
            if self.in_flight(message.queue_id, recipient.position):
                ending.append(recipient)
            else:
                by_round.setdefault(rounds[recipient.destination], []).append(recipient)
        if ending:
            spool.apply_later(Change(progress=self._later(message, ending)))
        for one, recipients in by_round.items():
            self.enqueue(spool, message, recipients, one)

    def _later(self, message: QueuedMessage, recipients: Iterable[QueuedRecipient]) -> list[Progress]:
        due_ms = self.node.clock.now_ms() + AGAIN_MS
        return [
            Progress(message.queue_id, r.position, "ready", r.attempts, due_ms, r.last_reply)
            for r in recipients
        ]

    def _tidy(self, spool: Spool) -> None:
        for key in [key for key, one in self._rounds.items() if one.spool is spool and one.over]:
            del self._rounds[key]
