"""Parameters of a structured field (RFC 2045 5.1), with the ways that file names are written.

RFC 2231 values and continuations, RFC 2047 words inside quotes (Outlook), raw 8-bit text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from urllib.parse import unquote_to_bytes

from mailgov.mail.charsets import decode_charset
from mailgov.mail.comments import without_comments
from mailgov.mail.encoded_words import decode_text, readings
from mailgov.mail.text import one_line

FIELD_OCTETS = 65_536
"""What is read of one field; a longer one is hostile."""

PARAMETERS = 300
"""Parameters read of one field, each continuation counted."""

_PARAMETER = re.compile(
    rb";[ \t\r\n]*([!#$&+\-.0-9A-Z^_`a-z{|}~]{1,40})(?:\*(\d{1,6}))?(\*)?[ \t\r\n]*="
    rb'[ \t\r\n]*(?:"((?:[^"\\]|\\.)*+)"|"?([^;"]*))',
    re.DOTALL,
)
_ESCAPED = re.compile(rb'\\(["\\])')

Segments = dict[int, tuple[bool, bytes]]
"""The segments of one parameter by number: (percent-encoded, octets).
-1 is the plain value, -2 a single RFC 2231 value."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a field's value tells."""

    named: dict[bytes, Segments]
    """By name in small letters; the first of several with the same name and number counts."""
    again: tuple[tuple[bytes, int, bool, bytes], ...] = ()
    """The others, as name, number, percent-encoded and octets: readers differ in which one they take."""

    def __contains__(self, name: bytes) -> bool:
        return name in self.named


_NONE = Parameters({})


def within_bounds(value: bytes) -> bool:
    """False for a value of which some parameter may not be read."""
    return len(value) <= FIELD_OCTETS and value.count(b";") <= PARAMETERS


def main_value(value: bytes) -> bytes:
    """What stands before the first parameter, in small letters: `multipart/mixed`, `attachment`."""
    return value[:FIELD_OCTETS].split(b";", 1)[0].strip().lower()


def parameters(value: bytes) -> Parameters:
    """The parameters of a field's value. The first of several with the same name counts."""
    if b";" not in value:
        return _NONE
    found: dict[bytes, Segments] = {}
    again: list[tuple[bytes, int, bool, bytes]] = []
    for match in islice(_PARAMETER.finditer(value[:FIELD_OCTETS]), PARAMETERS):
        given, number, star, quoted, plain = match.groups(b"")
        name = given.lower()
        # Only quotes and backslashes are unescaped: IE wrote paths with single backslashes.
        octets = _ESCAPED.sub(rb"\1", quoted) if quoted else plain.strip()
        index = int(number) if number else -2 if star else -1
        segments = found.setdefault(name, {})
        if index not in segments:
            segments[index] = (bool(star), octets)
        elif segments[index] != (bool(star), octets):
            again.append((name, index, bool(star), octets))
    return Parameters(found, tuple(again))


def token(found: Parameters, name: bytes) -> bytes:
    """The octets of an ASCII parameter such as `boundary`; empty when it is missing."""
    segments = found.named.get(name)
    if segments is None:
        return b""
    if -1 in segments:
        return segments[-1][1]
    return _joined(segments)[1]


def tokens(value: bytes, name: bytes) -> tuple[bytes, ...]:
    """Every value that a reader may take for an ASCII parameter, the likeliest first."""
    texts: dict[bytes, None] = {}
    for form in _forms(value):
        found = parameters(form)
        if name in found:
            texts[token(found, name)] = None
            texts |= dict.fromkeys(octets for key, _, _, octets in found.again if key == name)
    return tuple(texts)


def text(found: Parameters, name: bytes, limit: int) -> str | None:
    """The text of a parameter such as `filename`, on one line in NFC; None when it is missing."""
    segments = found.named.get(name)
    if segments is None:
        return None
    if -2 in segments or 0 in segments:
        charset, octets = _joined(segments)
        if charset:
            return one_line(decode_charset(octets, charset), limit)
        return decode_text(octets, limit=limit)
    return decode_text(segments[-1][1], limit=limit) if -1 in segments else None


def texts(value: bytes, names: frozenset[bytes]) -> set[str]:
    """Every text that a reader may show for these parameters of a field's value; raw.

    Of several with one name each counts, in each form (plain, RFC 2231 whole and in segments,
    percent signs taken for themselves or not), with comments read as comments and as text; and
    what stands where no parameter can be told, since lenient readers tell one there.
    """
    return {text for form in _forms(value) for text in _texts(form, names)}


def _texts(form: bytes, names: frozenset[bytes]) -> Iterator[str]:
    found = parameters(form)
    yield from readings(_PARAMETER.sub(b"; ", form[:FIELD_OCTETS]))
    for name, segments in found.named.items():
        if name not in names:
            continue
        again = {(index, star): octets for key, index, star, octets in found.again if key == name}
        yield from _all_texts(segments)
        if again:
            yield from _all_texts(segments | {index: (star, part) for (index, star), part in again.items()})
    for key, _, star, octets in found.again:
        if key in names:
            yield from _all_texts({-2 if star else -1: (star, octets)})


def _forms(value: bytes) -> tuple[bytes, ...]:
    bare = without_comments(value)
    return (value,) if bare == value else (value, bare)


def _all_texts(segments: Segments) -> Iterator[str]:
    for index in (-1, -2):
        if index in segments:
            star, octets = segments[index]
            yield from _readings({-2: (star, octets)})
    if any(index >= 0 for index in segments):
        yield from _readings({index: part for index, part in segments.items() if index >= 0})


def _readings(segments: Segments) -> Iterator[str]:
    charset, octets = _joined(segments)
    if charset:
        yield decode_charset(octets, charset)
    yield from readings(octets)
    if b"%" in octets:
        yield from readings(unquote_to_bytes(octets))


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
