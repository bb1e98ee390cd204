"""Whether declared numbers can be, and whether they look like a slip of the pen.

What cannot be is refused. What is only unlikely (a jump against the declaration before, parts that
do not add up to the whole) asks for a reason, which then stands beside the numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from mailgov.store.declarations import DeclarationView
from mailgov.usage.declared import (
    DOCUMENT_COUNTS,
    DOCUMENTS,
    ENTRIES,
    HEADCOUNT,
    INDICATOR,
    LONG_LEAVE,
    PERSON_CLASSES,
    REGISTER,
    span_of,
    tiles,
)
from mailgov.usage.periods import Span, dmy

NUMBER_LIMIT = 1_000_000_000
JUMP_SHARE = 0.30
JUMP_LEAST = 5
"""A jump is more than both: 3 documents instead of 1 are no slip, and neither are 1,010 instead of 1,000."""
LIKE_LENGTH = 0.85
"""Spans compare when the shorter has at least this share of the longer's days: February and March do."""
TOTAL = "total"
"""May come with a headcount for checking; it is not kept."""
SHARE = ("numerator", "denominator")
COUNT = "count"

_REQUIRED: dict[str, tuple[str, ...]] = {
    HEADCOUNT: PERSON_CLASSES,
    DOCUMENTS: DOCUMENT_COUNTS,
    REGISTER: (ENTRIES,),
}
_OPTIONAL: dict[str, tuple[str, ...]] = {HEADCOUNT: (LONG_LEAVE, TOTAL)}
_FLOWS = (DOCUMENTS, REGISTER)
"""Kinds that count what happened in a span, so that parts add up; the others are states of a day."""


class DeclaredError(ValueError):
    """The numbers cannot be; the message says in one line which and what to do."""


def names_of(kind: str) -> tuple[str, ...]:
    """The numbers that a declaration of this kind may carry."""
    if kind == INDICATOR:
        return (*SHARE, COUNT)
    return _REQUIRED[kind] + _OPTIONAL.get(kind, ())


def checked(kind: str, given: Mapping[str, object]) -> dict[str, int]:
    """The numbers as they are kept; raises DeclaredError. None among them is the same as absent."""
    present = {name: value for name, value in given.items() if value is not None}
    for name, value in present.items():
        if name not in names_of(kind):
            raise DeclaredError(f"{name} is no number of a {kind} declaration: {', '.join(names_of(kind))}")
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= NUMBER_LIMIT:
            raise DeclaredError(f"{name} is not a whole number from 0 to {NUMBER_LIMIT}")
    numbers = {name: int(str(value)) for name, value in present.items()}
    if kind == INDICATOR:
        return _share_or_count(numbers)
    if missing := [name for name in _REQUIRED[kind] if name not in numbers]:
        raise DeclaredError(f"{', '.join(missing)} missing: declare 0 where there is none")
    if kind == HEADCOUNT:
        _check_persons(numbers)
    return {name: numbers[name] for name in names_of(kind) if name in numbers and name != TOTAL}


def _check_persons(numbers: Mapping[str, int]) -> None:
    total = sum(numbers[name] for name in PERSON_CLASSES)
    if numbers.get(TOTAL, total) != total:
        raise DeclaredError(
            f"the classes add up to {total}, not to the total {numbers[TOTAL]}: mend the one that is wrong"
        )
    if numbers.get(LONG_LEAVE, 0) > total:
        raise DeclaredError(
            f"{LONG_LEAVE} {numbers[LONG_LEAVE]} is more than all {total} persons, of whom it is a part"
        )


def _share_or_count(numbers: dict[str, int]) -> dict[str, int]:
    if set(numbers) == {COUNT}:
        return numbers
    if set(numbers) != set(SHARE):
        raise DeclaredError("an indicator is either a count, or a numerator and a denominator")
    if numbers["numerator"] > numbers["denominator"]:
        raise DeclaredError(
            f"the numerator {numbers['numerator']} is above the denominator {numbers['denominator']}:"
            " a share is never more than the whole"
        )
    return numbers


def doubts(kind: str, days: Span, numbers: Mapping[str, int], others: Sequence[DeclarationView]) -> list[str]:
    """What makes these numbers look wrong beside the other declarations of the series' kind that count.

    `others` are the same agency's and subject's, without the one that is being corrected.
    """
    before = _one_before(kind, days, others)
    found = [] if before is None else _jumps(numbers, before)
    if kind in _FLOWS:
        found += _sums(days, numbers, others)
    return found


def _one_before(kind: str, days: Span, others: Iterable[DeclarationView]) -> DeclarationView | None:
    """The last one that ended before; of what happened in a span, the last of about the same length."""
    past = [
        one
        for one in others
        if one.series.until_date <= (days.start if kind in _FLOWS else days.last)
        and (kind not in _FLOWS or _alike(days, span_of(one)))
    ]
    return max(past, key=lambda one: (one.series.until_date, one.id), default=None)


def _alike(one: Span, other: Span) -> bool:
    shorter, longer = sorted((one.days, other.days))
    return shorter >= LIKE_LENGTH * longer


def _jumps(numbers: Mapping[str, int], before: DeclarationView) -> list[str]:
    shown = _shown(span_of(before))
    found = []
    for name, value in numbers.items():
        old = before.content.get(name)
        if old is not None and abs(value - old) > max(JUMP_LEAST, JUMP_SHARE * old):
            found.append(f"{name} was {old} in {shown} and is {value} now")
    return found


def _sums(days: Span, numbers: Mapping[str, int], others: Sequence[DeclarationView]) -> list[str]:
    """Where the declared parts of a span do not add up to what is declared for the whole."""
    known = {span_of(one): one.content for one in others} | {days: dict(numbers)}
    found = []
    for whole in sorted(known, key=lambda span: (span.start, span.end)):
        parts = tiles(whole, known.keys() - {whole})
        if parts is None or (whole != days and days not in parts):
            continue
        for name, value in known[whole].items():
            added = sum(known[part].get(name, 0) for part in parts)
            if added != value:
                found.append(f"{name} is {value} in {_shown(whole)}, but its parts add up to {added}")
    return found


def _shown(span: Span) -> str:
    return f"{dmy(span.start)}–{dmy(span.last)}"
