"""A report as one flat table, for spreadsheets: a row for each count and each indicator."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mailgov.usage import csv_text
from mailgov.usage.definitions import COUNTS
from mailgov.usage.indicator_text import percent
from mailgov.usage.indicators.row import IndicatorRow, Parts
from mailgov.usage.notes import Note
from mailgov.usage.periods import dmy

if TYPE_CHECKING:  # the report renders itself with this module
    from mailgov.usage.report import Counts, UsageReport

HEADER = (
    "indicator",
    "directive",
    "article",
    "agency",
    "name",
    "first_day",
    "last_day",
    "numerator",
    "denominator",
    "percent",
    "target_percent",
    "target_count",
    "met",
    "gap",
    "kind",
    "status",
    "observed_days",
    "days",
    "measured",
    "declared",
    "beside",
    "note",
    "definition_hash",
    "sample",
)


Cell = str | int | None


def as_csv(report: UsageReport) -> str:
    """The report as CSV; the last day is inside. A count has its number as the numerator, kind count."""
    return csv_text.write(HEADER, _rows(report))


def _rows(report: UsageReport) -> Iterator[list[Cell]]:
    names = {row.code: row.name for row in report.rows if row.code is not None}
    for row in report.indicators.rows if report.indicators is not None else ():
        name = report.province_name if row.agency is None else names.get(row.agency)
        yield _indicator(row, name)
    for both in report.indicators.combined if report.indicators is not None else ():
        yield _indicator(both.row, " + ".join(names.get(code) or code for code in both.agencies))
    for one in report.rows:
        # what belongs to no agency is no province figure either: it has no code, and a word of its own
        yield from _counts(report, one.code or "–", one.name, one.counts, one.note)
    if report.province is not None:
        yield from _counts(report, None, report.province_name, report.province, report.note)


def _indicator(row: IndicatorRow, name: str | None) -> list[Cell]:
    return [
        row.indicator,
        row.directive,
        row.article,
        row.agency,
        name,
        dmy(row.period.start),
        dmy(row.period.last),
        row.numerator,
        row.denominator,
        _percent(row.percent),
        _percent(row.target_percent),
        row.target_count,
        None if row.met is None else _yes(row.met),
        row.gap,
        row.kind,
        row.status,
        row.observed_days,
        row.period.days,
        _parts(row.measured),
        _parts(row.declared),
        _parts(row.beside),
        " ".join(note.vi for note in row.notes) or None,
        row.definition_hash,
        _yes(row.sample),
    ]


def _counts(
    report: UsageReport, code: str | None, name: str | None, counts: Counts, note: Note | None
) -> Iterator[list[Cell]]:
    hashes = {definition.id: definition for definition in COUNTS}
    span = report.period.span
    for key, value in counts.items():
        directive, article = hashes[key].articles[0]
        asked: list[Cell] = [key, directive, article, code, name, dmy(span.start), dmy(span.last), value]
        blank: list[Cell] = [None] * 6
        told: list[Cell] = ["count", None, report.observed_days, span.days, None, None, None]
        yield [
            *asked,
            *blank,
            *told,
            None if note is None else note.vi,
            hashes[key].hash,
            _yes(report.sample),
        ]


def _parts(parts: Parts) -> str | None:
    return ", ".join(f"{name} {'–' if value is None else value}" for name, value in parts.items()) or None


def _percent(value: float | None) -> str | None:
    return None if value is None else percent(value)


def _yes(flag: bool) -> str:
    return "yes" if flag else "no"
