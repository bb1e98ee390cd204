"""Secrecy marks on a subject or a file name, judged on letters with their marks only.

A mark is: TỐI MẬT or TUYỆT MẬT as whole words in any case; MẬT in capitals; or "Mật" at the
start, after "độ mật:" or in brackets, where a delimiter (_ - . :) or an end follows. Never after
bảo, bí, giải, cơ nor before khẩu, ong, mã, danh, độ. Nothing is ever matched without
diacritics: mất, mặt and mát would collide.
"""

from __future__ import annotations

import re

from mailgov.mail.text import one_line, plain_punctuation

SECRECY_MARKS = ("MẬT", "TỐI MẬT", "TUYỆT MẬT")
"""From the lowest to the highest."""

SECRECY_CHARACTERS = 16_384
"""How far a text is searched: as far as a decoded header field goes, and further."""

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


def mark_of(text: str) -> str | None:
    """As `secrecy_mark`, of a text that is one line in NFC with plain punctuation already."""
    if text.isascii() or "mật" not in text.lower():
        return None
    if top := [match[0][:2].lower() for match in _TOP.finditer(text)]:
        return SECRECY_MARKS[2] if "tu" in top else SECRECY_MARKS[1]
    if any(match["mark"] for match in _CAPITALS.finditer(text)):
        return SECRECY_MARKS[0]
    if _TITLED_START.match(text) or _TITLED_INSIDE.search(text):
        return SECRECY_MARKS[0]
    return None


def highest(marks: list[str | None]) -> str | None:
    """The highest of several marks, or None."""
    return max((mark for mark in marks if mark), key=SECRECY_MARKS.index, default=None)
