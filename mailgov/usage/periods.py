"""Reporting periods: what `2026-Q4` means, in days.

Every span is half-open and in local dates: `start` is the first day inside, `end` the first
day after. Two calendars are known. *civil*: months as everybody knows them. *administrative*:
a month is closed on the day before the cut-off day, so that with the usual 15 the month of
November is 15/10 to 14/11, the fourth quarter 15/09 to 14/12, the second half-year 15/06 to
14/12 and the year 15/12 of the year before to 14/12. A province may have set its own day.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Literal
from zoneinfo import ZoneInfo

FIRST_YEAR, LAST_YEAR = 1990, 2999
RANGE_LIMIT_DAYS = 3660
"""A `FROM..TO` names at most ten years: it bounds the months that a report goes through."""
CUT_OFF_DAY = 15
CUT_OFF_DAYS = range(2, 29)
"""The 1st would be the civil calendar a month late, and not every month has a 29th."""

_YEAR = r"(?P<year>\d{4})"
_FORMS = re.compile(
    rf"{_YEAR}(?:-(?:H(?P<half>[12])|Q(?P<quarter>[1-4])|(?P<month>0[1-9]|1[0-2])))?", re.ASCII
)
_RANGE = re.compile(r"(?P<first>\d{4}-\d{2}-\d{2})\.\.(?P<last>\d{4}-\d{2}-\d{2})", re.ASCII)
_EXPECTED = "expected 2026, 2026-H2, 2026-Q4, 2026-11 or 2026-11-01..2026-11-30"
_WORDS_VI = ("Năm", "6 tháng đầu năm", "6 tháng cuối năm", "Quý", "năm", "Tháng", "Khoảng thời gian")
_WORDS_EN = ("Year", "First half of", "Second half of", "Quarter", "of", "Month", "Days")
_ROMAN = ("I", "II", "III", "IV")

Kind = Literal["year", "half", "quarter", "month", "range"]
Progress = Literal["whole", "running", "future"]


class PeriodError(ValueError):
    """The text names no period; the message says in one line what was expected."""


class Calendar(StrEnum):
    CIVIL = "civil"
    ADMINISTRATIVE = "administrative"


@dataclass(frozen=True, slots=True)
class Span:
    """Days from `start` up to, not including, `end`."""

    start: date
    end: date

    @property
    def days(self) -> int:
        return (self.end - self.start).days

    @property
    def last(self) -> date:
        """The last day inside, the one that people write."""
        return self.end - timedelta(days=1)

    def overlap_days(self, other: Span) -> int:
        """How many days both spans hold."""
        return max(0, (min(self.end, other.end) - max(self.start, other.start)).days)


@dataclass(frozen=True, slots=True)
class Period:
    """A period with its months. `text` is the normal form of what was asked for.

    `months` cover the period without gaps; in a `FROM..TO` the first and the last may be
    parts of a month, for a month is cut where the calendar cuts it.
    """

    text: str
    kind: Kind
    calendar: Calendar
    cut_off_day: int
    span: Span
    months: tuple[Span, ...]

    @property
    def start(self) -> date:
        return self.span.start

    @property
    def end(self) -> date:
        return self.span.end

    def progress(self, today: date) -> Progress:
        """Whether the period is over on `today`, has begun, or lies ahead."""
        if today >= self.end:
            return "whole"
        return "running" if today >= self.start else "future"

    @property
    def label_vi(self) -> str:
        """The period's name in Vietnamese, without its dates: `Quý IV năm 2026`."""
        return _label(self, _WORDS_VI)

    @property
    def label_en(self) -> str:
        return _label(self, _WORDS_EN)


def _label(period: Period, words: tuple[str, ...]) -> str:
    year, half1, half2, quarter, of, month, days = words
    number = period.text[:4]
    match period.kind:
        case "year":
            return f"{year} {number}"
        case "half":
            return f"{half1 if period.text.endswith('1') else half2} {number}"
        case "quarter":
            return f"{quarter} {_ROMAN[int(period.text[-1]) - 1]} {of} {number}"
        case "month":
            return f"{month} {period.text[5:]}/{number}"
        case "range":
            return days


def local_date(now_ms: int, timezone: str = "Asia/Ho_Chi_Minh") -> date:
    """The date on the wall at `now_ms` (milliseconds since 1970-01-01 UTC)."""
    return datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(ZoneInfo(timezone)).date()


def dmy(day: date) -> str:
    """A date as people here write it: 05/09/2026."""
    return f"{day.day:02d}/{day.month:02d}/{day.year:04d}"


def parse(text: str, calendar: Calendar | str = Calendar.CIVIL, cut_off_day: int = CUT_OFF_DAY) -> Period:
    """Read a period; raises PeriodError with a line that says what was expected.

    `2026`, `2026-H2`, `2026-Q4` and `2026-11` follow the calendar. `2026-11-01..2026-11-30`
    names its first and its last day, both inside, whatever the calendar; the calendar then
    says only where its months are cut. `cut_off_day` (2 to 28) is the first day of the next
    administrative month; the civil calendar ignores it.
    """
    try:
        calendar = Calendar(calendar)
    except ValueError:
        named = repr(str(calendar)[:40])
        raise PeriodError(f"unknown calendar {named}: expected civil or administrative") from None
    if cut_off_day not in CUT_OFF_DAYS:
        low, high = CUT_OFF_DAYS[0], CUT_OFF_DAYS[-1]
        raise PeriodError(f"cut-off day {cut_off_day} is not between {low} and {high}")
    cleaned = text.strip().upper()
    if found := _RANGE.fullmatch(cleaned):
        return _range(found["first"], found["last"], calendar, cut_off_day)
    form = _FORMS.fullmatch(cleaned)
    if form is None:
        raise PeriodError(f"{text[:40]!r} is not a period: {_EXPECTED}")
    kind, month, count = _position(form)
    year = int(form["year"])
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise PeriodError(f"the year {year} is not between {FIRST_YEAR} and {LAST_YEAR}")
    first = year * 12 + month - 1
    bounds = [_boundary(i, calendar, cut_off_day) for i in range(first, first + count + 1)]
    months = tuple(Span(a, b) for a, b in pairwise(bounds))
    return Period(cleaned, kind, calendar, cut_off_day, Span(bounds[0], bounds[-1]), months)


def _position(form: re.Match[str]) -> tuple[Kind, int, int]:
    """The kind of period, its first month (1 to 12) and how many months it has."""
    if form["half"]:
        return "half", 6 * int(form["half"]) - 5, 6
    if form["quarter"]:
        return "quarter", 3 * int(form["quarter"]) - 2, 3
    if form["month"]:
        return "month", int(form["month"]), 1
    return "year", 1, 12


def _boundary(index: int, calendar: Calendar, cut_off_day: int) -> date:
    """The first day of the month that is `index` months after January of the year 0."""
    if calendar is Calendar.CIVIL:
        return date(index // 12, index % 12 + 1, 1)
    before = index - 1
    return date(before // 12, before % 12 + 1, cut_off_day)


def _day(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise PeriodError(f"{text} is not a date of the calendar") from None
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise PeriodError(f"the year {day.year} is not between {FIRST_YEAR} and {LAST_YEAR}")
    return day


def _range(first: str, last: str, calendar: Calendar, cut_off_day: int) -> Period:
    start, final = _day(first), _day(last)
    if final < start:
        raise PeriodError(f"{first}..{last} ends before it begins")
    span = Span(start, final + timedelta(days=1))
    if span.days > RANGE_LIMIT_DAYS:
        raise PeriodError(f"{first}..{last} holds {span.days} days, more than {RANGE_LIMIT_DAYS}")
    index = start.year * 12 + start.month - 1
    months, low = [], start
    while low < span.end:
        index += 1  # the first bound that may lie after `low`: a month begins on or before each of its days
        high = min(_boundary(index, calendar, cut_off_day), span.end)
        if high > low:
            months.append(Span(low, high))
            low = high
    return Period(f"{first}..{last}", "range", calendar, cut_off_day, span, tuple(months))
