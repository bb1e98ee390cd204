"""Time and randomness come in from outside, so that tests own them."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's: no I, L, O, U to misread
_PAIRS = tuple(first + second for first in _ALPHABET for second in _ALPHABET)


class Randomness:
    """The system's randomness, fetched a block at a time: each call of the system may wait for its turn.

    No two calls share a bit, in whichever threads; a process that forks shares none with its child.
    """

    BLOCK_BYTES = 4096

    def __init__(self) -> None:
        self._begin()
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._block = b""
        self._used = 0

    def bits(self, count: int) -> int:
        """A number of so many random bits."""
        size = (count + 7) // 8
        with self._lock:
            if self._used + size > len(self._block):
                self._block, self._used = os.urandom(max(size, self.BLOCK_BYTES)), 0
            piece = self._block[self._used : self._used + size]
            self._used += size
        return int.from_bytes(piece, "big") >> (8 * size - count)


_randomness = Randomness()


@dataclass(frozen=True, slots=True)
class Clock:
    """`now_ms`: wall clock, ms since 1970-01-01 UTC. `monotonic`: seconds for timeouts."""

    now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    monotonic: Callable[[], float] = time.monotonic
    random_bits: Callable[[int], int] = _randomness.bits

    def queue_id(self) -> str:
        """18 characters: 50 bits of time, so that ids sort by age, and 40 of chance."""
        number = ((self.now_ms() & (1 << 50) - 1) << 40) | self.random_bits(40)
        return "".join([_PAIRS[number >> shift & 1023] for shift in range(80, -1, -10)])

    def decision_id(self) -> str:
        """128 bits in hexadecimal: knowing one is the right to read its reason."""
        return f"{self.random_bits(128):032x}"


LEAP_S = 600.0
"""The wall clock went so much further than time itself: it was set, or the machine slept."""
DOUBT_S = 86_400.0
"""For so long after a leap nothing expires by the wall clock: it may be set back."""


class Steady:
    """Tells a wall clock that ran from one that leapt ahead: by one wrong answer of a time server a queue
    would expire at once. Where nothing ran for a while the clock may have leapt too, and if it did not,
    nobody has tried what is to expire: that is a leap as well.
    """

    def __init__(self, clock: Clock, last_seen_ms: int | None = None) -> None:
        """`last_seen_ms`: the wall clock when somebody last looked, in an earlier process."""
        self._clock = clock
        self._wall_ms, self._monotonic_s = clock.now_ms(), clock.monotonic()
        self._doubt_until_s = self._monotonic_s
        if last_seen_ms is not None and self._wall_ms - last_seen_ms > LEAP_S * 1000:
            self._doubt_until_s += DOUBT_S

    def doubtful(self) -> bool:
        """True for a day after a leap forward."""
        wall_ms, now_s = self._clock.now_ms(), self._clock.monotonic()
        if (wall_ms - self._wall_ms) / 1000 - (now_s - self._monotonic_s) > LEAP_S:
            self._doubt_until_s = now_s + DOUBT_S
        self._wall_ms, self._monotonic_s = wall_ms, now_s
        return now_s < self._doubt_until_s
