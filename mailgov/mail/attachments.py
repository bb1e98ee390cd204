"""What is attached to a message, as one hash: the same files give the same, however they travel."""

from __future__ import annotations

import binascii
import hashlib
from collections.abc import Iterator

from mailgov.mail.mime import Attached, Data, MimeLook

_CHUNK_OCTETS = 1 << 19
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NOT_BASE64 = bytes(octet for octet in range(256) if octet not in _ALPHABET)


def attachments_hash(data: Data, seen: MimeLook) -> str | None:
    """SHA-256 (hex) over the attachments' decoded contents; None where nothing is attached.

    Names and the order do not matter. None too where the look was cut short, for what is not
    seen cannot be compared. Reads each octet of the message once at most; never raises.
    """
    if not seen.contents or not seen.complete:
        return None
    digests = sorted(_digest(data, one) for one in seen.contents)
    return hashlib.sha256(b"".join(digests)).hexdigest()


def _digest(data: Data, part: Attached) -> bytes:
    found = hashlib.sha256()
    for piece in _decoded(data, part):
        found.update(piece)
    return found.digest()


def _decoded(data: Data, part: Attached) -> Iterator[bytes]:
    if part.encoding == b"base64":
        return _from_base64(_pieces(data, part.start, part.end))
    start, end = part.start, part.end
    if end - start >= 2 and bytes(data[end - 2 : end]) == b"\r\n":
        end -= 2  # the line end before a boundary belongs to the boundary (RFC 2046 5.1.1)
    pieces = _pieces(data, start, end)
    return _from_quoted(pieces) if part.encoding == b"quoted-printable" else pieces


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
