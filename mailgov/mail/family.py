"""Which messages without a symbol belong together: the conversation, or the parts of one document."""

from __future__ import annotations

import hashlib
import re
from datetime import date

from mailgov.mail.document_key import PARTS, short_family
from mailgov.mail.headers import HeaderBlock, decode_text
from mailgov.mail.parameters import main_value, parameters, token
from mailgov.mail.text import key_form, one_line, plain_punctuation

_PARTIAL, _IN_WORDS = PARTS
_MESSAGE_ID = re.compile(rb"<[^<>\s]{1,980}>")
_SUBJECT_CHARACTERS = 1000
_PART = re.compile(r"\b(?:phần|phan|part) ?(\d{1,2}) ?(?:/|trên|of) ?(\d{1,2}) ?[)\].]*\Z", re.ASCII)
"""At the end of a subject. A bare "(5/11)" is a date."""
_BEFORE_PART = " -,:;.(["


def family(block: HeaderBlock, subject: str, *, author: str, day: date) -> str | None:
    """What the message shares with the others of its kind; None when its header names nothing.

    In this order: the id of a message that a mail program cut up (RFC 2046 5.2.2); "phần 2/3"
    or "part 2/3" at the end of the subject, which joins the parts that `author` sent on `day`;
    the first Message-ID of References, else of In-Reply-To, else its own (RFC 5322 3.6.4).
    """
    content_type = block.first(b"content-type") or b""
    if main_value(content_type) == b"message/partial":
        whole = decode_text(token(parameters(content_type), b"id"))
        if whole:
            return short_family(_PARTIAL + whole)
    if (stem := _stem(subject)) is not None:
        named = "\0".join((author, stem)).encode("utf-8", "replace")
        return f"{_IN_WORDS}{day.isoformat()}:{hashlib.sha256(named).hexdigest()[:32]}"
    for name in (b"references", b"in-reply-to", b"message-id"):
        if match := _MESSAGE_ID.search(block.first(name) or b""):
            return short_family(decode_text(match[0]))
    return None


def _stem(subject: str) -> str | None:
    """What the subjects of all parts begin with; None for a subject of no part."""
    text = key_form(plain_punctuation(one_line(subject, _SUBJECT_CHARACTERS)))
    match = _PART.search(text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        return None
    return f"{text[: match.start()].rstrip(_BEFORE_PART)}\0{int(match[2])}"
