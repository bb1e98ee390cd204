"""From a figure and what is asked for to a report's row: percent, target, gap, and whether it was met."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_DOWN, Decimal

from mailgov.policy import Obligation, Step
from mailgov.store.agencies import AgencySpan
from mailgov.usage.indicators import remarks
from mailgov.usage.indicators.row import Figure, IndicatorRow
from mailgov.usage.notes import Note
from mailgov.usage.periods import Period
from mailgov.usage.targets import Standing, percent_of

HUNDREDTH = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Case:
    """One figure with all that its judgement rests on. `observed_days` are days of the period."""

    obligation: Obligation
    standing: Standing
    figure: Figure
    definition_hash: str
    period: Period
    over: bool
    """The period has ended."""
    observed_days: int
    agency: AgencySpan | None
    """The agency as it last was in the period; None for the province."""
    life: Note | None
    """Where the agency existed in a part of the period only, or not at all."""
    exempt: bool
    whole: Note | None
    """What is to be known of the period: that it is running, or was observed in part."""


def judge(case: Case) -> IndicatorRow:
    """The row of a report. A target that does not cover the agency is not shown beside it."""
    figure, stands, obligation = case.figure, case.standing, case.obligation
    asked = _asked(case)
    step = _yardstick(case) if asked else None
    percent, odd = _percent(figure)
    return IndicatorRow(
        indicator=obligation.id,
        directive=obligation.directive,
        article=obligation.article,
        agency=figure.agency,
        period=case.period.span,
        numerator=figure.numerator,
        denominator=figure.denominator,
        percent=percent,
        target_percent=percent_of(step),
        target_count=None if step is None else step.count,
        met=_met(case, percent) if asked else None,
        gap=_gap(case, percent) if asked else None,
        kind=stands.kind,
        status=stands.status,
        observed_days=case.observed_days,
        definition_hash=case.definition_hash,
        measured=figure.measured,
        declared=figure.declared,
        beside=figure.beside,
        notes=tuple(_notes(case, odd)),
        sample=figure.sample,
    )


def _yardstick(case: Case) -> Step | None:
    """The step that the figure is held against; what is asked of each agency, all of them are to have."""
    step = case.standing.step
    if step is None or not step.stated or not case.obligation.each or case.agency is not None:
        return step
    return Step(step.by, percent=Decimal(100))


def _asked(case: Case) -> bool:
    """Whether the document asks this of this agency; a number of things is asked of the province alone."""
    if case.agency is None:
        return True
    if case.exempt or case.agency.level not in case.obligation.levels:
        return False
    return case.obligation.unit == "percent" or case.obligation.kind == "duty"


def _percent(figure: Figure) -> tuple[float | None, Note | None]:
    """The percentage, or the remark on why two known numbers give none."""
    if figure.numerator is None or figure.denominator is None:
        return None, None
    if figure.denominator == 0:
        return None, remarks.ZERO
    if figure.numerator > figure.denominator:
        return None, remarks.ABOVE
    exact = Decimal(100 * figure.numerator) / Decimal(figure.denominator)
    return float(exact.quantize(HUNDREDTH, ROUND_DOWN)), None


def _met(case: Case, percent: float | None) -> bool | None:
    """Told only of a target that is judged, over a period that is over and was observed whole.

    What agencies declare is not observed by the service, so its days do not matter there.
    """
    step, figure = _yardstick(case), case.figure
    if not case.standing.judged or step is None or not case.over or case.life is not None:
        return None
    if case.obligation.measured and case.observed_days < case.period.span.days:
        return None
    if step.count is not None:
        return None if figure.numerator is None else figure.numerator >= step.count
    if percent is None or step.percent is None or figure.numerator is None or figure.denominator is None:
        return None
    met = 100 * figure.numerator >= step.percent * figure.denominator
    return None if met and figure.incomplete else met


def _gap(case: Case, percent: float | None) -> int | None:
    """How many are missing to the number asked for, or above the number tolerated; whole, at least 0."""
    step, figure = _yardstick(case), case.figure
    if step is None or figure.numerator is None:
        return None
    if step.count is not None:
        over = figure.numerator - step.count
        return max(0, over if case.obligation.at_most else -over)
    if percent is None or step.percent is None or figure.denominator is None:
        return None
    needed = (step.percent * figure.denominator / 100).to_integral_value(ROUND_CEILING)
    return max(0, int(needed) - figure.numerator)


def _notes(case: Case, odd: Note | None) -> list[Note]:
    """All remarks, the one that matters most first."""
    stands = case.standing
    found = [case.life, *case.figure.notes, odd]
    if case.exempt:
        found.append(remarks.EXEMPT)
    elif case.agency is not None and case.agency.level not in case.obligation.levels:
        found.append(remarks.not_covered(case.agency.level))
    if stands.silent:
        found.append(remarks.SILENT)
    if stands.carried:
        found.append(remarks.CARRIED)
    if stands.status == "ended":
        found.append(remarks.ENDED)
    found.append(case.whole)
    return list(dict.fromkeys(note for note in found if note is not None))
