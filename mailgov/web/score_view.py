"""A report's indicators as the scorecard shows them: texts in one language, numbers as written here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mailgov.policy import Obligation, Step
from mailgov.usage.definitions import Definition
from mailgov.usage.indicator_text import BESIDE, percent, result, whole
from mailgov.usage.indicators.combined import Combined
from mailgov.usage.indicators.report import Indicators
from mailgov.usage.indicators.row import IndicatorRow
from mailgov.usage.periods import dmy
from mailgov.usage.report import UsageReport
from mailgov.web.language import Language

CHART_UNITS = 100
"""The chart's width in its own units: one for each percent."""


@dataclass(frozen=True, slots=True)
class Line:
    """A figure of the province or of one agency. `bar` and `mark` are percents for the chart."""

    name: str
    numerator: str
    denominator: str
    percent: str
    target: str
    gap: str
    result: str
    tone: str
    """good, bad or nothing: a colour beside the word, never instead of it."""
    notes: tuple[str, ...]
    beside: tuple[tuple[str, str], ...]
    bar: float | None
    mark: float | None
    label: str
    """The chart in words."""
    sample: bool


@dataclass(frozen=True, slots=True)
class Card:
    """One obligation: what it asks for, the figure, and the agencies below it."""

    id: str
    title: str
    summary: str
    document: str
    article: str
    steps: tuple[str, ...]
    definition: str
    hash: str
    line: Line
    agencies: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Missing:
    """An obligation that has no figure, and why."""

    id: str
    summary: str
    document: str
    article: str
    steps: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True)
class Scorecard:
    """What the page shows, by what has a figure and what has none."""

    cards: tuple[Card, ...]
    missing: tuple[Missing, ...]
    met: int
    judged: int


def scorecard(report: UsageReport, lang: Language) -> Scorecard:
    """The report's obligations in the order of their documents; raises ValueError without indicators."""
    found = report.indicators
    if found is None:
        raise ValueError("a report of counts alone has no scorecard")
    names = {row.code: row.name or row.code for row in report.rows if row.code is not None}
    obligations = {one.id: one for key in found.directives for one in found.directives[key].obligations}
    view = _View(found, obligations, names, 1 if lang == "en" else 0)
    by_id: dict[str, list[IndicatorRow]] = {}
    for row in found.rows:
        by_id.setdefault(row.indicator, []).append(row)
    together: dict[str, list[Combined]] = {}
    for one in found.combined:
        together.setdefault(one.row.indicator, []).append(one)
    leading = {key: _leading(rows, report.province is not None) for key, rows in by_id.items()}
    cards = tuple(
        view.card(head, [row for row in by_id[key] if row is not head], together.get(key, ()))
        for key, head in leading.items()
        if _told(head) or any(_told(row) for row in by_id[key])
    )
    without = (head for key, head in leading.items() if not any(_told(row) for row in by_id[key]))
    judged = [head.met for head in leading.values() if head.met is not None]
    return Scorecard(cards, tuple(view.missing(head) for head in without), sum(judged), len(judged))


def _leading(rows: Iterable[IndicatorRow], of_province: bool) -> IndicatorRow:
    """The province's row, or the one agency's."""
    every = list(rows)
    return next((row for row in every if (row.agency is None) is of_province), every[-1])


def _told(row: IndicatorRow) -> bool:
    return row.numerator is not None or row.denominator is not None


@dataclass(frozen=True, slots=True)
class _View:
    """What rows are told with. `tongue` is 0 for Vietnamese, 1 for English."""

    found: Indicators
    obligations: Mapping[str, Obligation]
    names: Mapping[str, str]
    tongue: int

    def card(self, head: IndicatorRow, rest: Iterable[IndicatorRow], together: Iterable[Combined]) -> Card:
        one = self.obligations[head.indicator]
        definition = next(d for d in self.found.definitions if d.id == head.indicator)
        return Card(
            id=one.id,
            title=self._title(definition, one),
            summary=(one.summary_vi, one.summary_en)[self.tongue],
            document=self._document(head.directive),
            article=head.article,
            steps=self._steps(one),
            definition=(definition.text_vi, definition.text_en)[self.tongue],
            hash=head.definition_hash,
            line=self.line(head),
            agencies=(
                *(self.line(row) for row in rest),
                *(self.line(one.row, self._together(one)) for one in together if _told(one.row)),
            ),
        )

    def missing(self, head: IndicatorRow) -> Missing:
        one = self.obligations[head.indicator]
        summary = (one.summary_vi, one.summary_en)[self.tongue]
        why = " ".join((note.vi, note.en)[self.tongue] for note in head.notes)
        return Missing(one.id, summary, self._document(head.directive), head.article, self._steps(one), why)

    def _together(self, one: Combined) -> str:
        return ("Gộp: ", "Together: ")[self.tongue] + " + ".join(self.names.get(c, c) for c in one.agencies)

    def line(self, row: IndicatorRow, name: str | None = None) -> Line:
        province = ("Toàn tỉnh", "Province")[self.tongue]
        name = name or (province if row.agency is None else self.names.get(row.agency, row.agency))
        target = row.target_percent if row.target_percent is not None else None
        return Line(
            name=name,
            numerator=whole(row.numerator),
            denominator=whole(row.denominator),
            percent=percent(row.percent),
            target=percent(target) if target is not None else whole(row.target_count),
            gap=self._gap(row),
            result=result(row, self.tongue),
            tone={True: "good", False: "bad"}.get(row.met, "") if row.met is not None else "",
            notes=tuple((note.vi, note.en)[self.tongue] for note in row.notes),
            beside=tuple(self._beside(row)),
            bar=row.percent,
            mark=target if row.percent is not None else None,
            label=self._label(name, row, target),
            sample=row.sample,
        )

    def _gap(self, row: IndicatorRow) -> str:
        """How many are missing; of what is not to be there, how many too many there are."""
        if row.gap and self.obligations[row.indicator].at_most:
            return ("vượt ", "over by ")[self.tongue] + whole(row.gap)
        return whole(row.gap)

    def _beside(self, row: IndicatorRow) -> Iterable[tuple[str, str]]:
        for key, value in row.beside.items():
            yield (BESIDE[key][self.tongue] if key in BESIDE else key), whole(value)

    def _label(self, name: str, row: IndicatorRow, target: float | None) -> str:
        reached = (f"{name}: {percent(row.percent)} %", f"{name}: {percent(row.percent)} %")
        asked_for = (f", mức đặt ra {percent(target)} %", f", {percent(target)} % asked for")
        return reached[self.tongue] + (asked_for[self.tongue] if target is not None else "")

    def _title(self, definition: Definition, one: Obligation) -> str:
        heading = (definition.heading_vi, definition.heading_en)[self.tongue]
        return heading if heading != one.id else (one.summary_vi, one.summary_en)[self.tongue]

    def _steps(self, one: Obligation) -> tuple[str, ...]:
        return tuple(self._step(one, step) for step in one.steps if step.stated)

    def _step(self, one: Obligation, step: Step) -> str:
        number = whole(step.count) if step.percent is None else f"{percent(float(step.percent))} %"
        if one.at_most:
            number = ("không quá ", "at most ")[self.tongue] + number
        elif one.each:
            number = ("mỗi cơ quan ít nhất ", "each agency at least ")[self.tongue] + number
        by = "" if step.by is None else (" đến ", " by ")[self.tongue] + dmy(step.by)
        return number + by

    def _document(self, key: str) -> str:
        return self.found.directives[key].citation if key in self.found.directives else key
