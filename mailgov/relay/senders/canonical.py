"""The bytes that a signature covers (RFC 6376 3.4), in time and memory linear in the message."""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Iterator
from typing import Literal

from mailgov.mail.headers import HeaderBlock

Form = Literal["simple", "relaxed"]
CHUNK_BYTES = 65_536
"""Of a body at once: a piece that is brought into relaxed form keeps every other thread waiting."""
_TABS = bytes.maketrans(b"\t", b" ")
_LINES_AT_ONCE = 65_536
_HELD_BYTES = 2047
"""The most that hashlib takes without letting go of the interpreter."""
_SMALL_BODY_BYTES = 32_768
"""Up to here a hash takes less time than to get the interpreter back from another thread."""


class Fields:
    """A header's fields as signatures see them. Each is brought into relaxed form at most once."""

    def __init__(self, header: HeaderBlock) -> None:
        self._header = header
        self.names = [field.name for field in header.fields]
        self._relaxed: dict[int, bytes] = {}

    def value(self, at: int) -> bytes:
        """The value, unfolded."""
        return self._header.value(self._header.fields[at])

    def whole(self, at: int, form: Form) -> bytes:
        """The field in its canonical form, with its CRLF."""
        if form == "relaxed":
            if at not in self._relaxed:
                self._relaxed[at] = relaxed_field(self.names[at], self._after_colon(at))
            return self._relaxed[at]
        field = self._header.fields[at]
        return self._header.raw[field.start : field.end].removesuffix(b"\r\n") + b"\r\n"

    def unsigned(self, at: int, form: Form) -> bytes:
        """A signature's own field: the value of its b= is empty and no CRLF ends it (RFC 6376 3.7)."""
        value = without_signature(self._after_colon(at))
        if form == "relaxed":
            return relaxed_field(self.names[at], value)[:-2]
        field = self._header.fields[at]
        return (self._header.raw[field.start : field.colon + 1] + value).removesuffix(b"\r\n")

    def selected(self, wanted: list[bytes]) -> list[int]:
        """The fields that h= names, from the bottom up (RFC 6376 5.4.2); what is not there is empty."""
        places: dict[bytes, list[int]] = {}
        for at, name in enumerate(self.names):
            places.setdefault(name, []).append(at)
        return [places[name].pop() for name in wanted if places.get(name)]

    def _after_colon(self, at: int) -> bytes:
        field = self._header.fields[at]
        return self._header.raw[field.colon + 1 : field.end]


def relaxed_field(name: bytes, value: bytes) -> bytes:
    """RFC 6376 3.4.2."""
    unfolded = value.replace(b"\r\n", b"")
    return name.lower().rstrip(b" \t") + b":" + _single_blanks(unfolded).strip(b" ") + b"\r\n"


def without_signature(value: bytes) -> bytes:
    """A tag list with the value of b= taken out, and the blanks around it."""
    parts = value.split(b";")
    for at, part in enumerate(parts):
        tag, equals, _ = part.partition(b"=")
        if equals and tag.strip() == b"b":
            parts[at] = tag + equals
            break
    return b";".join(parts)


class Bodies:
    """Hashes of one body, which begins at `start`; each form is read through once, whoever asks."""

    def __init__(self, data: bytes | mmap.mmap, start: int) -> None:
        self._data, self._start = data, start
        self._known: dict[Form, tuple[bytes, int]] = {}

    def digest(self, form: Form) -> tuple[bytes, int]:
        """SHA-256 of the canonical body, and the canonical body's length."""
        if form not in self._known:
            digest, length = hashlib.sha256(), 0
            for part in canonical_body(self._chunks(), form):
                _feed(digest, part)
                length += len(part)
            self._known[form] = digest.digest(), length
        return self._known[form]

    def _chunks(self) -> Iterator[bytes]:
        for at in range(self._start, len(self._data), CHUNK_BYTES):
            yield self._data[at : at + CHUNK_BYTES]


def _feed(digest: hashlib._Hash, part: bytes) -> None:
    if len(part) > _SMALL_BODY_BYTES:
        digest.update(part)
        return
    for at in range(0, len(part), _HELD_BYTES):
        digest.update(part[at : at + _HELD_BYTES])


def canonical_body(chunks: Iterator[bytes], form: Form) -> Iterator[bytes]:
    """RFC 6376 3.4.3 and 3.4.4, whatever the chunks' edges.

    Line ends are held back as a number until something follows them: empty lines at the end don't count.
    """
    blank = b" \t\r\n" if form == "relaxed" else b"\r\n"
    lines, tail, anything = 0, b"", False
    for chunk in chunks:
        data = tail + chunk
        end = len(data.rstrip(blank))
        if end:
            yield from _line_ends(lines)
            yield _body_text(data[:end], form)
            lines, anything = 0, True
        rest = _body_text(data[end:], form)
        lines += rest.count(b"\r\n")
        tail = rest[rest.rfind(b"\n") + 1 :]
    if anything or form == "simple":
        yield b"\r\n"


def _body_text(data: bytes, form: Form) -> bytes:
    if form == "simple":
        return data
    return _single_blanks(data).replace(b" \r\n", b"\r\n")


def _single_blanks(data: bytes) -> bytes:
    """Each run of blanks as one space.

    By halves: a regular expression takes 200 ms for a megabyte of single letters, and keeps every other
    thread waiting for so long.
    """
    data = data.translate(_TABS)
    while b"  " in data:
        data = data.replace(b"  ", b" ")
    return data


def _line_ends(count: int) -> Iterator[bytes]:
    while count > 0:
        yield b"\r\n" * min(count, _LINES_AT_ONCE)
        count -= _LINES_AT_ONCE
