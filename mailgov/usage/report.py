"""The first figure: how much mail an agency sent and received, and how many people use it.

Counts alone: a percentage needs a declared denominator. What each count means, and the
article behind it, stands in `usage.definitions` and is part of every report.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from mailgov.settings import Settings
from mailgov.store import accounts, agencies, breakdown, rollup
from mailgov.store.agencies import AgencySpan
from mailgov.store.breakdown import Breakdown
from mailgov.store.directory import Session
from mailgov.store.engine import Database
from mailgov.store.rollup import ActiveFigures, AgencyFigures
from mailgov.usage.definitions import COUNTS, DEFINITIONS
from mailgov.usage.held import HeldLedger
from mailgov.usage.indicators.report import Indicators, Setting, Yardsticks, indicators
from mailgov.usage.indicators.row import Activity
from mailgov.usage.notes import Note, note_on_agency, note_on_people, note_on_period
from mailgov.usage.periods import Calendar, Period, Span, local_date, parse
from mailgov.usage.spreadsheet import as_csv
from mailgov.usage.tables import Tables, tables
from mailgov.usage.text import as_text

ACCOUNTS_PAGE = 1000
LEVELS = ("province", "district", "commune")


class UnknownAgency(LookupError):
    """No agency has, or ever had, the code asked for."""


@dataclass(frozen=True, slots=True)
class Counts:
    """The counts of one agency or of the province; None where there is nothing to count."""

    sent_messages: int | None = None
    automatic_messages: int | None = None
    messages_to_others: int | None = None
    recipients: int | None = None
    received_messages: int | None = None
    accounts_that_sent: int | None = None
    active_persons: int | None = None
    persons_that_sent: int | None = None

    def items(self) -> Iterator[tuple[str, int | None]]:
        """The counts by the id of their definition, in the report's order."""
        return ((definition.id, getattr(self, definition.id)) for definition in COUNTS)


@dataclass(frozen=True, slots=True)
class Row:
    """One agency. `code` is None for what belonged to no agency at the time."""

    code: str | None
    name: str | None
    level: str | None
    valid_from: date | None
    valid_until: date | None
    counts: Counts
    tables: Tables
    note: Note | None

    def to_json(self) -> dict[str, Any]:
        return {
            "agency": self.code,
            "name": self.name,
            "level": self.level,
            "exists": {"from": _iso(self.valid_from), "to": _iso(self.valid_until)},
            **dict(self.counts.items()),
            **dict(self.tables.items()),
            "note": None if self.note is None else self.note.to_json(),
        }


@dataclass(frozen=True, slots=True)
class UsageReport:
    """Counts of a period. `province` is None when the report is about one agency.

    `indicators` are None in a report of counts alone, `directive` the one document that they are of.
    `tables` are the whole report's: the province's, or those of the one agency.
    `observed_days` are the days of the period, today excluded, since the first traffic record.
    """

    period: Period
    today: date
    generated_ms: int
    province_name: str
    province: Counts | None
    tables: Tables
    rows: tuple[Row, ...]
    observed_days: int
    sample: bool
    note: Note | None
    document_numbers: dict[str, str]
    timezone: str
    indicators: Indicators | None = None
    directive: str | None = None

    @property
    def generated_at(self) -> datetime:
        """When the report was made, in local time."""
        return datetime.fromtimestamp(self.generated_ms // 1000, UTC).astimezone(ZoneInfo(self.timezone))

    def to_json(self) -> dict[str, Any]:
        """The report as `GET /api/v1/usage` and `mailgov usage --json` give it; days are half-open."""
        period = self.period
        administrative = period.calendar is Calendar.ADMINISTRATIVE
        province = None
        if self.province is not None:
            province = {
                "name": self.province_name,
                **dict(self.province.items()),
                **dict(self.tables.items()),
            }
        return {
            "period": {
                "text": period.text,
                "kind": period.kind,
                "calendar": period.calendar.value,
                "cut_off_day": period.cut_off_day if administrative else None,
                **_span(period.span),
                "progress": period.progress(self.today),
                "label": {"vi": period.label_vi, "en": period.label_en},
                "months": [_span(month) for month in period.months],
            },
            "days": period.span.days,
            "observed_days": self.observed_days,
            "province": province,
            "agencies": [row.to_json() for row in self.rows],
            "directive": self.directive,
            **self._indicators_json(),
            "definitions": [definition.to_json(self.document_numbers) for definition in DEFINITIONS]
            + ([] if self.indicators is None else self.indicators.definitions_json()),
            "sample": self.sample,
            "note": None if self.note is None else self.note.to_json(),
            "generated_at": self.generated_at.isoformat(),
        }

    def to_text(self, lang: str = "both") -> str:
        """The report as an aligned table for a terminal; `lang` is vi, en or both."""
        return as_text(self, lang)

    def _indicators_json(self) -> dict[str, Any]:
        found = self.indicators
        return {
            "indicators": [] if found is None else [row.to_json() for row in found.rows],
            "combined": [] if found is None else [one.to_json() for one in found.combined],
        }

    def to_csv(self) -> str:
        """The report as one flat table for a spreadsheet; see docs/usage.md for its columns."""
        return as_csv(self)


async def usage_report(
    db: Database,
    *,
    period: str | Period,
    calendar: Calendar | str = Calendar.CIVIL,
    agency: str | None = None,
    settings: Settings,
    now_ms: int,
    yardsticks: Yardsticks | None = None,
) -> UsageReport:
    """Counts of a period for every agency and the province, or for one agency.

    With `yardsticks`, the indicators that the documents ask for stand beside them.

    `period` and `calendar` as `periods.parse` takes them (a Period is taken as it is); `now_ms`
    says what is over. Read in one transaction, from the rollups and the dated directory.
    Raises PeriodError, UnknownAgency, targets.UnknownDirective, LedgerUnavailable.
    """
    province = settings.province
    if isinstance(period, str):
        period = parse(period, calendar, province.cut_off_day)
    today = local_date(now_ms, province.timezone)
    async with db.read() as session:
        held = HeldLedger(db, session)
        facts = await _gather(held, session, period, agency, today)
        beside = None
        if yardsticks is not None:
            setting = Setting(held, session, province, period, today, facts.observed, agency, facts.activity)
            beside = await indicators(setting, yardsticks)
    rows = tuple(_rows(facts))
    return UsageReport(
        period=period,
        today=today,
        generated_ms=now_ms,
        province_name=province.name,
        province=_sum(facts) if agency is None else None,
        tables=_tables(facts, _codes(facts)) if agency is None else rows[0].tables,
        rows=rows,
        observed_days=facts.observed.overlap_days(period.span),
        sample=facts.sample or (beside is not None and beside.sample),
        note=note_on_period(period, today, facts.observed),
        document_numbers=dict(province.directive_numbers),
        timezone=province.timezone,
        indicators=beside,
        directive=None if yardsticks is None else yardsticks.directive,
    )


@dataclass(frozen=True, slots=True)
class _Facts:
    """What the ledger says about a period, by agency ("" is none).

    `active` and `some` are numbers of persons; `senders` the accounts that sent, over all agencies.
    """

    period: Period
    today: date
    agency: str | None
    observed: Span
    spans: dict[str, list[AgencySpan]]
    figures: dict[str, AgencyFigures]
    outbound: dict[str, Breakdown]
    rejected: dict[str, Breakdown]
    senders: int
    active: Counter[str] | None
    some: Counter[str]
    activity: Activity
    sample: bool


async def _gather(
    db: HeldLedger, session: Session, period: Period, agency: str | None, today: date
) -> _Facts:
    spans: dict[str, list[AgencySpan]] = {}
    found = await (agencies.list_spans(session) if agency is None else agencies.spans(session, agency))
    for span in found:
        spans.setdefault(span.code, []).append(span)
    if agency is not None and not spans:
        raise UnknownAgency(agency)
    observed = await _observed(db, today)
    days = (period.start, period.end)
    figures = await rollup.agency_figures(db, *days, agency)
    outbound = await breakdown.outbound_by_provider(db, *days, agency)
    rejected = await breakdown.rejected_by_rule(db, *days, agency)
    begun = [month for month in period.months if month.start <= today]
    people = await rollup.active_by_month(db, [(month.start, month.end) for month in begun])
    everybody = people[0] if people else ActiveFigures(None, frozenset(), frozenset(), (), sample=False)
    last_day = min(period.span.last, today)
    served = await _agencies_of(session, everybody.some, last_day, agency)
    measured = bool(begun) and all(month.overlap_days(_through(observed, today)) for month in begun)
    broken_down = any(one.sample for one in (*outbound, *rejected))
    sample = broken_down or any(one.sample for one in figures)
    return _Facts(
        period=period,
        today=today,
        agency=agency,
        observed=observed,
        spans=spans,
        figures={one.agency: one for one in figures},
        outbound={one.agency: one for one in outbound},
        rejected={one.agency: one for one in rejected},
        senders=await rollup.accounts_that_sent(db, *days) if agency is None else 0,
        active=_count(everybody.each, served) if measured else None,
        some=_count(everybody.some, served),
        activity=Activity(everybody.each if measured else None, everybody.some, everybody.sample),
        sample=sample or (agency is None and everybody.sample),
    )


async def _observed(db: Database, today: date) -> Span:
    """The days that are over, from the first one with a traffic record."""
    span = await rollup.observed_span(db)
    return Span(today, today) if span is None else Span(min(span[0], today), today)


def _through(observed: Span, today: date) -> Span:
    """The observed days with today, which is not over but whose mail counts already."""
    return Span(observed.start, date.fromordinal(today.toordinal() + 1))


async def _agencies_of(
    session: Session, wanted: frozenset[str], day: date, agency: str | None
) -> dict[str, str]:
    """The agency that each of these accounts served on `day`; with `agency`, those of it alone."""
    served: dict[str, str] = {}
    after = ""
    while wanted:
        page = await accounts.list_accounts(session, agency=agency, day=day, after=after, limit=ACCOUNTS_PAGE)
        for account in page:
            if account.address in wanted:
                served[account.address] = account.agency_on(day) or ""
        if len(page) < ACCOUNTS_PAGE:
            break
        after = page[-1].address
    return served


def _count(people: Iterable[str], served: dict[str, str]) -> Counter[str]:
    return Counter(served.get(address, "") for address in people)


def _rows(facts: _Facts) -> Iterator[Row]:
    """Agencies of the period in the order of levels and codes, then mail of no agency if there is any."""
    chosen = []
    for code, spans in facts.spans.items():
        alive = [span for span in spans if _days(span).overlap_days(facts.period.span)]
        if alive or code == facts.agency or _has_mail(facts, code):
            chosen.append((code, spans, alive))
    for code, spans, alive in sorted(chosen, key=lambda one: (_level((one[2] or one[1])[-1]), one[0])):
        yield _row(facts, code, spans, alive)
    if facts.agency is None:
        known = facts.spans.keys()
        stray = sorted(_codes(facts) - known - {""})
        for code in (*stray, ""):
            if _has_mail(facts, code):
                counts = _counts(facts, code)
                yield Row(code or None, None, None, None, None, counts, _tables(facts, [code]), None)


def _row(facts: _Facts, code: str, spans: list[AgencySpan], alive: list[AgencySpan]) -> Row:
    last_day = facts.period.span.last
    named = next((span for span in alive if span.holds(last_day)), (alive or spans)[-1])
    note = note_on_agency(facts.period, spans, alive)
    counted = bool(alive) or _has_mail(facts, code)
    counts = _counts(facts, code) if counted else Counts()
    tabled = _tables(facts, [code]) if counted else Tables()
    if note is None and counts.active_persons is None:
        note = note_on_people(facts.period, facts.today, facts.observed)
    first, until = spans[0].valid_from, spans[-1].valid_until
    return Row(code, named.name, named.level, first, until, counts, tabled, note)


def _codes(facts: _Facts) -> set[str]:
    """Agencies with anything counted."""
    return {*facts.figures, *facts.some, *facts.outbound, *facts.rejected}


def _has_mail(facts: _Facts, code: str) -> bool:
    return any(code in found for found in (facts.figures, facts.some, facts.outbound, facts.rejected))


def _tables(facts: _Facts, codes: Collection[str]) -> Tables:
    if facts.period.progress(facts.today) == "future":
        return Tables()
    return tables(
        (facts.outbound[code].counts for code in codes if code in facts.outbound),
        (facts.rejected[code].counts for code in codes if code in facts.rejected),
    )


def _counts(facts: _Facts, code: str) -> Counts:
    if facts.period.progress(facts.today) == "future":
        return Counts()
    figures = facts.figures.get(code)
    mail = (0, 0, 0, 0, 0, 0)
    if figures is not None:
        mail = (
            figures.sent,
            figures.sent_automatic,
            figures.to_others,
            figures.recipients,
            figures.received,
            figures.accounts,
        )
    active = None if facts.active is None else facts.active[code]
    return Counts(*mail, active_persons=active, persons_that_sent=facts.some[code])


def _sum(facts: _Facts) -> Counts:
    if facts.period.progress(facts.today) == "future":
        return Counts()
    totals = {name: 0 for name, _ in Counts().items()}
    for code in _codes(facts):
        for name, value in _counts(facts, code).items():
            totals[name] += value or 0
    totals["accounts_that_sent"] = facts.senders
    people = dict(totals) if facts.active is not None else {**totals, "active_persons": None}
    return Counts(**people)


def _days(span: AgencySpan) -> Span:
    return Span(span.valid_from or date.min, span.valid_until or date.max)


def _level(span: AgencySpan) -> int:
    return LEVELS.index(span.level) if span.level in LEVELS else len(LEVELS)


def _span(span: Span) -> dict[str, str]:
    return {"from": span.start.isoformat(), "to": span.end.isoformat()}


def _iso(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
