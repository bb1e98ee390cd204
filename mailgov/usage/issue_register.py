"""An issue register of meeting documents: its distinct entries, what of it was sent, what numbers it lacks.

No I/O here: lines and findings are handed in.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from mailgov.mail.document_key import document_key, symbol_form
from mailgov.store.declarations import RegisterLine

SERIES_CLASSES = frozenset({"GM", "TB"})
"""Classes whose every document belongs in the register, so that its numbers must run through.

Of công văn only the invitations do, and what has no symbol has no number.
"""
UNNAMED = "secret"
"""The exemption of a line that keeps neither number nor title."""
_NUMBERED = re.compile(r"(\d{1,9})[A-Za-z]?([/-].*)\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Entry:
    """One distinct document of the register.

    `keys`: the key of its year, which tells by itself that it was sent, then that of the next: numbers
    begin anew each year, so there it may be another document, and only a linked message tells.
    """

    line: RegisterLine
    keys: tuple[str, ...]

    @property
    def key(self) -> str | None:
        """The key of the year of issue; None without a symbol."""
        return self.keys[0] if self.keys else None

    def may_be(self, key: str | None) -> bool:
        """Whether the document that a linked message counts as can be this one."""
        return key is not None and (not self.keys or key in self.keys)


def entries(lines: Iterable[RegisterLine]) -> list[Entry]:
    """The distinct entries: a number stands once a year, whatever the lines are; without a number
    each line is an entry.
    """
    found: dict[object, Entry] = {}
    for place, line in enumerate(lines):
        keys = _keys(line)
        found.setdefault(keys or place, Entry(line, keys))
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


@dataclass(frozen=True, slots=True)
class Gaps:
    """What the numbers of a register lack; `secret` of them belong to its lines that bear none."""

    missing: tuple[Missing, ...] = ()
    secret: int = 0

    @property
    def count(self) -> int:
        """Numbers that nothing in the register stands for."""
        return sum(one.count for one in self.missing) - self.secret


def missing_numbers(lines: Sequence[RegisterLine], start: date, before: Sequence[RegisterLine] = ()) -> Gaps:
    """Gaps in the numbers of each series and year, of a register that begins on `start`.

    A series begins at 1 where the register holds the year's first day, else after the last number
    of `before`, the register that ends where this one begins; without one, at its own first number.
    A secret document has a number that no line may name, so each accounts for one that is missing.
    """
    numbers, earlier = _numbers(lines), _numbers(before)
    secrets = Counter((line.issued_on.year, line.document_class) for line in lines if line.exempt == UNNAMED)
    found: list[Missing] = []
    lacking: Counter[tuple[int, str]] = Counter()
    for (year, kind, series), own in sorted(numbers.items()):
        from_one = start <= date(year, 1, 1)
        last = 0 if from_one else max(earlier.get((year, kind, series), ()), default=min(own) - 1)
        for number in sorted(own):
            if number > last + 1:
                found.append(Missing(series, last + 1, number - 1))
                lacking[year, kind] += found[-1].count
            last = max(last, number)
    return Gaps(tuple(found), sum(min(count, secrets[of]) for of, count in lacking.items()))


def _numbers(lines: Iterable[RegisterLine]) -> dict[tuple[int, str, str], set[int]]:
    """The numbers by year of issue, class and series."""
    found: dict[tuple[int, str, str], set[int]] = defaultdict(set)
    for line in lines:
        if line.document_class in SERIES_CLASSES and line.symbol:
            match = _NUMBERED.match(symbol_form(line.symbol))
            if match is not None:
                found[line.issued_on.year, line.document_class, match[2]].add(int(match[1]))
    return found
