"""One normal form for text that strangers wrote: NFC, one line, nothing invisible, bounded.

Vietnamese letters come composed, decomposed, or (from windows-1258) half of each, and the
tone of oa, oe and uy stands on either vowel ("hoả" and "hỏa"). Comparisons use `key_form`
for text with marks and `without_marks` only where a text has none at all.
"""

from __future__ import annotations

import re
import unicodedata

_LONG_FOREIGN_RUN = re.compile(r"[^\x00-\x7f]{64,}")
_MARKS_IN_A_ROW = 4  # Vietnamese needs two; unbounded rows make normalisation quadratic

_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff]"
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def nfc(text: str) -> str:
    """Normalisation form C in time linear in the text: rows of combining marks are cut short."""
    if text.isascii():
        return text
    if _LONG_FOREIGN_RUN.search(text):
        text = _LONG_FOREIGN_RUN.sub(lambda run: _thin(run[0]), text)
    return unicodedata.normalize("NFC", text)


def _thin(run: str) -> str:
    kept: list[str] = []
    row = 0
    for character in run:
        row = row + 1 if unicodedata.combining(character) else 0
        if row <= _MARKS_IN_A_ROW:
            kept.append(character)
    return "".join(kept)


def one_line(text: str, limit: int) -> str:
    """The text in NFC on one line, at most `limit` characters.

    Control characters and line separators count as spaces, spaces are collapsed and trimmed,
    bidirectional and other invisible characters go, lone surrogates become U+FFFD.
    """
    if len(text) <= limit and text.isascii() and text.isprintable():
        return " ".join(text.split())
    text = text[: limit * 3]  # a decomposed Vietnamese letter has at most two marks
    if not text.isprintable() or (not text.isascii() and _INVISIBLE.search(text)):
        text = _CONTROL.sub(" ", _INVISIBLE.sub("", _SURROGATE.sub("\ufffd", text)))
    return nfc(" ".join(text.split()))[:limit].rstrip()


_OLD_STYLE = {
    new: old
    for vowels, plain in (("oa", "òóỏõọ|àáảãạ"), ("oe", "òóỏõọ|èéẻẽẹ"), ("uy", "ùúủũụ|ỳýỷỹỵ"))
    for first, second in [plain.split("|")]
    for marked_first, marked_second in zip(first, second, strict=True)
    for new, old in [(vowels[0] + marked_second, marked_first + vowels[1])]
}
_NEW_STYLE_TONE = re.compile("|".join(_OLD_STYLE))


def key_form(text: str) -> str:
    """The text in small letters with tones placed the old way ("hỏa"), as long as it was.

    Expects NFC. Positions in the answer are positions in the text.
    """
    low = text.lower()
    if len(low) != len(text):  # a capital such as U+0130 grows
        low = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
    if low.isascii():
        return low
    return _NEW_STYLE_TONE.sub(lambda match: _OLD_STYLE[match[0]], low)


def _plain_letters() -> dict[int, str]:
    table = {ord("đ"): "d", ord("Đ"): "D"}
    for code in (*range(0xC0, 0x250), *range(0x1E00, 0x1F00)):
        base = unicodedata.normalize("NFD", chr(code))[0]
        if base.isascii():
            table[code] = base
    return table


_PLAIN_LETTERS = _plain_letters()
_MARKED = re.compile("[" + "".join(map(chr, _PLAIN_LETTERS)) + "\u0300-\u036f]")


def without_marks(text: str) -> str:
    """The text with every letter's marks taken off, đ as d, as long as it was. Expects NFC."""
    return text if text.isascii() else text.translate(_PLAIN_LETTERS)


def has_marks(text: str) -> bool:
    """True when a letter carries a mark, đ included. Expects NFC."""
    return not text.isascii() and bool(_MARKED.search(text))


def in_order(name: str) -> tuple[str, str]:
    """What to sort names by, as Vietnamese lists do: letters before their marks, đ after every d.

    Ă, â, ê, ô, ơ and ư count as a, e, o and u with a mark, which lists of agencies can bear.
    """
    text = nfc(name).lower()
    return without_marks(text.replace("đ", "d\x7f")), text


_PUNCTUATION = str.maketrans(
    dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d", "-")
    | dict.fromkeys("\u2044\u2215\uff0f", "/")
    | {"\uff1a": ":", "\uff08": "(", "\uff09": ")", "\uff3f": "_"}
)
_TYPOGRAPHIC = re.compile("[" + "".join(map(chr, _PUNCTUATION)) + "]")


def plain_punctuation(text: str) -> str:
    """The text with typographic dashes, slashes and full-width signs as ASCII, as long as it was."""
    return text if text.isascii() or not _TYPOGRAPHIC.search(text) else text.translate(_PUNCTUATION)
