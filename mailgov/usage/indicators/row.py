"""An indicator's figure, and the row that a report shows of it.

A *counter* says what an indicator comes to (`Figure`: numerator, denominator, where both come
from) and judges nothing. `usage.targets` knows what the documents ask for; `indicators.judge`
joins the two into an `IndicatorRow`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from mailgov.policy import Providers
from mailgov.policy.obligations import Obligation
from mailgov.store.agencies import AgencySpan
from mailgov.store.directory import Session
from mailgov.store.engine import Database
from mailgov.usage.definitions import Definition
from mailgov.usage.notes import Note
from mailgov.usage.periods import Period, Span

Parts = Mapping[str, int | None]
"""Whole numbers by name; None for one that is not known."""


@dataclass(frozen=True, slots=True)
class Activity:
    """Addresses of personal accounts that wrote to somebody else in the period, not automatically.

    `each`: in each of its months (of those begun, in a running one); None where nothing of some
    month was observed. `some`: in any of them.
    """

    each: frozenset[str] | None
    some: frozenset[str]
    sample: bool


@dataclass(frozen=True, slots=True)
class Question:
    """What a counter is asked: one obligation over one period, in one open transaction.

    `agency` confines the answer to one agency (its stored code); None asks for every agency of
    `directory` and for the province. `observed` are the days, today excluded, since the first
    traffic record.
    """

    db: Database
    """The held transaction in the shape of a ledger, for queries that take one."""
    session: Session
    obligation: Obligation
    period: Period
    today: date
    observed: Span
    agency: str | None
    directory: Mapping[str, tuple[AgencySpan, ...]]
    """Every agency's dated spans by code, the oldest first; of those asked for alone."""
    activity: Activity
    exempt: frozenset[str]
    """Agencies outside the obligation on the period's last day; they are in no province figure."""
    committee: str
    """The code of UBND tỉnh's own agency."""
    providers: Providers
    timezone: str

    @property
    def day(self) -> date:
        """The day that states are told for: the period's last, in a running period today."""
        return min(self.period.span.last, self.today)

    def existing(self) -> list[str]:
        """Codes of the agencies that exist on `day`, in order."""
        day = self.day
        return sorted(
            code for code, spans in self.directory.items() if any(span.holds(day) for span in spans)
        )

    def covered(self, day: date | None = None) -> list[str]:
        """Codes of the agencies that the province's figure is made of, in order: those that exist on
        `day` (default: `self.day`), at a level that the obligation names, and not exempt.
        """
        on = self.day if day is None else day
        return sorted(
            code
            for code, spans in self.directory.items()
            if code not in self.exempt
            and any(span.holds(on) and span.level in self.obligation.levels for span in spans)
        )


@dataclass(frozen=True, slots=True)
class Figure:
    """What an indicator comes to for one agency, or (agency None) for the province.

    None where a number is not known, with a note that says why; 0 is a number. Leave percent,
    a numerator above its denominator and a denominator of 0 to `judge`, which treats all alike.
    """

    agency: str | None
    numerator: int | None
    denominator: int | None
    measured: Parts = field(default_factory=dict)
    """What the service counted, by name: the parts of the two numbers that it knows itself."""
    declared: Parts = field(default_factory=dict)
    """What agencies declared, by name."""
    beside: Parts = field(default_factory=dict)
    """Shown with the figure, never part of it."""
    notes: tuple[Note, ...] = ()
    sample: bool = False
    """True when generated sample data is among it."""
    incomplete: bool = False
    """True when the denominator is known to lack something: a target can be missed then, not met."""


Counter = Callable[[Question], Awaitable[Sequence[Figure]]]
"""Gives at most one Figure per agency asked for, and (unless confined to one) one of the province."""


@dataclass(frozen=True, slots=True)
class Indicator:
    """An indicator that the service computes: `id` is the obligation's."""

    id: str
    definition: Definition
    count: Counter
    by_day: bool = True
    """Whether it tells how things stand on the period's last day; otherwise it adds up the days."""


@dataclass(frozen=True, slots=True)
class IndicatorRow:
    """One line of a report: a figure beside what is asked for. See docs/usage.md."""

    indicator: str
    directive: str
    article: str
    agency: str | None
    """None is the province."""
    period: Span
    numerator: int | None
    denominator: int | None
    percent: float | None
    """Rounded down to a hundredth: a figure never shows more than was reached."""
    target_percent: float | None
    target_count: int | None
    met: bool | None
    gap: int | None
    """How many people or documents are missing; for a duty of a tolerated number, how many are too many."""
    kind: str
    status: str
    observed_days: int
    definition_hash: str
    measured: Parts
    declared: Parts
    beside: Parts
    notes: tuple[Note, ...]
    sample: bool

    @property
    def note(self) -> Note | None:
        """The remark that matters most."""
        return self.notes[0] if self.notes else None

    def to_json(self) -> dict[str, Any]:
        return {
            "indicator": self.indicator,
            "directive": self.directive,
            "article": self.article,
            "agency": self.agency,
            "period": {"from": self.period.start.isoformat(), "to": self.period.end.isoformat()},
            "numerator": self.numerator,
            "denominator": self.denominator,
            "percent": self.percent,
            "target_percent": self.target_percent,
            "target_count": self.target_count,
            "met": self.met,
            "gap": self.gap,
            "kind": self.kind,
            "status": self.status,
            "observed_days": self.observed_days,
            "days": self.period.days,
            "definition_hash": self.definition_hash,
            "sources": {"measured": dict(self.measured), "declared": dict(self.declared)},
            "beside": dict(self.beside),
            "note": None if self.note is None else self.note.to_json(),
            "notes": [note.to_json() for note in self.notes],
            "sample": self.sample,
        }
