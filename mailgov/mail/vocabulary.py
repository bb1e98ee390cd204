"""What `classify` knows: the document types, their names, and phrases, compiled for matching."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from mailgov.mail.document_types import DEFAULT_TABLE
from mailgov.mail.text import key_form, one_line, without_marks

LIST_LENGTH = 500
PHRASE_CHARACTERS = 100
CODE_CHARACTERS = 10

_WORD_END = r"(?![^\W_])"
_CODE = re.compile(r"[^\W\d_]{1,10}\Z")

# In a text without marks "hop" is họp, hợp or hộp, and only the next word tells them apart.
_NOT_A_MEETING = (
    "dong|phap|tac|ly|nhat|kim|den|quan|long|phan|so|tho|thu (?:dien|cong|cua|ca|rac|den|di|goc|gop)|thu$"
)


class VocabularyError(ValueError):
    """The table is not a vocabulary. `path` leads to the fault, such as ("type", 3, "names")."""

    def __init__(self, path: tuple[str | int, ...], problem: str) -> None:
        super().__init__(f"{'.'.join(map(str, path))}: {problem}")
        self.path = path
        self.problem = problem


@dataclass(frozen=True, slots=True)
class DocumentType:
    """A type of document.

    `code` as it stands in symbols and in records. `names` open a subject and may stand before
    the document's own symbol; `openings` open a subject too, but a symbol after them is another
    document's ("V/v 12/KH-UBND"). A name before a word of `not_before` is another word.
    """

    code: str
    names: tuple[str, ...] = ()
    openings: tuple[str, ...] = ()
    not_before: tuple[str, ...] = ()
    meeting: bool = False
    """Documents of this type are for a meeting by themselves."""
    symbol: bool = True
    """False when the code never stands in a symbol."""


@dataclass(frozen=True, slots=True)
class Opening:
    """What a matched opening phrase means."""

    type: DocumentType
    before_symbol: bool


@dataclass(frozen=True, slots=True)
class Patterns:
    """Patterns over `key_form` text: with marks, or for a text that has none at all."""

    prefix: re.Pattern[str]
    """A reply or forward prefix with its colon; group `forward` is set for the latter."""
    opening: re.Pattern[str]
    openings: Mapping[str, Opening]
    invitation: re.Pattern[str]
    """Words that invite to a meeting, anywhere."""
    convening: re.Pattern[str]
    """A meeting named at once after the document's name: "Thông báo (về việc) họp …"."""


@dataclass(frozen=True)
class Vocabulary:
    """Compiled document types and phrases; immutable. Two of the same content are equal."""

    types: tuple[DocumentType, ...]
    reply: tuple[str, ...]
    forward: tuple[str, ...]
    invitations: tuple[str, ...]
    not_invitations: tuple[str, ...]
    occasions: tuple[str, ...]
    marked: Patterns = field(init=False, repr=False, compare=False)
    unmarked: Patterns = field(init=False, repr=False, compare=False)
    label: re.Pattern[str] = field(init=False, repr=False, compare=False)
    """A type's code as a label, in its exact letters."""
    by_code: Mapping[str, DocumentType] = field(init=False, repr=False, compare=False)
    symbol_codes: Mapping[str, str] = field(init=False, repr=False, compare=False)
    """Code in capitals to code, for those that stand in symbols."""
    lookalikes: frozenset[str] = field(init=False, repr=False, compare=False)
    """Codes that lost their marks and are no codes ("QD"): neither a type nor a công văn."""

    def __post_init__(self) -> None:
        codes = {kind.code.upper(): kind.code for kind in self.types if kind.symbol}
        compiled = {
            "marked": self._patterns(key_form),
            "unmarked": self._patterns(lambda phrase: without_marks(key_form(phrase))),
            "label": re.compile(f"({_either(kind.code for kind in self.types)}){_WORD_END}"),
            "by_code": {kind.code: kind for kind in self.types},
            "symbol_codes": codes,
            "lookalikes": frozenset(map(without_marks, codes)) - codes.keys(),
        }
        for name, value in compiled.items():
            object.__setattr__(self, name, value)

    @classmethod
    @cache
    def default(cls) -> Vocabulary:
        """The vocabulary that is known without any file."""
        return _read(DEFAULT_TABLE, None)

    @classmethod
    def from_table(cls, table: Mapping[str, Any]) -> Vocabulary:
        """The default vocabulary with what `table` says instead (keys of document_types.toml).

        A `[[type]]` takes the place of the default of its code, or is added; a list of phrases
        takes the place of the default list. Raises VocabularyError.
        """
        return _read(table, cls.default())

    def _patterns(self, form: Callable[[str], str]) -> Patterns:
        openings: dict[str, Opening] = {}
        ambiguous: set[str] = set()
        lookaheads: dict[str, str] = {}
        unmarked = form("ô") == "o"
        for kind in self.types:
            for phrase in map(form, (*kind.names, *kind.openings)):
                if phrase in openings and openings[phrase].type != kind:
                    ambiguous.add(phrase)
                openings[phrase] = Opening(kind, phrase in map(form, kind.names))
                not_before = _either(map(form, kind.not_before)) if kind.not_before else ""
                if unmarked and phrase.endswith("hop"):
                    not_before = f"{not_before}|{_NOT_A_MEETING}" if not_before else _NOT_A_MEETING
                lookaheads[phrase] = f"(?! (?:{not_before}){_WORD_END})" if not_before else ""
        for phrase in ambiguous:
            del openings[phrase]
        by_length = sorted(openings, key=len, reverse=True)
        return Patterns(
            prefix=re.compile(
                f"(?:{_either(map(form, self.reply))}|(?P<forward>{_either(map(form, self.forward))}))"
                r" ?(?:\[\d{1,4}\]|\(\d{1,4}\))? ?:"
            ),
            opening=re.compile(
                "(?:" + "|".join(f"{re.escape(p)}{_WORD_END}{lookaheads[p]}" for p in by_length) + ")"
                if by_length
                else r"(?!)"
            ),
            openings=openings,
            invitation=re.compile(self._invitation(form, unmarked)),
            convening=re.compile(self._convening(form, unmarked)),
        )

    def _occasion(self, form: Callable[[str], str], unmarked: bool) -> str:
        occasion = f"(?:{_either(map(form, self.occasions))}){_WORD_END}"
        guard = rf"(?<=hop)(?! (?:{_NOT_A_MEETING}){_WORD_END})|(?<!hop)" if unmarked else ""
        return rf"(?<!{form('phòng')} ){occasion}" + (f"(?:{guard})" if guard else "")

    def _invitation(self, form: Callable[[str], str], unmarked: bool) -> str:
        verb = rf"(?<![^\W_])(?<!{form('giấy')} )(?:{_either(map(form, self.invitations))}){_WORD_END}"
        if self.not_invitations:
            verb += f"(?! (?:{_either(map(form, self.not_invitations))}){_WORD_END})"
        # Without marks "moi" is mời, mới or mỗi: nothing but "to attend" may stand between.
        gap = f"(?: {form('tham')})?(?: {form('dự')})? " if unmarked else "(?: [^ ]++){0,6}? "
        return verb + gap + self._occasion(form, unmarked)

    def _convening(self, form: Callable[[str], str], unmarked: bool) -> str:
        about = f"(?:(?:v/v|{form('về việc')})[ :]*)?"
        attend = f"(?:{form('tham dự')} |{form('dự')} |{form('lịch')} )?"
        kind = f"(?:{_either(map(form, ('cuộc', 'buổi', 'phiên', 'kỳ')))} )?" if not unmarked else ""
        return f"[ :]*{about}{attend}{kind}{self._occasion(form, unmarked)}"


def _either(phrases: Iterable[str]) -> str:
    """An alternation with the longest first; one that never matches when there are none."""
    return "|".join(re.escape(p) for p in sorted(phrases, key=len, reverse=True)) or r"(?!)"


_SECTIONS = {
    "reply": {"prefixes"},
    "forward": {"prefixes"},
    "meeting": {"invitations", "not_before", "occasions"},
}


def _read(table: Mapping[str, Any], base: Vocabulary | None) -> Vocabulary:
    _only(table, {*_SECTIONS, "type"}, ())
    for name, keys in _SECTIONS.items():
        _only(_table(table.get(name, {}), (name,)), keys, (name,))

    def phrases(section: str, key: str, default: str) -> tuple[str, ...]:
        if section in table and key in table[section]:
            return _phrases(table[section][key], (section, key))
        return getattr(base, default) if base else ()

    types = {kind.code: kind for kind in (base.types if base else ())}
    rows = table.get("type", [])
    if not isinstance(rows, list) or len(rows) > LIST_LENGTH:
        raise VocabularyError(("type",), f"expected at most {LIST_LENGTH} tables")
    seen: set[str] = set()
    for index, row in enumerate(rows):
        kind = _type(_table(row, ("type", index)), ("type", index))
        if kind.code in seen:
            raise VocabularyError(("type", index, "code"), f"{kind.code} stands twice")
        seen.add(kind.code)
        types[kind.code] = kind
    return Vocabulary(
        types=tuple(types.values()),
        reply=phrases("reply", "prefixes", "reply"),
        forward=phrases("forward", "prefixes", "forward"),
        invitations=phrases("meeting", "invitations", "invitations"),
        not_invitations=phrases("meeting", "not_before", "not_invitations"),
        occasions=phrases("meeting", "occasions", "occasions"),
    )


def _type(row: Mapping[str, Any], path: tuple[str | int, ...]) -> DocumentType:
    _only(row, {"code", "names", "openings", "not_before", "meeting", "symbol"}, path)
    code = row.get("code")
    if not isinstance(code, str) or not _CODE.match(code := one_line(code, CODE_CHARACTERS + 1)):
        raise VocabularyError((*path, "code"), f"expected 1 to {CODE_CHARACTERS} letters")
    for key in ("meeting", "symbol"):
        if not isinstance(row.get(key, False), bool):
            raise VocabularyError((*path, key), "expected true or false")
    phrases = {key: _phrases(row.get(key, []), (*path, key)) for key in ("names", "openings", "not_before")}
    return DocumentType(
        code,
        names=phrases["names"],
        openings=phrases["openings"],
        not_before=phrases["not_before"],
        meeting=row.get("meeting", False),
        symbol=row.get("symbol", True),
    )


def _phrases(value: Any, path: tuple[str | int, ...]) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > LIST_LENGTH:
        raise VocabularyError(path, f"expected a list of at most {LIST_LENGTH} phrases")
    phrases: list[str] = []
    for index, phrase in enumerate(value):
        clean = one_line(phrase, PHRASE_CHARACTERS + 1) if isinstance(phrase, str) else ""
        if not 0 < len(clean) <= PHRASE_CHARACTERS:
            raise VocabularyError((*path, index), f"expected a phrase of 1 to {PHRASE_CHARACTERS} characters")
        phrases.append(clean)
    return tuple(phrases)


def _table(value: Any, path: tuple[str | int, ...]) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise VocabularyError(path, "expected a table")
    return value


def _only(table: Mapping[str, Any], known: Iterable[str], path: tuple[str | int, ...]) -> None:
    for key in table:
        if key not in known:
            raise VocabularyError((*path, key), "unknown key")
