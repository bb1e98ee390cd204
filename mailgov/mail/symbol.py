"""The number and symbol of an official document: `12/GM-UBND`, `345/STTTT-CNTT`, `07-BC/TU`.

Marks are never folded here: HD and HĐ, DA and ĐA are different types. Stray spaces around the
slash and the hyphen are taken out, and a type written in other case gets its own letters.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from mailgov.mail.text import without_marks

_CAPITAL = "A-ZĂÂĐÊÔƠƯ"  # abbreviations take first letters, which carry no tone
_TOKEN = rf"(?:[{_CAPITAL}](?:[a-z]?[{_CAPITAL}0-9&])+[a-z]?|[{_CAPITAL}])(?![^\W_])"
_SMALL = r"[^\W\d_]{2,4}(?![^\W_])"
_NUMBER = r"(?P<number>\d{1,6}[A-Za-z]?)"
_YEAR = r"(?P<year>(?:19|20)\d\d)"

_WITH_SLASH = re.compile(rf"{_NUMBER} ?/ ?(?:{_YEAR} ?/ ?)?(?P<first>{_TOKEN})(?! ?/)")
_PARTY = re.compile(rf"{_NUMBER} ?- ?(?P<first>{_TOKEN}) ?/ ?(?P<second>{_TOKEN})")
_SMALL_LETTERS = re.compile(
    rf"{_NUMBER} ?/ ?(?:{_YEAR} ?/ ?)?(?P<first>{_SMALL}) ?- ?(?P<second>[^\W_]{{1,12}}(?![^\W_]))"
)
_FILE_NAME = re.compile(
    rf"{_NUMBER}(?P<gap>[ _.\-])(?:{_YEAR}[ _.\-])?(?P<first>{_TOKEN}|{_SMALL})"
    rf"(?P<joint>[ _.\-])(?P<second>{_TOKEN}|[^\W_A-ZĐ]{{1,12}}(?![^\W_]))"
)
_MORE = re.compile(rf"(?P<before> ?)-(?P<after> ?)(?P<token>{_TOKEN})")

# Law and party documents: they have a type, but none that we class.
_OTHER_TYPES = re.compile(r"(?:NĐ|TT|TTLT|NQLT|L|PL|QH\d*|UBTVQH\d*)\Z")

_SYLLABLE = re.compile(r"(?:ngh?|[ckgpt]h|gi|qu|tr|[bcdghklmnprstvx])?[aeiouy]{1,3}(?:ch|ng|nh|[cmnpt])?\Z")
_AGENCIES_LIKE_WORDS = frozenset({"TU", "HU", "ĐU", "SYT", "CA", "CAT"})

CONG_VAN = "CV"


@dataclass(frozen=True, slots=True)
class Symbol:
    """A symbol found in a text. `end` is the offset behind it.

    `document_class` is the type's code; CV where the symbol has no type; None where the type is
    none of ours. `letters` are those of the type or, without one, of the agency, in capitals.
    """

    text: str
    document_class: str | None
    letters: str
    end: int


def read_symbol(
    text: str, position: int, codes: Mapping[str, str], lookalikes: Collection[str]
) -> Symbol | None:
    """The symbol that stands at `position` of a subject (one line, NFC, plain punctuation), or None.

    `codes` maps a type in capitals to its code; `lookalikes` are types that lost their marks.
    """
    if match := _PARTY.match(text, position):
        code = codes.get(match["first"].upper())
        tail, end = _tail(text, match.end(), complete=True)
        symbol = f"{match['number']}-{code or match['first']}/{match['second']}{tail}"
        return Symbol(symbol, code, match["first"].upper(), end)
    if match := _WITH_SLASH.match(text, position):
        first = match["first"]
        code = codes.get(first.upper())
        tail, end = _tail(text, match.end(), complete=False)
        if code is None and len(first) < 2:
            return None
        symbol = f"{_numbered(match)}{code or first}{tail}"
        return Symbol(symbol, code or _class_of(first, match["year"], lookalikes), first.upper(), end)
    if match := _SMALL_LETTERS.match(text, position):
        return _small(match, codes)
    return None


def read_file_symbol(
    name: str, position: int, codes: Mapping[str, str], lookalikes: Collection[str]
) -> Symbol | None:
    """The symbol at `position` of a file name, where `_ - .` or a space stand for the slash."""
    if symbol := read_symbol(name, position, codes, lookalikes):
        return symbol
    match = _FILE_NAME.match(name, position)
    if match is None:
        return None
    first, second = match["first"], match["second"]
    code = codes.get(first.upper())
    if first.islower() or second.islower():
        return _small(match, codes)
    if code is not None:
        if _is_word(second):
            return None
        tail, end = _tail(name, match.end(), complete=True)
        if match["gap"] == "-" and match["joint"] == "_":
            return Symbol(f"{match['number']}-{code}/{second}{tail}", code, first.upper(), end)
        return Symbol(f"{_numbered(match)}{code}-{second}{tail}", code, first.upper(), end)
    # Many a picture is called 01_ANH-DEP: without a type, only what reads like agency and unit counts.
    if match["joint"] != "-" or len(first) < 2 or _is_word(first) or _is_word(second):
        return None
    kind = _class_of(first, match["year"], lookalikes)
    return Symbol(f"{_numbered(match)}{first}-{second}", kind, first.upper(), match.end())


def _numbered(match: re.Match[str]) -> str:
    return f"{match['number']}/{match['year']}/" if match["year"] else f"{match['number']}/"


def _class_of(first: str, year: str | None, lookalikes: Collection[str]) -> str | None:
    """The class of a symbol whose first letters are no type of ours."""
    law = _OTHER_TYPES.match(first) and (year or first == "NĐ")
    return None if law or first.upper() in lookalikes else CONG_VAN


def _small(match: re.Match[str], codes: Mapping[str, str]) -> Symbol | None:
    """A symbol in small letters counts only when it has a type and an agency of ours."""
    first, second = match["first"], match["second"]
    code = codes.get(first.upper())
    if code is None or not first.islower() or not second.islower() or _is_word(second.upper()):
        return None
    return Symbol(f"{_numbered(match)}{code}-{second.upper()}", code, first.upper(), match.end())


def _tail(text: str, position: int, *, complete: bool) -> tuple[str, int]:
    """The hyphenated tokens from `position` and where they end. `complete`: an agency is named already.

    A hyphen with spaces on both sides mostly begins the next phrase, so it joins only what is
    missing yet; a syllable ("MOI") joins only where nothing separates it.
    """
    tail = ""
    for _ in range(4):
        match = _MORE.match(text, position)
        if match is None:
            break
        spaces = len(match["before"]) + len(match["after"])
        if (complete or spaces) and _is_word(match["token"]):
            break
        if spaces == 2 and complete:
            break
        tail += f"-{match['token']}"
        position = match.end()
        complete = True
    return tail, position


def _is_word(token: str) -> bool:
    """True for what can be read as a Vietnamese syllable, which abbreviations seldom can."""
    return token not in _AGENCIES_LIKE_WORDS and bool(_SYLLABLE.match(without_marks(token).lower()))
