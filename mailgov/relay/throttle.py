"""How much a next hop takes at once: less after a failure, more after successes, nothing while it is away."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mailgov.mail.reply import INTERNAL_ERROR, Reply
from mailgov.relay.route import Lane

AWAY_AFTER = 3
"""So many attempts in a row without a session: the next hop is away, and nobody else need find out."""
AWAY_S = 60.0
"""For so long, or the schedule's first wait if that is shorter, nothing is tried there; then one attempt."""
ASKED_S = 5.0
"""No sooner is one asked again that is away, although another one is back."""
LANES_LIMIT = 5000
"""Lanes remembered that are not at their best."""

Verdict = Literal["well", "busy", "away", "own"]


def verdict(replies: Sequence[Reply], *, session: bool) -> Verdict:
    """What an attempt says of the next hop; `session` is whether there was one.

    busy: 4xx for everybody, 421 above all (RFC 5321 3.8). A refusal for good is an answer like any
    other, and a fault of ours (own) tells nothing.
    """
    heard: Verdict = "busy" if session else "away"
    for reply in replies:
        if reply is INTERNAL_ERROR:
            return "own"
        if not reply.transient:
            heard = "well"
    return heard


@dataclass(slots=True)
class Throttle:
    """One lane's. A failure takes a place, as many successes as there are places give one (as in Postfix)."""

    ceiling: int
    away_s: float = AWAY_S
    limit: float = 0.0
    failures: int = 0
    away_until_s: float = 0.0
    asked_s: float = 0.0
    """When it was found away last."""
    reply: Reply | None = None
    """What the last attempt heard that found no session."""

    def __post_init__(self) -> None:
        self.limit = float(self.ceiling)

    def heed(self, ceiling: int) -> None:
        """Another number of attempts at once; one that was at its best stays so. Who is away is asked again:
        it may have been our settings.
        """
        self.away_until_s = 0.0
        self.limit = float(ceiling) if self.limit >= self.ceiling else min(self.limit, float(ceiling))
        self.ceiling = ceiling

    @property
    def places(self) -> int:
        """Attempts at once."""
        return max(1, int(self.limit))

    @property
    def at_best(self) -> bool:
        """True when there is nothing to remember."""
        return self.limit >= self.ceiling and not self.failures

    @property
    def at_rest(self) -> bool:
        """At its best, and nothing waits to pass: one more success changes nothing."""
        return self.limit >= self.ceiling and not self.failures and self.reply is None

    @property
    def was_away(self) -> bool:
        """From when it is found away until something shows that it is not."""
        return self.failures >= AWAY_AFTER

    def away(self, now_s: float) -> Reply | None:
        """While the next hop is away: what was heard, in the place of an attempt."""
        return self.reply if now_s < self.away_until_s else None

    def tell(self, heard: Verdict, reply: Reply, now_s: float) -> None:
        """What an attempt came to."""
        if heard == "own":
            return
        if heard == "well":
            self.failures, self.reply = 0, None
            self.away_until_s = 0.0
            self.limit = min(float(self.ceiling), self.limit + 1 / max(1.0, self.limit))
            return
        self.limit = max(1.0, self.limit - 1)
        self.failures = self.failures + 1 if heard == "away" else 0
        if self.failures >= AWAY_AFTER:
            self.reply, self.away_until_s, self.limit = reply, now_s + self.away_s, 1.0
            self.asked_s = now_s


class Throttles:
    """Each lane's, those that are at their best forgotten: bounded."""

    def __init__(self, ceiling: int, first_wait_s: float) -> None:
        self._ceiling, self._away_s = ceiling, min(AWAY_S, first_wait_s)
        self._known: OrderedDict[Lane, Throttle] = OrderedDict()
        self._asleep: dict[Lane, Throttle] = {}
        """Of them, those found away since `ease`: it is called for each of thousands that are back."""

    def heed(self, ceiling: int, first_wait_s: float) -> None:
        """The settings are others."""
        self._ceiling, self._away_s = ceiling, min(AWAY_S, first_wait_s)
        for throttle in self._known.values():
            throttle.heed(ceiling)

    def of(self, lane: Lane) -> Throttle:
        """The lane's; a mailbox of ours has one that nobody tells anything."""
        return self._known.get(lane) or Throttle(self._ceiling, self._away_s)

    def ease(self, now_s: float) -> None:
        """A next hop is back. Others may be, by the same cause: mail that is due may ask them now."""
        for lane, throttle in self._asleep.items():
            # A host that we have chosen may be away because of our password.
            if lane.kind == "mx" and throttle.away(now_s) is not None:
                throttle.away_until_s = min(throttle.away_until_s, throttle.asked_s + ASKED_S)
        self._asleep.clear()

    def let_go(self, lane: Lane) -> bool:
        """If it is away still, it may be asked at once."""
        throttle = self._known.get(lane)
        if throttle is None or not throttle.was_away:
            return False
        throttle.away_until_s = 0.0
        return True

    def keep(self, lane: Lane, throttle: Throttle) -> None:
        """Remember it, or forget it where it is at its best."""
        self._known.pop(lane, None)
        self._asleep.pop(lane, None)
        if throttle.at_best:
            return
        self._known[lane] = throttle
        if throttle.was_away:
            self._asleep[lane] = throttle
        if len(self._known) > LANES_LIMIT:
            forgotten, _ = self._known.popitem(last=False)
            self._asleep.pop(forgotten, None)
