"""Urgency marks: KHẨN, THƯỢNG KHẨN, HỎA TỐC (or Hoả tốc).

The two long ones count as whole words in any case. KHẨN counts in capitals, or in any case
where it stands alone: at the start before a delimiter, in brackets, or after "độ khẩn:";
"khẩn trương" and its like are ordinary words. A text that has no marks at all may say
HOA TOC or THUONG KHAN in capitals or at its start, and KHAN at its start.
"""

from __future__ import annotations

import re

from mailgov.mail.secrecy import BEGINS, ENDS, JOINT

URGENCY_MARKS = ("KHẨN", "THƯỢNG KHẨN", "HỎA TỐC")
"""From the lowest to the highest."""

_STANDS_ALONE = r"(?= ?(?:[_\-.:!,)\]}]|\Z))"
_ORDINARY_WORD = rf"(?i:{JOINT}(?:trương|cấp|cầu|thiết|khoản|hoang|nài|xin){ENDS})"

HIGHEST = rf"(?i:{BEGINS}h(?:ỏa|oả){JOINT}tốc{ENDS})"
HIGH = rf"(?i:{BEGINS}thượng{JOINT}khẩn{ENDS})"
CAPITALS = rf"{BEGINS}KHẨN{ENDS}(?!{_ORDINARY_WORD})"
ALONE = rf"(?i:khẩn(?: cấp)?){_STANDS_ALONE}"
LABEL = rf"(?i:{BEGINS}độ khẩn ?: ?)"

UNMARKED_HIGHEST = rf"(?i:{BEGINS}hoa{JOINT}toc{ENDS})"
UNMARKED_HIGH = rf"(?i:{BEGINS}thuong{JOINT}khan{ENDS})"
UNMARKED_ALONE = rf"(?i:khan(?: cap)?){_STANDS_ALONE}"

_HIGHEST = re.compile(HIGHEST)
_HIGH = re.compile(HIGH)
_PLAIN = re.compile(rf"{CAPITALS}|(?:{LABEL}|[(\[{{] ?){ALONE}")
_UNMARKED = re.compile(rf"{BEGINS}(?:(?P<highest>HOA{JOINT}TOC)|THUONG{JOINT}KHAN){ENDS}")


def urgency_of(text: str, *, unmarked: bool) -> str | None:
    """The highest urgency mark inside a text of one line in NFC; `unmarked` when it has no marks at all."""
    if unmarked:
        found = _UNMARKED.search(text)
        return None if found is None else URGENCY_MARKS[2 if found["highest"] else 1]
    low = text.lower()
    if "khẩn" not in low and "tốc" not in low:
        return None
    if _HIGHEST.search(text):
        return URGENCY_MARKS[2]
    if _HIGH.search(text):
        return URGENCY_MARKS[1]
    return URGENCY_MARKS[0] if _PLAIN.search(text) else None
