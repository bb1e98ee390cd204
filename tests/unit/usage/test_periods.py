"""Periods against the dates that the reporting rules name."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailgov.usage.periods import Calendar, PeriodError, Span, dmy, local_date, parse

CIVIL = [
    ("2026", "2026-01-01", "2027-01-01", 12),
    ("2026-H1", "2026-01-01", "2026-07-01", 6),
    ("2026-H2", "2026-07-01", "2027-01-01", 6),
    ("2026-Q1", "2026-01-01", "2026-04-01", 3),
    ("2026-Q4", "2026-10-01", "2027-01-01", 3),
    ("2026-11", "2026-11-01", "2026-12-01", 1),
    ("2026-12", "2026-12-01", "2027-01-01", 1),
    ("2024-02", "2024-02-01", "2024-03-01", 1),
]
ADMINISTRATIVE = [
    ("2026", "2025-12-15", "2026-12-15", 12),
    ("2026-H1", "2025-12-15", "2026-06-15", 6),
    ("2026-H2", "2026-06-15", "2026-12-15", 6),
    ("2026-Q1", "2025-12-15", "2026-03-15", 3),
    ("2026-Q2", "2026-03-15", "2026-06-15", 3),
    ("2026-Q4", "2026-09-15", "2026-12-15", 3),
    ("2026-01", "2025-12-15", "2026-01-15", 1),
    ("2026-11", "2026-10-15", "2026-11-15", 1),
]


def days(start: str, end: str) -> Span:
    return Span(date.fromisoformat(start), date.fromisoformat(end))


@pytest.mark.parametrize(("text", "start", "end", "months"), CIVIL)
def test_civil(text: str, start: str, end: str, months: int) -> None:
    period = parse(text)
    assert (period.span, len(period.months)) == (days(start, end), months)


@pytest.mark.parametrize(("text", "start", "end", "months"), ADMINISTRATIVE)
def test_administrative(text: str, start: str, end: str, months: int) -> None:
    period = parse(text, "administrative")
    assert (period.span, len(period.months)) == (days(start, end), months)


def test_the_months_of_an_administrative_quarter() -> None:
    assert parse("2026-Q4", "administrative").months == (
        days("2026-09-15", "2026-10-15"),
        days("2026-10-15", "2026-11-15"),
        days("2026-11-15", "2026-12-15"),
    )


def test_a_province_may_set_its_own_cut_off_day() -> None:
    assert parse("2026-Q4", "administrative", 20).span == days("2026-09-20", "2026-12-20")
    assert parse("2026-03", "administrative", 28).span == days("2026-02-28", "2026-03-28")
    assert parse("2026-Q4", "civil", 20).span == days("2026-10-01", "2027-01-01")


def test_a_range_names_both_of_its_days() -> None:
    period = parse("2026-11-01..2026-11-30")
    assert period.span == days("2026-11-01", "2026-12-01")
    assert period.span == parse("2026-11").span
    assert period.span.last == date(2026, 11, 30)
    assert parse("2026-11-05..2026-11-05").span.days == 1


def test_a_range_is_cut_where_the_calendar_cuts_its_months() -> None:
    assert parse("2026-11-10..2026-12-20").months == (
        days("2026-11-10", "2026-12-01"),
        days("2026-12-01", "2026-12-21"),
    )
    assert parse("2026-11-10..2026-12-20", "administrative").months == (
        days("2026-11-10", "2026-11-15"),
        days("2026-11-15", "2026-12-15"),
        days("2026-12-15", "2026-12-21"),
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "26",
        "2026-",
        "2026-H3",
        "2026-Q0",
        "2026-Q5",
        "2026-13",
        "2026-00",
        "2026-1",
        "2026-11-01",
        "2026-11-01..",
        "..2026-11-01",
        "2026-11-30..2026-11-01",
        "2026-02-29..2026-03-01",
        "1016-Q1",
        "3000",
        "1990-01-01..2026-01-01",
        "٢٠٢٦",
        "2026-Q4\x00",
        "2026-Q4; DROP TABLE message",
        "9" * 10_000,
    ],
)
def test_what_is_no_period_is_refused_in_one_short_line(text: str) -> None:
    with pytest.raises(PeriodError) as error:
        parse(text)
    message = str(error.value)
    assert message.isprintable()
    assert 0 < len(message) < 200


def test_a_wrong_calendar_or_cut_off_day_is_refused() -> None:
    with pytest.raises(PeriodError, match="civil or administrative"):
        parse("2026", "lunar")
    for day in (0, 1, 29, 31):
        with pytest.raises(PeriodError, match="cut-off day"):
            parse("2026", "administrative", day)


def test_small_letters_and_blanks_around_are_no_fault() -> None:
    assert parse(" 2026-q4 ") == parse("2026-Q4")


def test_progress() -> None:
    period = parse("2026-11")
    assert period.progress(date(2026, 10, 31)) == "future"
    assert period.progress(date(2026, 11, 1)) == "running"
    assert period.progress(date(2026, 11, 30)) == "running"
    assert period.progress(date(2026, 12, 1)) == "whole"


def test_the_local_day_begins_seven_hours_before_the_utc_one() -> None:
    last_second = datetime(2026, 11, 30, 16, 59, 59, tzinfo=UTC)
    assert local_date(int(last_second.timestamp() * 1000)) == date(2026, 11, 30)
    assert local_date(int(last_second.timestamp() * 1000) + 1000) == date(2026, 12, 1)


def test_names_for_people() -> None:
    assert parse("2026").label_vi == "Năm 2026"
    assert parse("2026-H2").label_vi == "6 tháng cuối năm 2026"
    assert parse("2026-Q4").label_vi == "Quý IV năm 2026"
    assert parse("2026-Q4").label_en == "Quarter IV of 2026"
    assert parse("2026-05").label_vi == "Tháng 05/2026"
    assert dmy(date(2026, 9, 5)) == "05/09/2026"


calendars = st.sampled_from(list(Calendar))
dates = st.dates(date(1990, 1, 1), date(2999, 12, 31))


@given(dates, st.integers(0, 3659), calendars, st.integers(2, 28))
def test_months_cover_a_range_without_gap_or_overlap(
    first: date, length: int, calendar: Calendar, cut: int
) -> None:
    last = min(first + timedelta(days=length), date(2999, 12, 31))
    period = parse(f"{first.isoformat()}..{last.isoformat()}", calendar, cut)
    assert (period.start, period.span.last) == (first, last)
    assert (period.months[0].start, period.months[-1].end) == (period.start, period.end)
    assert all(a.end == b.start for a, b in pairwise(period.months))
    assert all(0 < month.days <= 31 for month in period.months)


@given(st.integers(1990, 2998), calendars, st.integers(2, 28))
def test_a_year_is_its_halves_its_quarters_and_its_months(year: int, calendar: Calendar, cut: int) -> None:
    whole = parse(str(year), calendar, cut)
    for parts in (
        [parse(f"{year}-H{i}", calendar, cut) for i in (1, 2)],
        [parse(f"{year}-Q{i}", calendar, cut) for i in range(1, 5)],
        [parse(f"{year}-{i:02d}", calendar, cut) for i in range(1, 13)],
    ):
        assert [m for part in parts for m in part.months] == list(whole.months)
    assert whole.end == parse(str(year + 1), calendar, cut).start


@given(st.text(max_size=60))
def test_any_text_is_a_period_or_a_period_error(text: str) -> None:
    try:
        period = parse(text)
    except PeriodError:
        return
    assert period.span.days > 0
