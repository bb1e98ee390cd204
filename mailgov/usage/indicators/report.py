"""Every indicator's rows over a period: counters asked, figures judged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from mailgov.policy import Directive, Obligation, Providers
from mailgov.settings import ProvinceSettings
from mailgov.store import agencies, exemptions
from mailgov.store.agencies import AgencySpan
from mailgov.store.directory import Session
from mailgov.store.engine import Database
from mailgov.store.exemptions import EVERYONE, ExemptionView
from mailgov.usage.definitions import Definition
from mailgov.usage.indicators import REGISTRY, declared_only
from mailgov.usage.indicators.combined import Combined, combine, families
from mailgov.usage.indicators.judge import Case, judge
from mailgov.usage.indicators.row import Activity, Figure, IndicatorRow, Question
from mailgov.usage.notes import note_on_agency, note_on_period
from mailgov.usage.periods import Period, Span
from mailgov.usage.targets import chosen, standing

OWN_SECTOR_MAIL = "own-sector-mail"
"""An exemption that the directory itself tells, by the agency's mark."""


@dataclass(frozen=True, slots=True)
class Yardsticks:
    """What a report is held against: the documents and the lists of the policy that runs.

    `directive` confines it to what one document asks for.
    """

    directives: Mapping[str, Directive]
    providers: Providers
    directive: str | None = None

    def obligations(self) -> list[Obligation]:
        """Raises `targets.UnknownDirective`."""
        return chosen(self.directives, self.directive)


@dataclass(frozen=True, slots=True)
class Setting:
    """The period asked about, as the whole report knows it."""

    db: Database
    session: Session
    province: ProvinceSettings
    period: Period
    today: date
    observed: Span
    agency: str | None
    activity: Activity


@dataclass(frozen=True, slots=True)
class Indicators:
    """The rows, by obligation, then agencies by level and code, then the province; and what they count.

    `combined` has a row for each family of agencies of which more than one lived in the period.
    """

    rows: tuple[IndicatorRow, ...]
    definitions: tuple[Definition, ...]
    directives: Mapping[str, Directive]
    combined: tuple[Combined, ...] = ()

    @property
    def sample(self) -> bool:
        """True when generated sample data is among the figures."""
        return any(row.sample for row in self.rows)

    def _cited(self, key: str) -> str:
        """A document that a province has taken out of its policy is named by its key."""
        return self.directives[key].citation if key in self.directives else key

    def computed(self) -> list[Definition]:
        """The definitions of what the service counts itself; the others repeat the obligation."""
        return [one for one in self.definitions if one.id in REGISTRY]

    def definitions_json(self) -> list[dict[str, Any]]:
        """The definitions as reports carry them; documents are cited as the policy does."""
        return [
            {
                "id": one.id,
                "text": {"vi": one.text_vi, "en": one.text_en},
                "articles": [
                    {"directive": key, "document": self._cited(key), "article": article}
                    for key, article in one.articles
                ],
                "definition_hash": one.hash,
            }
            for one in self.definitions
        ]


async def indicators(setting: Setting, yardsticks: Yardsticks) -> Indicators:
    """The rows of every obligation asked for. Raises UnknownDirective and LedgerUnavailable."""
    wanted = yardsticks.obligations()
    directory = await _directory(setting)
    days = setting.period.span
    granted = await exemptions.overlapping(setting.session, None, days.start, days.end)
    linked = families(await agencies.all_successions(setting.session)) if setting.agency is None else []
    rows: list[IndicatorRow] = []
    together: list[Combined] = []
    definitions: list[Definition] = []
    for obligation in wanted:
        definition = _definition(obligation)
        definitions.append(definition)
        question = _question(setting, yardsticks, obligation, directory, granted)
        figures = await _figures(question)
        rows += _rows(question, setting, definition, figures)
        together += _together(question, setting, definition, figures, linked)
    return Indicators(tuple(rows), tuple(definitions), yardsticks.directives, tuple(together))


async def _directory(setting: Setting) -> dict[str, tuple[AgencySpan, ...]]:
    session, agency = setting.session, setting.agency
    found = await (agencies.list_spans(session) if agency is None else agencies.spans(session, agency))
    by_code: dict[str, tuple[AgencySpan, ...]] = {}
    for span in found:
        by_code[span.code] = (*by_code.get(span.code, ()), span)
    return by_code


def _definition(obligation: Obligation) -> Definition:
    computed = REGISTRY.get(obligation.id)
    return declared_only.definition_of(obligation) if computed is None else computed.definition


def _question(
    setting: Setting,
    yardsticks: Yardsticks,
    obligation: Obligation,
    directory: Mapping[str, tuple[AgencySpan, ...]],
    granted: Iterable[ExemptionView],
) -> Question:
    question = Question(
        db=setting.db,
        session=setting.session,
        obligation=obligation,
        period=setting.period,
        today=setting.today,
        observed=setting.observed,
        agency=setting.agency,
        directory=directory,
        activity=setting.activity,
        exempt=frozenset(),
        committee=setting.province.committee,
        providers=yardsticks.providers,
        timezone=setting.province.timezone,
    )
    return replace(question, exempt=_exempt(question, granted))


def _exempt(question: Question, granted: Iterable[ExemptionView]) -> frozenset[str]:
    """Agencies outside the obligation on the day that the report is about."""
    obligation, day = question.obligation, question.day
    if not obligation.exemptions:
        return frozenset()
    mine = [one for one in granted if one.obligation == obligation.id and one.holds(day)]
    if any(one.agency == EVERYONE for one in mine):
        return frozenset(question.directory)
    found = {one.agency for one in mine}
    if OWN_SECTOR_MAIL in obligation.exemptions:
        for code, spans in question.directory.items():
            if any(span.own_sector_mail and span.holds(day) for span in spans):
                found.add(code)
    return frozenset(found)


async def _figures(question: Question) -> Sequence[Figure]:
    """What the counter says; nothing but nulls of a period that lies ahead, of an agency that was not."""
    ahead = question.period.progress(question.today) == "future"
    gone = question.agency is not None and not _alive(question, question.agency)
    if ahead or gone:
        return [Figure(question.agency, None, None)]
    computed = REGISTRY.get(question.obligation.id)
    figures = await (declared_only.count(question) if computed is None else computed.count(question))
    return [one for one in figures if one.agency is None or _alive(question, one.agency)]


def _alive(question: Question, agency: str) -> list[AgencySpan]:
    """The agency's spans with a day in the period."""
    days = question.period.span
    return [
        span
        for span in question.directory.get(agency, ())
        if Span(span.valid_from or date.min, span.valid_until or date.max).overlap_days(days)
    ]


def _rows(
    question: Question, setting: Setting, definition: Definition, figures: Sequence[Figure]
) -> Iterable[IndicatorRow]:
    obligation, period = question.obligation, question.period
    stands = standing(obligation, setting.province, period.span)
    for figure in sorted(figures, key=lambda one: _place(question, one.agency)):
        spans = () if figure.agency is None else question.directory[figure.agency]
        alive = [] if figure.agency is None else _alive(question, figure.agency)
        yield judge(
            Case(
                obligation=obligation,
                standing=stands,
                figure=figure,
                definition_hash=definition.hash,
                period=period,
                over=period.progress(question.today) == "whole",
                observed_days=question.observed.overlap_days(period.span),
                agency=(alive or spans)[-1] if figure.agency is not None else None,
                life=note_on_agency(period, spans, alive) if spans else None,
                exempt=figure.agency in question.exempt,
                whole=note_on_period(period, question.today, question.observed),
            )
        )


def _together(
    question: Question,
    setting: Setting,
    definition: Definition,
    figures: Sequence[Figure],
    linked: Sequence[tuple[str, ...]],
) -> Iterable[Combined]:
    """A row for each family that has more than one member with days in the period."""
    computed = REGISTRY.get(question.obligation.id)
    told = {one.agency: one for one in figures if one.agency is not None}
    for family in linked if computed is not None else ():
        members = tuple(code for code in family if _alive(question, code))
        if computed is None or len(members) < 2 or not told.keys() & set(members):
            continue
        ended = frozenset(members) - frozenset(question.existing())
        figure = combine(members, told, ended=ended, by_day=computed.by_day)
        yield Combined(members, _judged(question, setting, definition, figure, members))


def _judged(
    question: Question, setting: Setting, definition: Definition, figure: Figure, members: Sequence[str]
) -> IndicatorRow:
    """A family's row: nothing is asked of one with a member that nothing is asked of."""
    period = question.period
    lived = sorted(
        (span for code in members for span in _alive(question, code)),
        key=lambda span: span.valid_until or date.max,
    )
    levels = question.obligation.levels
    outside = next((span for span in lived if span.level not in levels), None)
    return judge(
        Case(
            obligation=question.obligation,
            standing=standing(question.obligation, setting.province, period.span),
            figure=figure,
            definition_hash=definition.hash,
            period=period,
            over=period.progress(question.today) == "whole",
            observed_days=question.observed.overlap_days(period.span),
            agency=outside or lived[-1],
            life=note_on_agency(period, lived, _joined(lived)),
            exempt=any(code in question.exempt for code in members),
            whole=note_on_period(period, question.today, question.observed),
        )
    )


def _joined(lived: Sequence[AgencySpan]) -> list[AgencySpan]:
    """Spans, by their last days, as one that begins with the first of them and ends with the last."""
    first = min(lived, key=lambda span: span.valid_from or date.min)
    return [replace(first, valid_until=lived[-1].valid_until)]


def _place(question: Question, agency: str | None) -> tuple[int, str]:
    """Agencies in the order of levels and codes, the province last."""
    order = ("province", "district", "commune")
    if agency is None:
        return len(order) + 1, ""
    level = (_alive(question, agency) or question.directory[agency])[-1].level
    return order.index(level) if level in order else len(order), agency
