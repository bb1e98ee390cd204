"""Agencies that a succession links, taken together: what stays comparable over a merger or a division.

Their own figures stay as they are; the combined one is computed from them for each report, and
kept nowhere. Who is linked on any day, is together in every period: a district that was divided
is never remapped to one of its communes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mailgov.store.agencies import Succession
from mailgov.usage.indicators import remarks
from mailgov.usage.indicators.row import Figure, IndicatorRow, Parts

JOINED = "+"
"""Between the codes of a family; no code has it."""


@dataclass(frozen=True, slots=True)
class Combined:
    """The row of a family of agencies; `row.agency` has their codes joined."""

    agencies: tuple[str, ...]
    row: IndicatorRow

    def to_json(self) -> dict[str, Any]:
        """The row's fields with `agencies` in the place of `agency`."""
        fields = self.row.to_json()
        fields.pop("agency")
        return {"indicator": fields.pop("indicator"), "agencies": list(self.agencies), **fields}


def families(links: Iterable[Succession]) -> list[tuple[str, ...]]:
    """The codes that successions link with one another, directly or through others, each family in order."""
    of: dict[str, set[str]] = {}
    for link in links:
        joined = of.get(link.from_code, {link.from_code}) | of.get(link.to_code, {link.to_code})
        for code in joined:
            of[code] = joined
    return sorted({tuple(sorted(family)) for family in of.values()})


def combine(
    members: Sequence[str],
    figures: Mapping[str, Figure],
    *,
    ended: frozenset[str],
    by_day: bool,
) -> Figure:
    """The sum of the members' own figures; null while one of them is not known.

    `ended` are members that do not exist on the day that states are told for: they have nobody and
    nothing on that day, so what is counted `by_day` leaves them out.
    """
    code = JOINED.join(members)
    found = [figures[one] for one in members if one in figures and not (by_day and one in ended)]
    notes = (remarks.combined(len(found)), *dict.fromkeys(note for one in found for note in one.notes))
    if not found:
        return Figure(code, None, None, notes=notes)
    return Figure(
        agency=code,
        numerator=_sum(one.numerator for one in found),
        denominator=_sum(one.denominator for one in found),
        measured=_parts([one.measured for one in found]),
        declared=_parts([one.declared for one in found]),
        beside=_parts([one.beside for one in found]),
        notes=notes,
        sample=any(one.sample for one in found),
        incomplete=any(one.incomplete for one in found),
    )


def _sum(numbers: Iterable[int | None]) -> int | None:
    every = list(numbers)
    known = [number for number in every if number is not None]
    return sum(known) if len(known) == len(every) else None


def _parts(every: Sequence[Parts]) -> dict[str, int | None]:
    names = dict.fromkeys(name for parts in every for name in parts)
    return {name: _sum(parts.get(name) for parts in every) for name in names}
