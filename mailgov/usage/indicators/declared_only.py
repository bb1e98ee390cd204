"""What no mail server can measure: the figure is what agencies declared for exactly the period."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mailgov.policy import Obligation
from mailgov.usage import declared
from mailgov.usage.declared import PROVINCE, DeclaredIndicator
from mailgov.usage.definitions import Definition
from mailgov.usage.indicators import remarks
from mailgov.usage.indicators.row import Figure, Question
from mailgov.usage.notes import Note
from mailgov.usage.targets import step_over


def definition_of(obligation: Obligation) -> Definition:
    """What is counted: the obligation in our words, as declared."""
    vi, en = obligation.summary_vi, obligation.summary_en
    if obligation.measured:
        vi, en = f"{vi} Hệ thống sẽ tự đếm.", f"{en} The service is to count it itself."
    else:
        vi += " Số do cơ quan khai cho đúng kỳ."
        en += " As agencies declared it for exactly the period."
    if obligation.each:
        vi += " Toàn tỉnh: số cơ quan có đủ, trên số cơ quan thuộc diện."
        en += " Of the province: the agencies that have it, of those that it is asked of."
    articles = ((obligation.directive, obligation.article), *obligation.also)
    return Definition(obligation.id, obligation.id, obligation.id, vi, en, articles)


async def count(question: Question) -> list[Figure]:
    """A figure for each agency that declared one, and one of the province."""
    if question.obligation.measured:  # what was declared before it came to be counted is no figure
        return [Figure(question.agency, None, None, notes=(_missing(question),))]
    span = question.period.span
    told = await declared.indicators(question.session, question.obligation.id, span, question.agency)
    figures = [_of(code, one) for code, one in told.items() if code != PROVINCE]
    if question.agency is not None:
        return figures or [Figure(question.agency, None, None, notes=(_missing(question),))]
    return [*figures, _province(question, told)]


def _of(agency: str | None, one: DeclaredIndicator) -> Figure:
    count = one.numerator if one.count is None else one.count
    parts = {"numerator": one.numerator, "denominator": one.denominator, "count": one.count}
    return Figure(
        agency,
        count,
        one.denominator,
        declared={name: value for name, value in parts.items() if value is not None},
        notes=_restated([one]),
        sample=one.origin.sample,
    )


def _province(question: Question, told: Mapping[str, DeclaredIndicator]) -> Figure:
    if PROVINCE in told:
        return _of(None, told[PROVINCE])
    if not told:
        return Figure(None, None, None, notes=(_missing(question),))
    wanted = question.covered(question.period.span.last)
    if not wanted:
        return Figure(None, None, None, notes=(remarks.NOBODY_COVERED,))
    found = [told[code] for code in wanted if code in told]
    notes = _restated(found)
    if len(found) < len(wanted):
        return Figure(None, None, None, notes=(remarks.declared_in_part(len(found), len(wanted)), *notes))
    if question.obligation.each:
        return _of_each(question, found, notes)
    numerators = [one.numerator if one.count is None else one.count for one in found]
    numerator = sum(number for number in numerators if number is not None)
    denominators = [one.denominator for one in found if one.denominator is not None]
    denominator = sum(denominators) if len(denominators) == len(found) else None
    parts: dict[str, int | None] = {
        "numerator": numerator,
        "denominator": denominator,
        "agencies": len(found),
    }
    sample = any(one.origin.sample for one in found)
    return Figure(None, numerator, denominator, declared=parts, notes=notes, sample=sample)


def _of_each(question: Question, found: Sequence[DeclaredIndicator], notes: tuple[Note, ...]) -> Figure:
    """How many of the agencies have the number that is asked of each of them."""
    step = step_over(question.obligation, question.period.span)
    least = 0 if step is None or step.count is None else step.count
    numerator = sum(one.count is not None and one.count >= least for one in found)
    parts: dict[str, int | None] = {
        "agencies_that_have_it": numerator,
        "agencies": len(found),
        "count": sum(one.count or 0 for one in found),
    }
    sample = any(one.origin.sample for one in found)
    return Figure(None, numerator, len(found), declared=parts, notes=notes, sample=sample)


def _missing(question: Question) -> Note:
    return remarks.no_figure(question.obligation)


def _restated(found: Sequence[DeclaredIndicator]) -> tuple[Note, ...]:
    return (remarks.RESTATED,) if any(one.origin.restated for one in found) else ()
