"""Accounts issued: to persons, and to agencies."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from mailgov.store import people
from mailgov.store.people import Serving
from mailgov.usage.indicators import remarks
from mailgov.usage.indicators.definitions import BN_ACCOUNTS, BN_AGENCIES
from mailgov.usage.indicators.people import counted_of, denominator, headcounts
from mailgov.usage.indicators.row import Figure, Indicator, Question
from mailgov.usage.notes import Note


@dataclass(frozen=True, slots=True)
class _Issued:
    """Accounts open at the end of the day; None with a note before there was any account at all."""

    accounts: list[Serving] | None
    notes: tuple[Note, ...]


async def before_the_service(question: Question) -> Note | None:
    """A remark where the day asked about lies before the first account: there was nothing to count."""
    first = await people.first_account_ms(question.session)
    if first is None or first >= _midnight_after(question.day, question.timezone):
        return remarks.before_the_service(question.day)
    return None


async def _issued(question: Question) -> _Issued:
    end_ms = _midnight_after(question.day, question.timezone)
    note = await before_the_service(question)
    if note is not None:
        return _Issued(None, (note,))
    found = await people.serving_on(question.session, question.day, question.agency)
    return _Issued([one for one in found if one.open_at(end_ms)], ())


def _midnight_after(day: date, timezone: str) -> int:
    after = day + timedelta(days=1)
    local = datetime(after.year, after.month, after.day, tzinfo=ZoneInfo(timezone))
    return int(local.astimezone(UTC).timestamp()) * 1000


async def _count_persons(question: Question) -> list[Figure]:
    issued = await _issued(question)
    heads = await headcounts(question)
    classes = question.obligation.people
    mine = [one for one in issued.accounts or () if one.kind == "personal" and one.person_class in classes]
    by_agency = Counter(one.agency for one in mine)
    sample = {one.agency for one in mine if one.sample}

    def figure(agency: str | None, codes: list[str]) -> Figure:
        number = None if issued.accounts is None else sum(by_agency[code] for code in codes)
        all_of_them, told, notes = denominator(question, agency, heads)
        return Figure(
            agency=agency,
            numerator=number,
            denominator=all_of_them,
            measured={"accounts": number},
            declared=counted_of(question, told if all_of_them is not None else []),
            notes=(*issued.notes, *notes),
            sample=not sample.isdisjoint(codes) or any(head.origin.sample for head in told),
        )

    agencies = list(question.directory) if question.agency is None else [question.agency]
    figures = [figure(code, [code]) for code in agencies]
    if question.agency is None:
        figures.append(figure(None, question.covered()))
    return figures


async def _count_agencies(question: Question) -> list[Figure]:
    issued = await _issued(question)
    holding = None if issued.accounts is None else {one.agency for one in issued.accounts}
    sample = any(one.sample for one in issued.accounts or ())

    def figure(agency: str | None, codes: list[str]) -> Figure:
        number = None if holding is None else sum(code in holding for code in codes)
        parts = {"agencies_with_an_account": number, "agencies": len(codes)}
        return Figure(agency, number, len(codes), parts, notes=issued.notes, sample=sample)

    there = question.existing()
    figures = [figure(code, [code]) for code in there if question.agency in (None, code)]
    if question.agency is None:
        figures.append(figure(None, question.covered()))
    return figures


INDICATORS = (
    Indicator(BN_ACCOUNTS.id, BN_ACCOUNTS, _count_persons),
    Indicator(BN_AGENCIES.id, BN_AGENCIES, _count_agencies),
)
