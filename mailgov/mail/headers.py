"""The header block of a message, found by a scan of its bytes: nothing is parsed that nobody asks for.

Offsets are into the received bytes, so that the relay can splice by them. A malformed line is
a field without a name, never an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from mailgov.mail.authors import author_addresses
from mailgov.mail.encoded_words import decode_text
from mailgov.mail.parameters import main_value, parameters, token

__all__ = [
    "Field",
    "HeaderBlock",
    "author_addresses",
    "date_ms",
    "decode_text",
    "is_automatic",
    "message_id",
]

FIELD_LIMIT = 2000
"""Fields told apart; whatever follows becomes one nameless field, and the block is not `complete`.

The longest headers of everyday mail have some 150.
"""

# One field: an optional name (RFC 5322 2.2, space before the colon as obsolete syntax has it),
# the rest of its line, and the lines that continue it.
_FIELD = re.compile(rb"(?:([!-9;-~]++)[ \t]*+(:))?[^\n]*+(?:\n(?=[ \t])[^\n]*+)*+\n?")
_FOLD = re.compile(rb"\r?\n(?=[ \t])")
_MESSAGE_ID = re.compile(rb"<[^<>\s]{1,980}>")


class Field(NamedTuple):
    """One field: `raw[start:end]` is all of it, line ends and folded lines included.

    `name` is in small letters without the colon; b"" for a line that is no field. `colon` is
    the colon's offset; for a nameless line it is `start - 1`, so that `colon + 1` always begins the value.
    """

    name: bytes
    start: int
    colon: int
    end: int


_new_field: Callable[[type[Field], tuple[bytes, int, int, int]], Field] = tuple.__new__
# Three times as fast as Field(...), on the path of every message.


@dataclass(frozen=True, slots=True)
class HeaderBlock:
    """A header. `raw` holds it with its blank line where there is one, `size` is the body's offset.

    The fields lie end to end from 0 to the blank line.
    """

    raw: bytes
    fields: tuple[Field, ...]
    size: int
    named: Mapping[bytes, Sequence[Field]]
    """The fields of each name, from the top."""
    complete: bool = True
    """False when there were more than FIELD_LIMIT fields."""

    @classmethod
    def scan(cls, raw: bytes | bytearray | memoryview, *, field_limit: int = FIELD_LIMIT) -> HeaderBlock:
        """Read the header that `raw` begins with, up to the blank line or to the end of `raw`."""
        raw = bytes(raw)
        end, size = _extent(raw)
        fields: list[Field] = []
        named: dict[bytes, list[Field]] = {}
        complete = True
        for match in _FIELD.finditer(raw, 0, end):
            (start, stop), (name_start, name_end), (colon, _) = match.regs
            if start == stop:
                break
            if len(fields) == field_limit:
                fields.append(Field(b"", start, start - 1, end))
                complete = False
                break
            name = raw[name_start:name_end].lower() if colon >= 0 else b""
            one = _new_field(Field, (name, start, colon if colon >= 0 else start - 1, stop))
            fields.append(one)
            named.setdefault(name, []).append(one)
        return cls(raw[:size], tuple(fields), size, named, complete)

    @property
    def begins_folded(self) -> bool:
        """True when its first line continues a field that is not there (RFC 5322 2.2.3)."""
        return self.raw[:1] in (b" ", b"\t")

    def value(self, field: Field) -> bytes:
        """The raw value, unfolded (RFC 5322 2.2.3) and without the white space around it."""
        value = self.raw[field.colon + 1 : field.end].strip(b" \t\r\n")
        return _FOLD.sub(b"", value) if b"\n" in value else value

    def first(self, name: bytes) -> bytes | None:
        """The value of the first field of this name (small letters), or None."""
        fields = self.named.get(name)
        return self.value(fields[0]) if fields else None

    def all(self, name: bytes) -> list[bytes]:
        """The values of all fields of this name, from the top."""
        return [self.value(field) for field in self.named.get(name, ())]

    def count(self, name: bytes) -> int:
        return len(self.named.get(name, ()))


def _extent(raw: bytes) -> tuple[int, int]:
    """Where the fields end and where the body begins."""
    if raw.startswith((b"\r\n", b"\n")):
        return 0, raw.index(b"\n") + 1
    crlf = raw.find(b"\n\r\n")
    lf = raw.find(b"\n\n", 0, crlf + 1 if crlf >= 0 else len(raw))
    if lf >= 0:
        return lf + 1, lf + 2
    return (crlf + 1, crlf + 3) if crlf >= 0 else (len(raw), len(raw))


def is_automatic(block: HeaderBlock, reverse_path: str | None) -> bool:
    """Did a program write this? Such mail makes nobody an active person.

    True for Auto-Submitted other than "no" (RFC 3834 5), Precedence bulk, junk, list or
    auto_reply, the null reverse-path (""; None means that it is not known), receipts and
    delivery reports (RFC 8098, RFC 3464), and the marks that Exchange and autoresponders set.
    """
    if reverse_path in {"", "<>"}:
        return True
    for field in block.fields:
        name = field.name
        if name == b"auto-submitted":
            if main_value(block.value(field)).split(b"(", 1)[0].strip() not in {b"", b"no"}:
                return True
        elif name == b"precedence":
            if block.value(field).lower() in {b"bulk", b"junk", b"list", b"auto_reply"}:
                return True
        elif name in {b"x-auto-response-suppress", b"x-autoreply", b"x-autorespond", b"x-autogenerated"}:
            if block.value(field).lower() not in {b"", b"no", b"none"}:
                return True
        elif name == b"content-type" and _is_report(block.value(field)):
            return True
    return False


def _is_report(content_type: bytes) -> bool:
    if main_value(content_type) != b"multipart/report":
        return False
    kind = token(parameters(content_type), b"report-type").lower()
    return kind in {b"disposition-notification", b"delivery-status"}


def message_id(block: HeaderBlock) -> str | None:
    """The Message-ID with its angle brackets, or None when there is none that RFC 5322 3.6.4 allows."""
    match = _MESSAGE_ID.search(block.first(b"message-id") or b"")
    return decode_text(match[0]) if match else None


def date_ms(block: HeaderBlock) -> int | None:
    """The Date field in milliseconds since 1970 UTC, or None when it is missing or malformed."""
    value = block.first(b"date")
    if not value or len(value) > 200:
        return None
    try:
        return int(parsedate_to_datetime(value.decode("ascii")).timestamp() * 1000)
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
