"""Content-Transfer-Encodings undone piece by piece (RFC 2045 6), whatever they hold."""

from __future__ import annotations

import binascii
import mmap
from collections.abc import Iterator

Data = bytes | bytearray | memoryview | mmap.mmap

_CHUNK_OCTETS = 1 << 19
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NOT_BASE64 = bytes(octet for octet in range(256) if octet not in _ALPHABET)

ENCODED = frozenset({b"base64", b"quoted-printable"})
"""The encodings that change octets."""


def decoded(data: Data, start: int, end: int, encoding: bytes) -> Iterator[bytes]:
    """The octets of data[start:end] in pieces; those of an unknown encoding as they are."""
    pieces = _pieces(data, start, end)
    if encoding == b"base64":
        return _from_base64(pieces)
    return _from_quoted(pieces) if encoding == b"quoted-printable" else pieces


def _pieces(data: Data, start: int, end: int) -> Iterator[bytes]:
    for at in range(start, end, _CHUNK_OCTETS):
        yield bytes(data[at : min(end, at + _CHUNK_OCTETS)])


def _from_base64(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """RFC 2045 6.8: whatever is not in the alphabet is ignored, padding included."""
    carry = b""
    for piece in pieces:
        signs = carry + piece.translate(None, _NOT_BASE64)
        whole = len(signs) - len(signs) % 4
        carry = signs[whole:]
        yield binascii.a2b_base64(signs[:whole])
    if len(carry) > 1:
        yield binascii.a2b_base64(carry + b"=" * (4 - len(carry)))


def _from_quoted(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """RFC 2045 6.7, by whole lines, so that no escape is cut in two; a line as long as a piece may be."""
    carry = b""
    for piece in pieces:
        lines, end, rest = piece.rpartition(b"\n")
        yield binascii.a2b_qp(carry + lines + end)
        carry = rest
    yield binascii.a2b_qp(carry)
