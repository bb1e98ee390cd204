"""Whether the lines of an issue register of meeting documents can be, one by one and together.

A secret document leaves its class, its day and the word `secret`, and nothing else: neither
number nor title nor message (Luật 117/2025/QH15, Điều 5.2).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from mailgov.mail.document import classify, secrecy_mark
from mailgov.mail.symbol import CONG_VAN
from mailgov.mail.vocabulary import Vocabulary
from mailgov.store.declarations import RegisterLine
from mailgov.usage.declared import EXEMPT_REASONS
from mailgov.usage.declared_checks import DeclaredError
from mailgov.usage.periods import Span, dmy

LINES_LIMIT = 20_000
TITLE_CHARACTERS = 300
SYMBOL_CHARACTERS = 60
QUEUE_ID_CHARACTERS = 40


@dataclass(frozen=True, slots=True)
class Faulty:
    """What is wrong with one line, counted from 1."""

    line: int
    detail: str


def checked_lines(
    lines: Sequence[RegisterLine], days: Span, vocabulary: Vocabulary
) -> tuple[tuple[RegisterLine, ...], list[Faulty]]:
    """The lines as they are kept, and every fault; with a fault none of them may be kept.

    A line without a class takes that of its symbol. Symbols lose stray spaces and nothing else.
    """
    kept: list[RegisterLine] = []
    faults: list[Faulty] = []
    seen: dict[tuple[int, str], int] = {}
    for number, line in enumerate(lines, start=1):
        try:
            done = _checked(line, days, vocabulary)
            if done.symbol is not None:
                _once(seen, number, (done.issued_on.year, done.symbol))
            kept.append(done)
        except DeclaredError as error:
            faults.append(Faulty(number, str(error)))
    return tuple(kept), faults


def _once(seen: dict[tuple[int, str], int], number: int, key: tuple[int, str]) -> None:
    """Raise for a symbol that stands twice in a year, in which numbers do not repeat."""
    if (first := seen.setdefault(key, number)) != number:
        raise DeclaredError(f"the symbol {key[1]} stands in line {first} already: leave one of them out")


def _checked(line: RegisterLine, days: Span, vocabulary: Vocabulary) -> RegisterLine:
    if not days.start <= line.issued_on < days.end:
        raise DeclaredError(
            f"issued on {dmy(line.issued_on)}, outside {dmy(days.start)}–{dmy(days.last)}:"
            " declare it with its own period"
        )
    line = replace(
        line,
        document_class=line.document_class.strip(),
        symbol=_one_line(line.symbol, "symbol", SYMBOL_CHARACTERS),
        title=_one_line(line.title, "title", TITLE_CHARACTERS),
        exempt=_one_line(line.exempt, "exempt", 20),
        queue_id=_one_line(line.queue_id, "queue id", QUEUE_ID_CHARACTERS),
    )
    if line.exempt is not None and line.exempt not in EXEMPT_REASONS:
        raise DeclaredError(f"exempt is {line.exempt!r}: it is empty or one of {', '.join(EXEMPT_REASONS)}")
    _check_secrecy(line)
    return _classed(line, vocabulary)


def _check_secrecy(line: RegisterLine) -> None:
    if line.exempt == "secret" and (line.symbol or line.title or line.queue_id):
        raise DeclaredError(
            "a secret document leaves no trace here but its class and day:"
            " leave symbol, title and queue id empty"
        )
    if line.title is not None and secrecy_mark(line.title):
        raise DeclaredError(
            "the title carries a secrecy mark: leave title, symbol and queue id empty,"
            " and write secret under exempt"
        )


def _classed(line: RegisterLine, vocabulary: Vocabulary) -> RegisterLine:
    """The line with its class and its symbol as they are written in figures."""
    codes = vocabulary.by_code
    document_class = line.document_class
    symbol = line.symbol
    if symbol is not None:
        found = classify(symbol, (), vocabulary)
        if found.symbol is None:
            raise DeclaredError(f"{symbol!r} is not a symbol such as 12/GM-UBND")
        symbol = found.symbol
        document_class = document_class or found.document_class or ""
        if found.document_class not in (None, CONG_VAN, document_class):
            raise DeclaredError(
                f"{symbol} is of class {found.document_class}, the line says {document_class}:"
                " mend one of them"
            )
    if document_class not in codes:
        named = repr(document_class[:20]) if document_class else "missing"
        raise DeclaredError(f"the class is {named}: write one such as GM, LCT, TB, TLH or CV")
    return replace(line, document_class=document_class, symbol=symbol)


def _one_line(text: str | None, what: str, limit: int) -> str | None:
    """The text in NFC with single spaces; empty is None."""
    if text is None:
        return None
    plain = unicodedata.normalize("NFC", " ".join(text.split()))
    if len(plain) > limit or not plain.isprintable():
        raise DeclaredError(f"the {what} is not one line of at most {limit} visible characters")
    return plain or None


def linked(lines: Iterable[RegisterLine]) -> set[str]:
    """The queue ids that lines name."""
    return {line.queue_id for line in lines if line.queue_id is not None}
