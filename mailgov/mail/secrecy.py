"""Secrecy marks on a subject or a file name, judged on letters with their marks only.

A mark is: TỐI MẬT or TUYỆT MẬT as whole words in any case; MẬT in capitals; or "Mật" at the
start, after "độ mật:" or in brackets, where a delimiter (_ - . :) or an end follows. Never after
bảo, bí, giải, cơ nor before khẩu, ong, mã, danh, độ. Nothing is ever matched without
diacritics: mất, mặt and mát would collide.

A mark is what a person sees: letters of other alphabets that look the same, full-width and
mathematical letters count as the letters they show, and what is struck through is still read.
M.Ậ.T and M Ậ T are no mark: the law's marks are words, and abbreviations are written so.
"""

from __future__ import annotations

import re
import unicodedata

from mailgov.mail.encoded_words import VALUE_OCTETS, readings
from mailgov.mail.text import nfc, one_line, plain_punctuation

SECRECY_MARKS = ("MẬT", "TỐI MẬT", "TUYỆT MẬT")
"""From the lowest to the highest."""

SECRECY_CHARACTERS = VALUE_OCTETS
"""How far a text is searched: all that is read of a header field, invisible characters included."""

BEGINS = r"(?<![^\W\d_])"  # no letter before: digits and underscores delimit words in file names
ENDS = r"(?![^\W\d_])"
JOINT = r"[ _.\-]"  # what joins the syllables of one word, in text and in file names

# "MẬT_DANH_SÁCH.docx" is a marked list; "mật danh" is a code name.
_ORDINARY_WORD = rf"(?i:{JOINT}(?:khẩu|ong|mã|độ){ENDS}| danh{ENDS}|[_.\-]danh{ENDS}(?!{JOINT}sách))"

# Nothing but mật khẩu and mật ong begins an ordinary word after "tối": a list or a density that
# follows a top-secret mark must not hide it.
TOP = rf"(?i:{BEGINS}(?:tuyệt|tối){JOINT}mật{ENDS}(?!{JOINT}(?:khẩu|ong){ENDS}))"
CAPITALS = rf"{BEGINS}MẬT{ENDS}(?!{_ORDINARY_WORD})"
TITLED = rf"Mật(?= ?(?:[_\-.:)\]}}>]|\Z))(?!{_ORDINARY_WORD})"
LABEL = rf"(?i:{BEGINS}độ mật ?: ?)"

_TOP = re.compile(TOP)
_CAPITALS = re.compile(rf"(?i:{BEGINS}(?:bảo|bí|giải|cơ){JOINT}mật{ENDS})|(?P<mark>{CAPITALS})")
_PREFIX = r"(?i:re|fwd?|tl|ct|trả lời|chuyển tiếp)(?:\[\d{1,4}\])? ?:"
_URGENT = rf"(?i:h(?:ỏa|oả){JOINT}tốc|thượng{JOINT}khẩn|khẩn){ENDS}"
_TITLED_START = re.compile(rf"(?:[\s\"'“”‘’*#>|\-_.:,(\[{{<]++|{_PREFIX}|{_URGENT})*+{TITLED}")
_TITLED_INSIDE = re.compile(rf"{LABEL}Mật(?= ?(?:[_\-.:)\]}}>,;]|\Z))|[(\[{{<] ?{TITLED}")


def secrecy_mark(text: str) -> str | None:
    """The highest secrecy mark of one subject or one attachment name, or None; never raises."""
    return mark_of(plain_punctuation(one_line(text, SECRECY_CHARACTERS)))


def field_mark(value: bytes) -> str | None:
    """The highest mark of a raw field such as Subject, in whatever way a reader may decode it."""
    return highest([secrecy_mark(text) for text in readings(value)])


def mark_of(text: str) -> str | None:
    """As `secrecy_mark`, of a text that is one line in NFC with plain punctuation already."""
    if text.isascii():
        return None
    mark = _plain_mark(text)
    if mark != SECRECY_MARKS[2] and _UNUSUAL.search(text):
        mark = highest([mark, _plain_mark(_as_seen(text))])
    return mark


def _plain_mark(text: str) -> str | None:
    if "mật" not in text.lower():
        return None
    if top := [match[0][:2].lower() for match in _TOP.finditer(text)]:
        return SECRECY_MARKS[2] if "tu" in top else SECRECY_MARKS[1]
    if any(match["mark"] for match in _CAPITALS.finditer(text)):
        return SECRECY_MARKS[0]
    if _TITLED_START.match(text) or _TITLED_INSIDE.search(text):
        return SECRECY_MARKS[0]
    return None


# Whatever Vietnamese text and its punctuation do not need.
_UNUSUAL = re.compile("[^\x00-\u024f\u1e00-\u1eff\u2010-\u2027\u2030-\u205e\ufffd]")
_LOOKALIKES = str.maketrans(
    # Cyrillic, Greek, Armenian, and Latin small capitals, for the letters of the three marks.
    "АЕІМОТУаеіоумтΑΕΙΜΟΤΥοιυτՍՕօᴀᴇɪᴍᴏᴛᴜʏ",
    "AEIMOTYaeioymtAEIMOTYoiutUOoAEIMOTUY",
)
_FOREIGN_MARKS = re.compile(  # combining marks but those of Vietnamese: strokes, rings, and the like
    "[\u0304\u0305\u0307\u0308\u030a-\u031a\u031c-\u0322\u0324-\u036f\u0483-\u0489"
    "\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
)


def _as_seen(text: str) -> str:
    """The text in the Latin letters that it shows; NFKD first, so that marks stand by themselves."""
    bare = unicodedata.normalize("NFKD", nfc(_FOREIGN_MARKS.sub("", text)))
    return plain_punctuation(nfc(_FOREIGN_MARKS.sub("", bare).translate(_LOOKALIKES)))


def highest(marks: list[str | None]) -> str | None:
    """The highest of several marks, or None."""
    return max((mark for mark in marks if mark), key=SECRECY_MARKS.index, default=None)
