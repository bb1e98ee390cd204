"""Parameters of a structured field (RFC 2045 5.1), with the ways that file names are written.

RFC 2231 values and continuations, RFC 2047 words inside quotes (Outlook), raw 8-bit text.
"""

from __future__ import annotations

import re
from itertools import islice
from urllib.parse import unquote_to_bytes

from mailgov.mail.charsets import decode_charset
from mailgov.mail.encoded_words import decode_text
from mailgov.mail.text import one_line

FIELD_OCTETS = 16_384
"""What is read of one field; a longer one is hostile."""

PARAMETERS = 200
"""Parameters read of one field, each continuation counted."""

_PARAMETER = re.compile(
    rb";[ \t\r\n]*([!#$&+\-.0-9A-Z^_`a-z{|}~]{1,40})(?:\*(\d{1,3}))?(\*)?[ \t\r\n]*="
    rb'[ \t\r\n]*(?:"((?:[^"\\]|\\.)*+)"|"?([^;"]*))',
    re.DOTALL,
)
_ESCAPED = re.compile(rb'\\(["\\])')

Segments = dict[int, tuple[bool, bytes]]
Parameters = dict[bytes, Segments]
"""Parameter name in small letters to its segments by number: (percent-encoded, octets).
-1 is the plain value, -2 a single RFC 2231 value."""


def main_value(value: bytes) -> bytes:
    """What stands before the first parameter, in small letters: `multipart/mixed`, `attachment`."""
    return value[:FIELD_OCTETS].split(b";", 1)[0].strip().lower()


def parameters(value: bytes) -> Parameters:
    """The parameters of a field's value. The first of several with the same name counts."""
    if b";" not in value:
        return {}
    found: Parameters = {}
    for match in islice(_PARAMETER.finditer(value[:FIELD_OCTETS]), PARAMETERS):
        name, number, star, quoted, plain = match.groups(b"")
        # Only quotes and backslashes are unescaped: IE wrote paths with single backslashes.
        octets = _ESCAPED.sub(rb"\1", quoted) if quoted else plain.strip()
        index = int(number) if number else -2 if star else -1
        found.setdefault(name.lower(), {}).setdefault(index, (bool(star), octets))
    return found


def token(found: Parameters, name: bytes) -> bytes:
    """The octets of an ASCII parameter such as `boundary`; empty when it is missing."""
    segments = found.get(name)
    if segments is None:
        return b""
    if -1 in segments:
        return segments[-1][1]
    return _joined(segments)[1]


def text(found: Parameters, name: bytes, limit: int) -> str | None:
    """The text of a parameter such as `filename`, on one line in NFC; None when it is missing."""
    segments = found.get(name)
    if segments is None:
        return None
    if -2 in segments or 0 in segments:
        charset, octets = _joined(segments)
        if charset:
            return one_line(decode_charset(octets, charset), limit)
        return decode_text(octets, limit=limit)
    return decode_text(segments[-1][1], limit=limit) if -1 in segments else None


def _joined(segments: Segments) -> tuple[str, bytes]:
    """Charset and octets of an RFC 2231 value: all segments are joined before they are decoded."""
    indexes = [-2] if -2 in segments else sorted(index for index in segments if index >= 0)
    charset, octets = "", b""
    for position, index in enumerate(indexes):
        encoded, part = segments[index]
        if encoded and position == 0 and part.count(b"'") >= 2:
            name, _, part = part.split(b"'", 2)
            charset = name.decode("ascii", "replace")
        octets += unquote_to_bytes(part) if encoded else part
    return charset, octets
