"""What readers may take a field of a part to say: they differ where it is doubled or malformed."""

from __future__ import annotations

import re

from mailgov.mail.comments import without_comments
from mailgov.mail.headers import HeaderBlock
from mailgov.mail.parameters import main_value
from mailgov.mail.transfer import ENCODED

PART_HEADER_OCTETS = 65_536
"""Read of one part's header."""
NAME_CHARACTERS = 255
"""Characters kept of one name; no file system takes more."""

_ENCODINGS = ENCODED | {b"", b"7bit", b"8bit", b"binary"}
_ENCODING_FIELDS = 8  # of Content-Transfer-Encoding, read of one part
_STRANGE = re.compile(rb"[^a-z0-9-]")


def encodings_of(header: HeaderBlock) -> tuple[tuple[bytes, ...], bool]:
    """The encodings that readers may take a part to have, and whether all take the same.

    Readers differ where the field stands twice, and where its value is no word of RFC 2045 6.1.
    """
    given = header.all(b"content-transfer-encoding")
    if not given:
        return (b"",), True
    kinds = [kind_of(value) for value in given[:_ENCODING_FIELDS]]
    found = dict.fromkeys(kind for kind in (_STRANGE.sub(b"", kind) for kind in kinds) if kind in ENCODED)
    exact = all(main_value(without_comments(v)) in _ENCODINGS for v in given[:_ENCODING_FIELDS])
    same = len({kind if kind in ENCODED else b"" for kind in kinds}) == 1
    if exact and same and len(given) <= _ENCODING_FIELDS:
        return (kinds[0],), True
    return (*found, b""), False


def kind_of(value: bytes) -> bytes:
    """A type or an encoding as lenient readers take it: without comments and spaces."""
    return b"".join(main_value(without_comments(value[:PART_HEADER_OCTETS])).split())


def base_name(name: str | None) -> str:
    """The name without path parts of any system, without spaces around it; "" when nothing is left."""
    base = (name or "").replace("\\", "/").rpartition("/")[2].strip()
    return "" if base in {".", ".."} else base[:NAME_CHARACTERS]
