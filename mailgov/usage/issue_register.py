"""An issue register of meeting documents: its distinct entries, what of it was sent, what numbers it lacks.

No I/O here: lines and findings are handed in.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from mailgov.mail.document_key import document_key, symbol_form
from mailgov.store.declarations import RegisterLine

SERIES_CLASSES = frozenset({"GM", "TB"})
"""Classes whose every document belongs in the register, so that its numbers must run through.

Of công văn only the invitations do, and what has no symbol has no number.
"""
LATE = timedelta(days=31)
"""A document of the last days of a year that goes out after it bears the old year's number."""

_NUMBERED = re.compile(r"(\d{1,9})[A-Za-z]?([/-].*)\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Entry:
    """One distinct document of the register. `keys`: the key of its year, then that of the next."""

    line: RegisterLine
    keys: tuple[str, ...]

    def sent(self, first_sent: Callable[[str], date | None]) -> bool:
        """Whether it was sent in the year of its issue, or in the next one at most `LATE` after it."""
        own, late = (first_sent(key) for key in self.keys) if self.keys else (None, None)
        return own is not None or (late is not None and late <= self.line.issued_on + LATE)


def entries(lines: Iterable[RegisterLine]) -> list[Entry]:
    """The distinct entries: one number stands once a year, whatever the lines are; an unnumbered
    line is an entry unless it repeats another in every word.
    """
    found: dict[object, Entry] = {}
    for line in lines:
        keys = _keys(line)
        same: object = keys or line
        found.setdefault(same, Entry(line, keys))
    return list(found.values())


def _keys(line: RegisterLine) -> tuple[str, ...]:
    if not line.symbol or not symbol_form(line.symbol):
        return ()
    made = (
        document_key(
            line.issued_on.year + later,
            document_class=line.document_class,
            symbol=line.symbol,
            family="",
            attachments_hash=None,
            counts=True,
        )
        for later in (0, 1)
    )
    return tuple(key for key in made if key is not None)


@dataclass(frozen=True, slots=True)
class Missing:
    """Numbers that a series lacks, from `first` to `last`; `series` is what follows the number."""

    series: str
    first: int
    last: int

    @property
    def count(self) -> int:
        return self.last - self.first + 1

    def __str__(self) -> str:
        if self.first == self.last:
            return f"{self.first}{self.series}"
        return f"{self.first}–{self.last}{self.series}"


def missing_numbers(
    lines: Sequence[RegisterLine], start: date, before: Sequence[RegisterLine] = ()
) -> list[Missing]:
    """Gaps in the numbers of each series and year, of a register that begins on `start`.

    A series begins at 1 where the register holds the year's first day, else after the last number
    of `before`, the register that ends where this one begins; without one, at its own first number.
    """
    numbers, earlier = _numbers(lines), _numbers(before)
    found = []
    for (year, series), own in sorted(numbers.items()):
        from_one = start <= date(year, 1, 1)
        last = 0 if from_one else max(earlier.get((year, series), ()), default=min(own) - 1)
        for number in sorted(own):
            if number > last + 1:
                found.append(Missing(series, last + 1, number - 1))
            last = max(last, number)
    return found


def _numbers(lines: Iterable[RegisterLine]) -> dict[tuple[int, str], set[int]]:
    """The numbers by year of issue and series."""
    found: dict[tuple[int, str], set[int]] = defaultdict(set)
    for line in lines:
        if line.document_class in SERIES_CLASSES and line.symbol:
            match = _NUMBERED.match(symbol_form(line.symbol))
            if match is not None:
                found[line.issued_on.year, match[2]].add(int(match[1]))
    return found
