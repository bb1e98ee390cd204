"""What is attached to a message, as one hash: the same files give the same, however they travel."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from mailgov.mail.mime import Attached, Data, MimeLook
from mailgov.mail.transfer import decoded


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
    start, end = part.start, part.end
    if part.encoding != b"base64" and end - start >= 2 and bytes(data[end - 2 : end]) == b"\r\n":
        end -= 2  # the line end before a boundary belongs to the boundary (RFC 2046 5.1.1)
    return decoded(data, start, end, part.encoding)
