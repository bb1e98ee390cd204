"""What the rounds gave, as numbers: medians, spreads, and ratios of peers that ran next to each other."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Run:
    """One peer in one round of one shape; rates are messages a second, None stands for "not measured"."""

    shape: str
    peer: str
    round: int
    sent: int
    """Messages that the load had."""
    delivered: int
    """Messages that the sink had taken when the peer had ended: as many, or the run counts for nothing."""
    accepted_rate: float
    """Until the load generator had its last 250; 0 when a message was refused."""
    delivered_rate: float
    """Until the sink had the last message."""
    cpu_s_per_1000: float | None
    """Of the whole service, until it is quiet again."""
    load_cpu_s_per_1000: float | None
    """Of load generator and sink."""
    memory_mb: float | None
    largest_mb: float | None
    """Of the service's largest process, at its highest."""
    others: float | None
    """The share of all cores that went to what is no part of the run."""

    @property
    def exact(self) -> bool:
        """Every message was accepted and delivered, once."""
        return self.accepted_rate > 0 and self.delivered == self.sent


@dataclass(frozen=True, slots=True)
class Spread:
    """Several measurements of one thing."""

    median: float
    lowest: float
    highest: float
    count: int

    @staticmethod
    def of(values: Iterable[float | None]) -> Spread | None:
        """Of those that were measured; None when none was."""
        known = [value for value in values if value is not None]
        if not known:
            return None
        return Spread(statistics.median(known), min(known), max(known), len(known))

    def __str__(self) -> str:
        if self.count == 1:
            return number(self.median)
        return f"{number(self.median)} ({number(self.lowest)}–{number(self.highest)})"


Figure = Callable[[Run], float | None]


def ratio(runs: Sequence[Run], own: str, other: str, figure: Figure) -> Spread | None:
    """`own`'s figure over `other`'s, round by round, so that a machine that slows down between rounds
    does not count. Of exact runs alone; None without a round that has both.
    """
    by_round = {(run.peer, run.shape, run.round): figure(run) for run in runs if run.exact}
    shares: list[float | None] = []
    for (peer, shape, round_), mine in by_round.items():
        theirs = by_round.get((other, shape, round_))
        if peer == own and mine is not None and theirs:
            shares.append(mine / theirs)
    return Spread.of(shares)


def others_share(machine_s: float, accounted_s: float, seconds: float, cores: int) -> float:
    """The share of all cores that went to others; clocks of unlike grain may give less than nothing: 0."""
    return max(0.0, machine_s - accounted_s) / (seconds * cores)


def number(value: float) -> str:
    """Three digits that count, or all before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
