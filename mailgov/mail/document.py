"""Class, symbol, urgency and secrecy of an official document, from subject and attachment names.

Only what leads the subject says what the document is: reply and forward prefixes, marks, the
type's name and "số" may stand before its own symbol; a symbol cited later is another
document's. A subject without any diacritics is also read without them, but never for secrecy
marks, and letters in symbols are never folded.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mailgov.mail import secrecy, urgency
from mailgov.mail.secrecy import SECRECY_CHARACTERS, highest, mark_of, secrecy_mark
from mailgov.mail.symbol import CONG_VAN, Symbol, read_file_symbol, read_symbol
from mailgov.mail.text import has_marks, key_form, one_line, plain_punctuation, without_marks
from mailgov.mail.urgency import URGENCY_MARKS, urgency_of
from mailgov.mail.vocabulary import Opening, Vocabulary, VocabularyError

__all__ = ["Document", "Vocabulary", "VocabularyError", "classify", "secrecy_mark"]

SUBJECT_CHARACTERS = 1000
"""What is read of a subject for all but secrecy, which reads as far as SECRECY_CHARACTERS."""

ATTACHMENT_NAMES = 200
_NAME_CHARACTERS = 1000
_LEAD_STEPS = 50

_MAY_INVITE = frozenset({None, CONG_VAN, "TB", "CĐ"})
"""Classes that are for a meeting when their words invite to one; a report on a meeting is not."""

_BETWEEN = re.compile(r"[ \-:.,;|*#>!~\"'“”‘’()\[\]{}<«»_]*+")
_MARK = re.compile(
    rf"{secrecy.LABEL}(?:{secrecy.TOP}|(?i:mật){secrecy.ENDS})?|{secrecy.TOP}"
    rf"|{secrecy.CAPITALS}|{secrecy.TITLED}|{urgency.LABEL}"
    rf"|(?P<highest>{urgency.HIGHEST}(?i: hẹn giờ)?)|(?P<high>{urgency.HIGH})"
    rf"|(?P<plain>{urgency.CAPITALS}|{urgency.ALONE})"
)
_UNMARKED_MARK = re.compile(
    rf"(?P<highest>{urgency.UNMARKED_HIGHEST})|(?P<high>{urgency.UNMARKED_HIGH})"
    rf"|(?P<plain>{urgency.UNMARKED_ALONE})"
)
_NUMBER_WORD = re.compile(r"(?i:s[ốo](?:[ ,/]*(?:và )?k[ýí] hiệu)?)[ :._\-]{0,3}(?=\d)")
_GENERIC_NAME = re.compile(r"(?i:văn bản|van ban|vb) ?(?=(?i:s[ốo])|\d)")
_COLON = re.compile(r" ?:")
_FILE_DELIMITERS = str.maketrans("_-.", "   ")
_EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,5}\Z")
_ORDINAL = re.compile(r"\d{1,2}[ _.\-)]++")


@dataclass(slots=True)  # not frozen: each message makes one, and that would take it three times as long
class Document:
    """What subject and attachment names say; None where they say nothing.

    `document_class` is a code of the vocabulary ("GM", "CV"), `symbol` is written without stray
    spaces ("12/GM-UBND"), `meeting` is true for what invites to a meeting or is meant for one.
    """

    document_class: str | None = None
    symbol: str | None = None
    secrecy: str | None = None
    urgency: str | None = None
    reply: bool = False
    forward: bool = False
    meeting: bool = False


def classify(
    subject: str, attachment_names: Sequence[str] = (), vocabulary: Vocabulary | None = None
) -> Document:
    """Read a decoded subject and the decoded names of attachments; never raises, bounded time.

    The subject decides. Names add class, symbol, urgency and meeting only where the subject
    gives none, and a symbol only of the subject's class; a secrecy mark counts wherever it stands.
    """
    vocabulary = vocabulary or Vocabulary.default()
    text = plain_punctuation(one_line(subject, SECRECY_CHARACTERS))
    names = [plain_punctuation(one_line(n, _NAME_CHARACTERS)) for n in attachment_names[:ATTACHMENT_NAMES]]
    mark = highest([mark_of(text), *map(mark_of, names)])
    found = _Reading(text[:SUBJECT_CHARACTERS], vocabulary, file_name=False).document(mark)
    if not names:
        return found
    return _with_attachments(found, [_Reading(n, vocabulary, file_name=True).document(None) for n in names])


def _with_attachments(subject: Document, attached: list[Document]) -> Document:
    document_class, symbol = subject.document_class, subject.symbol
    if symbol is None:
        # A name with class and symbol says more than one with a class alone.
        candidates = [a for a in attached if a.document_class and a.symbol] + [
            a for a in attached if a.document_class
        ]
        for candidate in candidates:
            if document_class in {None, candidate.document_class}:
                document_class, symbol = candidate.document_class, candidate.symbol
                break
    marks = [a.urgency for a in attached if a.urgency]
    return replace(
        subject,
        document_class=document_class,
        symbol=symbol,
        urgency=subject.urgency or max(marks, key=URGENCY_MARKS.index, default=None),
        meeting=subject.meeting or any(a.meeting for a in attached),
    )


class _Reading:
    """One subject, or one file name, being read from its start."""

    def __init__(self, text: str, vocabulary: Vocabulary, *, file_name: bool) -> None:
        if file_name:
            text = _EXTENSION.sub("", text)
        self._text = text
        self._low = key_form(text)
        if file_name:
            self._low = self._low.translate(_FILE_DELIMITERS).rstrip()
        self._file_name = file_name
        self._unmarked = not has_marks(text)
        self._vocabulary = vocabulary
        self._patterns = vocabulary.unmarked if self._unmarked else vocabulary.marked
        self._position = 0
        self._reply = self._forward = self._meeting = False
        self._class: str | None = None
        self._symbol: str | None = None
        self._urgency: str | None = None

    def document(self, mark: str | None) -> Document:
        """What the text says; the secrecy `mark` was found before."""
        if not self._text:
            return Document(secrecy=mark)
        self._lead()
        self._identify()
        if not self._meeting and self._class in _MAY_INVITE:
            self._meeting = bool(self._patterns.invitation.search(self._low))
        return Document(
            document_class=self._class,
            symbol=self._symbol,
            secrecy=mark,
            urgency=self._urgency or urgency_of(self._text, unmarked=self._unmarked),
            reply=self._reply,
            forward=self._forward,
            meeting=self._meeting,
        )

    def _lead(self, *, prefixes: bool = True) -> None:
        """Go past reply and forward prefixes, marks, and the signs between them."""
        mark = _UNMARKED_MARK if self._unmarked else _MARK
        for _ in range(_LEAD_STEPS):
            self._skip(_BETWEEN)
            if prefixes and (match := self._patterns.prefix.match(self._low, self._position)):
                self._reply |= match["forward"] is None
                self._forward |= match["forward"] is not None
            elif match := mark.match(self._text, self._position):
                if match["highest"] or match["high"] or match["plain"]:
                    level = 2 if match["highest"] else 1 if match["high"] else 0
                    self._urgency = max(self._urgency, URGENCY_MARKS[level], key=_urgency_rank)
            else:
                return
            self._position = match.end()

    def _skip(self, pattern: re.Pattern[str]) -> None:
        if match := pattern.match(self._text, self._position):
            self._position = match.end()

    def _identify(self) -> None:
        """Class and symbol from what stands after the lead."""
        start = self._position
        self._skip(_GENERIC_NAME)
        if symbol := self._read_symbol():
            self._take_own_symbol(symbol)
            return
        self._position = start
        if self._file_name:
            self._skip(_ORDINAL)
        label = self._vocabulary.label.match(self._text, self._position)
        if label is not None and self._take_label(label):
            return
        if opening := self._read_opening():
            self._take_name(opening)

    def _take_own_symbol(self, symbol: Symbol) -> None:
        """A leading symbol; the name that may follow it matters only where the symbol has no class."""
        self._symbol, self._class = symbol.text, symbol.document_class
        self._position = symbol.end
        self._lead(prefixes=False)
        opening = self._read_opening()
        if opening is not None and self._class is None:
            self._class = opening.type.code
        kind = self._vocabulary.by_code.get(self._class or "")
        self._meeting = (kind is not None and kind.meeting) or (
            opening is not None and (opening.type.meeting or self._convenes())
        )

    def _take_label(self, label: re.Match[str]) -> bool:
        """A code before a colon or before a symbol of its own: "TB: 45/TB-VP", "CV số 345/…"."""
        kind = self._vocabulary.by_code[label[1]]
        self._position = label.end()
        colon = _COLON.match(self._text, self._position)
        self._lead(prefixes=False)
        symbol = self._read_symbol()
        if symbol is None and colon:
            opening = self._read_opening()
            if opening is not None and opening.type == kind:
                self._take_name(opening)
                return True
        if symbol is not None and (document_class := _class_after_name(kind.code, symbol)):
            self._class, self._symbol = document_class, symbol.text
        elif colon:
            self._class = kind.code
        else:
            self._position = label.start()
            return False
        self._meeting = kind.meeting or self._convenes()
        return True

    def _take_name(self, opening: Opening) -> None:
        kind = opening.type
        self._class = kind.code
        self._meeting = kind.meeting or self._convenes()
        if not opening.before_symbol or not kind.symbol:
            return
        self._lead(prefixes=False)
        symbol = self._read_symbol()
        if symbol is not None and (document_class := _class_after_name(kind.code, symbol)):
            self._class, self._symbol = document_class, symbol.text

    def _read_opening(self) -> Opening | None:
        """The type's name at the position, which moves behind it."""
        match = self._patterns.opening.match(self._low, self._position)
        if match is None:
            return None
        self._position = match.end()
        return self._patterns.openings[match[0]]

    def _read_symbol(self) -> Symbol | None:
        number_word = _NUMBER_WORD.match(self._text, self._position)
        position = number_word.end() if number_word else self._position
        read = read_file_symbol if self._file_name else read_symbol
        return read(self._text, position, self._vocabulary.symbol_codes, self._vocabulary.lookalikes)

    def _convenes(self) -> bool:
        """Is the next word the meeting itself: "Thông báo họp", "V/v dự hội nghị"?"""
        return self._class in _MAY_INVITE and bool(self._patterns.convening.match(self._low, self._position))


def _urgency_rank(mark: str | None) -> int:
    return URGENCY_MARKS.index(mark) if mark else -1


def _class_after_name(code: str, symbol: Symbol) -> str | None:
    """The class of a document named `code` whose name stands before `symbol`; None when it is cited.

    "Công văn" is said of anything, and invitations are often numbered as công văn; but
    "Báo cáo 12/KH-UBND" is a report on a plan.
    """
    if symbol.document_class in {code, CONG_VAN}:
        return code
    if code == CONG_VAN:
        return symbol.document_class or code
    return code if symbol.document_class is None and without_marks(code).upper() == symbol.letters else None
