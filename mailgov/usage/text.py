"""A report as an aligned table for a terminal or a plain mail."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from mailgov.usage import indicator_text
from mailgov.usage.definitions import COUNTS, DEFINITIONS, OUTBOUND, REJECTED, Definition, document
from mailgov.usage.notes import Note
from mailgov.usage.periods import Calendar, dmy

if TYPE_CHECKING:  # the report renders itself with this module
    from mailgov.usage.report import UsageReport

LANGUAGES = ("vi", "en", "both")
NAME_CHARACTERS = 38
HEADING_CHARACTERS = 11
TEXT_CHARACTERS = 100
NOTHING = "–"
"""Stands for a count that does not exist; 0 is a count."""

_CALENDARS = {
    Calendar.CIVIL: ("theo tháng dương lịch", "civil calendar"),
    Calendar.ADMINISTRATIVE: ("theo kỳ báo cáo hành chính", "administrative calendar"),
}
_PROVIDERS = {
    "free": ("Miễn phí, ở nước ngoài", "Free, abroad"),
    "paid-foreign": ("Ở nước ngoài, khác", "Abroad, other"),
    "domestic": ("Trong nước", "Domestic"),
    "gateway": ("Sau cổng lọc", "Behind a filter"),
    "unknown": ("Không rõ", "Unknown"),
}
_PROGRESS = {
    "whole": ("kỳ đã hết", "over"),
    "running": ("kỳ chưa hết", "running"),
    "future": ("kỳ chưa bắt đầu", "not begun"),
}

COMBINED = ("Gộp các cơ quan kế thừa nhau", "Agencies that succeed one another, together")


def number(value: int | None) -> str:
    """A count as people here write it: 1.234.567."""
    return NOTHING if value is None else f"{value:,}".replace(",", ".")


def as_text(report: UsageReport, lang: str = "both") -> str:
    """The whole report; raises ValueError for a language other than vi, en and both."""
    if lang not in LANGUAGES:
        raise ValueError(f"unknown language {lang!r}: expected vi, en or both")
    tongues = [0, 1] if lang == "both" else [LANGUAGES.index(lang)]
    lines = [*_head(report, tongues), "", *_table(report, tongues), ""]
    lines += [*_outbound(report, tongues), "", *_rejected(report, tongues), ""]
    lines += [*_indicators(report, tongues), *_notes(report, tongues), *_definitions(report, tongues)]
    return "\n".join(line.rstrip() for line in lines).rstrip() + "\n"


def _head(report: UsageReport, tongues: Sequence[int]) -> Iterator[str]:
    period = report.period
    days = f"{dmy(period.start)} – {dmy(period.span.last)}"
    labels = (period.label_vi, period.label_en)
    made = report.generated_at
    at = f"{made:%H:%M} {dmy(made.date())}"
    for tongue in tongues:
        title = ("SỬ DỤNG THƯ ĐIỆN TỬ", "USE OF MAIL")[tongue]
        facts = (
            labels[tongue],
            days,
            _CALENDARS[period.calendar][tongue],
            _PROGRESS[period.progress(report.today)][tongue],
        )
        yield f"{title} – {'; '.join(facts)}"
        seen = ("Số ngày theo dõi", "Days observed")[tongue]
        when = ("lập lúc", "made at")[tongue]
        yield f"{seen}: {report.observed_days}/{period.span.days}; {when} {at}"
        if report.sample:
            yield ("CÓ SỐ LIỆU MẪU, KHÔNG DÙNG ĐỂ BÁO CÁO", "CONTAINS SAMPLE DATA, NOT FOR REPORTING")[tongue]


def _table(report: UsageReport, tongues: Sequence[int]) -> Iterator[str]:
    headings = [_heading(("Cơ quan", "Agency"), tongues, NAME_CHARACTERS)]
    for definition in COUNTS:
        both = (definition.heading_vi, definition.heading_en)
        headings.append(_heading(both, tongues, HEADING_CHARACTERS))
    rows: list[list[str]] = []
    marks = {note: mark for mark, note in _marked(report)}
    for row in report.rows:
        if row.code is None and not any(value for _, value in row.counts.items()):
            continue  # it stands in the small tables alone
        name = row.name or ("Không thuộc cơ quan", "No agency")[tongues[0]]
        code = "" if row.code is None else f" [{row.code}]"
        mark = f" ({marks[row.note]})" if row.note else ""
        shown = shorten(plain(name), NAME_CHARACTERS - len(code) - len(mark)) + code + mark
        rows.append([shown, *(number(value) for _, value in row.counts.items())])
    if report.province is not None:
        name = ("Toàn tỉnh", "Province")[tongues[0]]
        rows.append([name, *(number(value) for _, value in report.province.items())])
    yield from _aligned(headings, rows, total=report.province is not None)


def _indicators(report: UsageReport, tongues: Sequence[int]) -> Iterator[str]:
    """The province's, or those of the one agency; with one document alone, every agency's."""
    found = report.indicators
    if found is None:
        return
    agencies = report.province is None or report.directive is not None
    rows = indicator_text.table(found, tongues[0], agencies=agencies)
    if rows:
        yield from _aligned(indicator_text.headings(tongues), rows, total=False)
        yield ""
    if together := indicator_text.combined(found, tongues[0]):
        yield " / ".join(COMBINED[tongue] for tongue in tongues) + ":"
        yield from _aligned(indicator_text.headings(tongues), together, total=False)
        yield ""
    for line in indicator_text.notes(found, tongues, agencies=agencies):
        yield from textwrap.wrap(line, TEXT_CHARACTERS, subsequent_indent="  ", break_on_hyphens=False)
    yield ""


def _outbound(report: UsageReport, tongues: Sequence[int]) -> Iterator[str]:
    counts = report.tables.outbound_by_provider
    rows = [
        [f"{words[tongues[0]]} [{name}]", number(None if counts is None else counts[name])]
        for name, words in _PROVIDERS.items()
    ]
    return _small(OUTBOUND, rows, counts, tongues)


def _rejected(report: UsageReport, tongues: Sequence[int]) -> Iterator[str]:
    counts = report.tables.rejected_by_rule
    rows = [[shorten(plain(rule), NAME_CHARACTERS), number(count)] for rule, count in (counts or {}).items()]
    return _small(REJECTED, rows, counts, tongues)


def _small(
    definition: Definition, rows: list[list[str]], counts: dict[str, int] | None, tongues: Sequence[int]
) -> Iterator[str]:
    """A table of kinds with their sum."""
    total = number(None if counts is None else sum(counts.values()))
    words = (definition.heading_vi, definition.heading_en)
    headings = [_heading(words, tongues, NAME_CHARACTERS), _heading(("Số lượng", "Count"), tongues, 11)]
    return _aligned(headings, [*rows, [("Tổng", "Total")[tongues[0]], total]], total=bool(rows))


def _heading(words: tuple[str, str], tongues: Sequence[int], width: int) -> list[str]:
    return [line for tongue in tongues for line in textwrap.wrap(words[tongue], width)]


def _aligned(headings: list[list[str]], rows: list[list[str]], *, total: bool) -> Iterator[str]:
    widths = [
        max(map(len, [*heading, *(row[place] for row in rows)])) for place, heading in enumerate(headings)
    ]

    def line(cells: Sequence[str]) -> str:
        first, *others = cells
        numbers = (cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))
        return "  ".join([first.ljust(widths[0]), *numbers])

    rule = "  ".join("-" * width for width in widths)
    height = max(map(len, headings))
    for level in range(height):
        # Headings stand on the rule, whatever their height.
        place = [level - height + len(heading) for heading in headings]
        yield line([h[p] if p >= 0 else "" for h, p in zip(headings, place, strict=True)])
    yield rule
    for position, row in enumerate(rows):
        if total and position == len(rows) - 1:
            yield rule
        yield line(row)


def _marked(report: UsageReport) -> list[tuple[int, Note]]:
    """The different notes of the rows, numbered in the order of the table."""
    return list(enumerate(dict.fromkeys(row.note for row in report.rows if row.note), start=1))


def _notes(report: UsageReport, tongues: Sequence[int]) -> Iterator[str]:
    marked = [("*", report.note)] if report.note else []
    marked += [(str(mark), note) for mark, note in _marked(report)]
    for mark, note in marked:
        for tongue in tongues:
            yield f"({mark}) {(note.vi, note.en)[tongue]}"
    if marked:
        yield ""


def _definitions(report: UsageReport, tongues: Sequence[int]) -> Iterator[str]:
    yield " / ".join(("Định nghĩa", "Definitions")[tongue] for tongue in tongues)
    computed = [] if report.indicators is None else report.indicators.computed()
    for definition in (*DEFINITIONS, *computed):
        for tongue in tongues:
            heading = (definition.heading_vi, definition.heading_en)[tongue]
            text = f"{heading}: {(definition.text_vi, definition.text_en)[tongue]}"
            yield from textwrap.wrap(text, TEXT_CHARACTERS, initial_indent="- ", subsequent_indent="  ")
        cited = "; ".join(f"{document(k, report.document_numbers)}, {a}" for k, a in definition.articles)
        cited = f"[{cited}; {definition.hash[:12]}]"
        yield from textwrap.wrap(cited, TEXT_CHARACTERS, initial_indent="  ", subsequent_indent="  ")


def plain(text: str) -> str:
    """A name on one line, without signs that move the cursor or reorder the text."""
    kept = (sign for sign in unicodedata.normalize("NFC", text) if unicodedata.category(sign)[0] != "C")
    return " ".join("".join(kept).split())


def shorten(text: str, width: int) -> str:
    """The text in at most `width` characters."""
    return text if len(text) <= width else text[: width - 1] + "…"
