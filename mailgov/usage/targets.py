"""What the documents ask for over a period: which of them bind here, which step is due, to what end.

A document binds when `province.directives` names it; what it asks for is a reference elsewhere. A
plan ends with its last day, unless `province.carry_forward` keeps its last step as the yardstick.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from mailgov.policy import Directive, Obligation, Step
from mailgov.settings import ProvinceSettings
from mailgov.usage.periods import Span

RowKind = Literal["target", "baseline", "duty", "reference"]
Status = Literal["due", "not_due", "ended"]


class UnknownDirective(LookupError):
    """No file in `directives/` has the key asked for."""


@dataclass(frozen=True, slots=True)
class Standing:
    """An obligation over a period, in this province."""

    kind: RowKind
    status: Status
    step: Step | None
    """The yardstick: the step that is due, or the one to come; None where nothing is asked yet."""
    carried: bool = False
    """True when the plan is over and its last step is kept on purpose."""
    silent: bool = False
    """True when the plan has a blank for this time: it states no target, which is not 0."""

    @property
    def judged(self) -> bool:
        """Whether `met` may be told: a target that binds here, is due and states a number."""
        return self.kind == "target" and self.status == "due" and self.step is not None and self.step.stated


def standing(obligation: Obligation, province: ProvinceSettings, span: Span) -> Standing:
    """How an obligation stands over the days of `span`.

    A step is due once its day lies in the span or before it, and stays the minimum until the day of
    the next one. A span that begins before the obligation does is not judged by it.
    """
    binds = obligation.directive in province.directives
    kind: RowKind = obligation.kind if binds else "reference"
    if obligation.until is not None and span.last > obligation.until:
        carried = binds and obligation.directive in province.carry_forward
        last = next((step for step in reversed(obligation.steps) if step.stated), None)
        if carried:
            return Standing(kind, "due", last, carried=True)
        return Standing("reference", "ended", last)
    status, step = _step(obligation, span)
    silent = obligation.kind == "target" and step is not None and not step.stated
    return Standing(kind, status, step, silent=silent)


def step_over(obligation: Obligation, span: Span) -> Step | None:
    """What the obligation itself states for the span, whether or not it binds here."""
    return _step(obligation, span)[1]


def _step(obligation: Obligation, span: Span) -> tuple[Status, Step | None]:
    """The step that rules the span, of an obligation that has not ended."""
    steps = obligation.steps
    begun = obligation.since is None or obligation.since <= span.start
    reached = [step for step in steps if step.by is None or step.by <= span.last]
    coming = next((step for step in steps if step not in reached), None)
    past = bool(reached) and reached[-1].by != span.last
    if begun and past and coming is not None and not coming.stated and obligation.kind == "target":
        return "due", coming  # the whole year of a blank cell is blank
    if begun and (reached or not steps):
        return "due", reached[-1] if reached else None
    return "not_due", coming or (reached[-1] if reached else None)


def chosen(directives: Mapping[str, Directive], key: str | None) -> list[Obligation]:
    """Every obligation by document, or those of one, with those that other documents' files hold.

    Raises UnknownDirective.
    """
    if key is not None and key not in directives:
        raise UnknownDirective(key)
    every = [one for name in sorted(directives) for one in directives[name].obligations]
    if key is None:
        return every
    return [one for one in every if one.directive == key or key in dict(one.also)]


@dataclass(frozen=True, slots=True)
class TargetsReport:
    """What the documents ask for over the days of `span`, by document and in the order of its file."""

    span: Span
    province: ProvinceSettings
    directives: Mapping[str, Directive]
    obligations: Sequence[Obligation]

    def rows(self) -> list[tuple[Obligation, Standing]]:
        """Each obligation with how it stands."""
        return [(one, standing(one, self.province, self.span)) for one in self.obligations]

    def to_json(self) -> dict[str, Any]:
        """As `GET /api/v1/targets` gives it; the period is half-open."""
        return {
            "period": {"from": self.span.start.isoformat(), "to": self.span.end.isoformat()},
            "targets": [
                obligation_json(one, stands, self.directives, self.province) for one, stands in self.rows()
            ],
        }


def obligation_json(
    one: Obligation, stands: Standing, directives: Mapping[str, Directive], province: ProvinceSettings
) -> dict[str, Any]:
    """An obligation as `/api/v1/targets` tells it; `until` and `by` are last days inside."""
    return {
        "indicator": one.id,
        "directive": one.directive,
        "document": directives[one.directive].citation,
        "article": one.article,
        "also": [
            {"directive": key, "document": directives[key].citation, "article": article}
            for key, article in one.also
        ],
        "kind": stands.kind,
        "stated_as": one.kind,
        "binds": one.directive in province.directives,
        "carried_forward": stands.carried,
        "status": stands.status,
        "measured": one.measured,
        "unit": one.unit,
        "target_percent": percent_of(stands.step),
        "target_count": None if stands.step is None else stands.step.count,
        "levels": list(one.levels),
        "people": list(one.people),
        "from": _iso(one.since),
        "until": _iso(one.until),
        "steps": [
            {"by": _iso(step.by), "percent": percent_of(step), "count": step.count} for step in one.steps
        ],
        "exemptions": list(one.exemptions),
        "summary": {"vi": one.summary_vi, "en": one.summary_en},
        "reason": None if one.reason_vi is None else {"vi": one.reason_vi, "en": one.reason_en},
    }


def percent_of(step: Step | None) -> float | None:
    """A step's percent as JSON has it; None where it states none."""
    if step is None or step.percent is None:
        return None
    return float(step.percent)


def _iso(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
