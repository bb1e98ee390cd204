"""Officials who use mail: active persons among those that the agency declared it has."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from mailgov.store import people
from mailgov.store.people import Serving
from mailgov.usage import declared
from mailgov.usage.declared import Headcount
from mailgov.usage.indicators import remarks
from mailgov.usage.indicators.definitions import BD_OFFICIALS, PT_OFFICIALS
from mailgov.usage.indicators.row import Figure, Indicator, Question
from mailgov.usage.notes import Note, note_on_people


async def headcounts(question: Question) -> Mapping[str, Headcount]:
    """What agencies declared for the period's last day."""
    return await declared.headcounts(question.session, question.period.span, question.agency)


async def served(question: Question) -> list[Serving]:
    """Holders of personal accounts, in the classes that the obligation names, on the period's last day."""
    found = await people.serving_on(question.session, question.day, question.agency)
    classes = question.obligation.people
    return [one for one in found if one.kind == "personal" and one.person_class in classes]


def counted_of(question: Question, heads: Collection[Headcount]) -> dict[str, int | None]:
    """The declared parts of a denominator, by class; None for each while nothing is declared."""
    classes = question.obligation.people
    return {name: sum(head.of([name]) for head in heads) if heads else None for name in classes}


def denominator(
    question: Question, agency: str | None, heads: Mapping[str, Headcount]
) -> tuple[int | None, list[Headcount], tuple[Note, ...]]:
    """Persons declared by one agency, or by all that the province's figure is made of.

    None with a note while one of them has declared nothing.
    """
    wanted = question.covered(question.period.span.last) if agency is None else [agency]
    told = [heads[code] for code in wanted if code in heads]
    notes: tuple[Note, ...] = (remarks.RESTATED,) if any(head.origin.restated for head in told) else ()
    if agency is not None and not told:
        return None, told, (remarks.undeclared(question.period.span.last), *notes)
    if len(told) < len(wanted):
        return None, told, (remarks.declared_in_part(len(told), len(wanted)), *notes)
    return sum(head.of(question.obligation.people) for head in told), told, notes


async def _count(question: Question) -> list[Figure]:
    holders = await served(question)
    heads = await headcounts(question)
    days = question.period.span
    sign_ins = await people.signed_in(question.session, days.start, days.end)
    codes = list(question.directory) if question.agency is None else [question.agency]
    by_agency = addresses_by_agency(holders)
    nobody: frozenset[str] = frozenset()
    figures = [_figure(question, code, by_agency.get(code, nobody), heads, sign_ins) for code in codes]
    if question.agency is None:
        inside = nobody.union(*(by_agency.get(code, nobody) for code in question.covered()))
        figures.append(_figure(question, None, inside, heads, sign_ins))
    return figures


def addresses_by_agency(holders: Iterable[Serving]) -> dict[str, frozenset[str]]:
    """The holders' addresses by the agency that they serve."""
    found: dict[str, set[str]] = {}
    for one in holders:
        found.setdefault(one.agency, set()).add(one.address)
    return {agency: frozenset(addresses) for agency, addresses in found.items()}


def _figure(
    question: Question,
    agency: str | None,
    mine: frozenset[str],
    heads: Mapping[str, Headcount],
    sign_ins: frozenset[str] | None,
) -> Figure:
    activity = question.activity
    active = None if activity.each is None else len(activity.each & mine)
    all_of_them, told, notes = denominator(question, agency, heads)
    if active is None:
        unobserved = note_on_people(question.period, question.today, question.observed)
        notes = (unobserved, *notes) if unobserved is not None else notes
    sent = activity.some & mine
    leave = [head.long_leave for head in told if head.long_leave is not None]
    return Figure(
        agency=agency,
        numerator=active,
        denominator=all_of_them,
        measured={"active_persons": active},
        declared=counted_of(question, told if all_of_them is not None else []),
        beside={
            "persons_that_sent": len(sent),
            "signed_in": None if sign_ins is None else len(sign_ins & mine),
            "signed_in_or_sent": None if sign_ins is None else len((sign_ins & mine) | sent),
            "long_leave": sum(leave) if told and len(leave) == len(told) else None,
        },
        notes=notes,
        sample=any(head.origin.sample for head in told) or (activity.sample and bool(sent)),
    )


INDICATORS = (
    Indicator(PT_OFFICIALS.id, PT_OFFICIALS, _count),
    Indicator(BD_OFFICIALS.id, BD_OFFICIALS, _count),
)
