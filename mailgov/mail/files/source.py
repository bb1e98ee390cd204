"""A file's octets, as far as they are asked for."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from mailgov.mail.files.kinds import BZIP2, GZIP, HEAD_OCTETS, XZ

_STEP_OCTETS = 1 << 18
_LZMA_MEMORY = 1 << 26
"""What a dictionary of xz may take; `xz -9` needs 64 MB."""
BROKEN = (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError)


Octets = bytes | bytearray


@dataclass(frozen=True, slots=True)
class Source:
    """`head` are the first octets; `whole(limit)` gives all, None where there are more or they are broken."""

    head: bytes
    whole: Callable[[int], Octets | None]


def of_bytes(data: bytes) -> Source:
    """A file that is at hand."""
    return Source(data[:HEAD_OCTETS], lambda limit: data if len(data) <= limit else None)


def of_pieces(pieces: Callable[[], Iterable[bytes]], head: bytes) -> Source:
    """A file that is decoded piece by piece, anew for each look."""

    def whole(limit: int) -> Octets | None:
        found = bytearray()
        for piece in pieces():
            found += piece
            if len(found) > limit:
                return None
        return found

    return Source(head, whole)


def tail_of(pieces: Iterable[bytes], octets: int) -> bytes:
    """The last octets of what comes piece by piece."""
    tail = b""
    for piece in pieces:
        tail = (tail + piece)[-octets:] if len(piece) < octets else piece[-octets:]
    return tail


def of_stored(data: memoryview) -> Source:
    """A part of a file, as it stands."""
    head = bytes(data[:HEAD_OCTETS])
    return Source(head, lambda limit: bytes(data) if len(data) <= limit else None)


def of_deflated(data: memoryview) -> Source:
    """A member of a zip (RFC 1951)."""
    return _inflated(data, lambda: zlib.decompressobj(-15))


def of_compressed(data: Octets, kind: str) -> Source:
    """What is in a file of gzip, bzip2 or xz; of several streams in a row the first."""
    makers: dict[str, Callable[[], Any]] = {
        GZIP: lambda: zlib.decompressobj(31),
        BZIP2: bz2.BZ2Decompressor,
        XZ: lambda: lzma.LZMADecompressor(memlimit=_LZMA_MEMORY),
    }
    return _inflated(memoryview(data), makers[kind])


def _inflated(data: memoryview, maker: Callable[[], Any]) -> Source:
    def whole(limit: int) -> Octets | None:
        try:
            found = _inflate(data, maker(), limit + 1)
        except BROKEN:
            return None
        return found if len(found) <= limit else None

    try:
        head = bytes(_inflate(data, maker(), HEAD_OCTETS))
    except BROKEN:
        head = b""
    return Source(head, whole)


def _inflate(data: memoryview, machine: Any, limit: int) -> bytearray:
    """At most `limit` octets of what the machine makes of the data; memory is bounded by that."""
    found = bytearray()
    at = 0
    waiting: bytes | memoryview = b""
    while len(found) < limit and not machine.eof:
        if not waiting and at < len(data):
            waiting, at = data[at : at + _STEP_OCTETS], at + _STEP_OCTETS
        made = machine.decompress(waiting, limit - len(found))
        found += made
        waiting = getattr(machine, "unconsumed_tail", b"")
        if not made and not waiting and at >= len(data):
            break
    return found
