"""Remarks that keep a count from being misread, in both languages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date

from mailgov.store.agencies import AgencySpan
from mailgov.usage.periods import Period, Span, dmy


@dataclass(frozen=True, slots=True)
class Note:
    """A remark; programs compare `code`."""

    code: str
    vi: str
    en: str

    def to_json(self) -> dict[str, str]:
        return asdict(self)


def note_on_period(period: Period, today: date, observed: Span) -> Note | None:
    """What to know about the period as a whole; None when it is over and was observed throughout."""
    progress = period.progress(today)
    if progress == "future":
        day = dmy(period.start)
        return Note("not-begun", f"Kỳ chưa bắt đầu (từ {day}).", f"The period has not begun (from {day}).")
    seen, days = observed.overlap_days(period.span), period.span.days
    if progress == "running":
        return Note(
            "running",
            f"Kỳ chưa kết thúc: đã theo dõi {seen}/{days} ngày.",
            f"The period is not over: {seen} of {days} days observed.",
        )
    if seen < days:
        return Note(
            "observed-in-part",
            f"Hệ thống chỉ theo dõi {seen}/{days} ngày của kỳ.",
            f"The service observed {seen} of the period's {days} days.",
        )
    return None


def note_on_agency(period: Period, spans: Sequence[AgencySpan], alive: Sequence[AgencySpan]) -> Note | None:
    """Where an agency lived through a part of the period only; `alive` are its spans inside, in order."""
    if not alive:
        first, until = spans[0].valid_from, spans[-1].valid_until
        return _lived("did-not-exist", "Không tồn tại trong kỳ", "Did not exist in the period", first, until)
    first, until = alive[0].valid_from, alive[-1].valid_until
    first = first if first is not None and first > period.start else None
    until = until if until is not None and until < period.end else None
    if first is None and until is None:
        return None
    return _lived("existed-in-part", "Tồn tại một phần kỳ", "Existed in a part of the period", first, until)


def note_on_people(period: Period, today: date, observed: Span) -> Note | None:
    """Why active persons are not counted: the first begun month of which nothing was observed."""
    through_today = Span(observed.start, date.fromordinal(today.toordinal() + 1))
    for month in period.months:
        if month.start <= today and not month.overlap_days(through_today):
            days = f"{dmy(month.start)} – {dmy(month.last)}"
            return Note(
                "month-not-observed",
                f"Không có số liệu tháng {days} nên không tính người dùng thường xuyên.",
                f"Nothing was observed in the month {days}, so active persons are not counted.",
            )
    return None


def _lived(code: str, vi: str, en: str, first: date | None, until: date | None) -> Note:
    days_vi, days_en = [], []
    if first is not None:
        days_vi.append(f"từ {dmy(first)}")
        days_en.append(f"from {dmy(first)}")
    if until is not None:
        last = dmy(date.fromordinal(until.toordinal() - 1))
        days_vi.append(f"đến hết {last}")
        days_en.append(f"until {last}")
    return Note(code, f"{vi} ({', '.join(days_vi)}).", f"{en} ({', '.join(days_en)}).")
