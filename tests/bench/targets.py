"""What the relay is asked for, beside what was measured."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tests.bench.figures import Run, Spread, number, ratio

SIGNING = ("Postfix + OpenDKIM + policy service", "Postfix + rspamd + policy service", "Exim with DKIM")
MAIN = "20"
"""The shape that the figures are asked for in; in every other one it is to be ahead of all that sign."""
FASTER = {SIGNING[0]: (3.0, 5.0), SIGNING[1]: (2.5, 3.5), "Postfix alone": (None, 4.0)}
CPU_S_PER_1000 = (1.6, 0.9)
WORKER_MB = 150.0


@dataclass(frozen=True, slots=True)
class Target:
    """A figure that must not be missed, one that is gone for, and what was found."""

    what: str
    must: float | None
    wish: float | None
    found: Spread
    least: bool = True
    """True when more is better."""
    worst: bool = False
    """True when the highest counts, not the median."""

    @property
    def verdict(self) -> str:
        """`reached` for the wish (the must where there is none), else `met`, `MISSED`, `not reached`."""
        if self.wish is not None and self._reaches(self.wish):
            return "reached"
        if self.must is None:
            return "not reached"
        if not self._reaches(self.must):
            return "MISSED"
        return "met" if self.wish is not None else "reached"

    def _reaches(self, value: float) -> bool:
        return self.found.median >= value if self.least else self._most <= value

    @property
    def _most(self) -> float:
        return self.found.highest if self.worst else self.found.median

    def row(self) -> list[str]:
        """As the table has it."""
        bounds = ("–" if each is None else number(each) for each in (self.must, self.wish))
        return [self.what, *bounds, str(self.found), self.verdict]


HEADS = ("asked for", "must", "wish", "measured", "verdict")


def targets(runs: Sequence[Run], own: str, fewer: str) -> list[Target]:
    """Those that were measured. `own` is the service, `fewer` the same with fewer workers."""
    return [*_in_the_main_shape(runs, own), *_ahead(runs, own), *_workers(runs, own, fewer)]


def _in_the_main_shape(runs: Sequence[Run], own: str) -> Iterator[Target]:
    main = [run for run in runs if run.shape == MAIN]
    for peer, (must, wish) in FASTER.items():
        if found := ratio(main, own, peer, _rate):
            yield Target(f"times as fast as {peer}", must, wish, found)
    if found := Spread.of(run.cpu_s_per_1000 for run in _exact(main, own)):
        yield Target("CPU seconds per 1,000 messages", *CPU_S_PER_1000, found, least=False)


def _ahead(runs: Sequence[Run], own: str) -> Iterator[Target]:
    """Of each signing peer in each shape; the peer that comes nearest."""
    for shape in dict.fromkeys(run.shape for run in runs):
        mine = [run for run in runs if run.shape == shape]
        found = [(spread, peer) for peer in SIGNING if (spread := ratio(mine, own, peer, _rate))]
        if found:
            spread, peer = min(found, key=lambda one: one[0].median)
            yield Target(f"ahead of every signing peer, shape {shape} (nearest: {peer})", 1.0, None, spread)


def _workers(runs: Sequence[Run], own: str, fewer: str) -> Iterator[Target]:
    main = [run for run in runs if run.shape == MAIN]
    if own != fewer and (found := ratio(main, own, fewer, _rate)):
        yield Target(f"times as fast as {fewer}", 1.0, None, found)
    if largest := Spread.of(run.largest_mb for run in _exact(runs, own)):
        yield Target(
            "MB of memory of the largest process, in any shape",
            WORKER_MB,
            None,
            largest,
            least=False,
            worst=True,
        )


def _exact(runs: Iterable[Run], peer: str) -> list[Run]:
    return [run for run in runs if run.peer == peer and run.exact]


def _rate(run: Run) -> float:
    return run.delivered_rate
