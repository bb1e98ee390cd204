"""What a zip holds, by its central directory (APPNOTE 4.3), however it was made."""

from __future__ import annotations

import struct
from collections.abc import Generator, Iterator
from dataclasses import dataclass

from mailgov.mail.files.source import Octets, Source, of_deflated, of_stored

_END, _ENTRY, _LOCAL = b"PK\x05\x06", b"PK\x01\x02", b"PK\x03\x04"
_END64, _LOCATOR64 = b"PK\x06\x06", b"PK\x06\x07"
_END_OCTETS, _ENTRY_OCTETS, _LOCAL_OCTETS = 22, 46, 30
TAIL_OCTETS = _END_OCTETS + 65_535
"""How far from the end of a file an archive's end record may begin: it may have a comment."""
ARCHIVES_LIMIT = 8
"""Archives in a row that are read of one file."""
_STORED, _DEFLATED, _AES = 0, 8, 99
_UNICODE_NAME = 0x7075
_IN_ZIP64 = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Member:
    """One entry; `source` is None where it cannot be read here: encrypted, of another method, or broken.

    `local` is the name that stands before its octets, which programs that read as they go take;
    `other` one more that some take (APPNOTE 4.6.9, Info-ZIP's name in Unicode).
    """

    name: str
    encrypted: bool
    size: int
    source: Source | None
    local: str = ""
    other: str = ""

    @property
    def names(self) -> frozenset[str]:
        """Whatever some program shows it under."""
        return frozenset({self.name, self.local or self.name, self.other or self.name})

    @property
    def folder(self) -> bool:
        return self.name.endswith("/") and self.size == 0


class NotReadable(Exception):
    """No directory can be told, or it is broken from here on."""


def members(data: Octets) -> Iterator[Member]:
    """The entries, read as they are asked for. Raises NotReadable and nothing else.

    Of archives in a row, which readers take the first or the last of, those of each, the last first.
    """
    stop = len(data)
    for _ in range(ARCHIVES_LIMIT):
        stop = yield from _members(data, stop)
        if not has_end(data[max(0, stop - TAIL_OCTETS) : stop]):
            return
    raise NotReadable("too many archives in a row")


def has_end(tail: Octets) -> bool:
    """Whether an archive may end within these last octets of a file."""
    return _END in tail


def ends_with_archive(data: Octets) -> bool:
    """Whether the archive that a file ends with is its last part, with nothing behind it but a line's end."""
    at = data.rfind(_END)
    return at >= 0 and at + _END_OCTETS + int.from_bytes(data[at + 20 : at + 22], "little") >= len(data) - 2


def is_archive(data: Octets) -> bool:
    """Whether a directory with entries is found from the end of a file, whatever it begins with."""
    try:
        start, end, _ = _directory(data, len(data))
    except (NotReadable, struct.error):
        return False
    return end > start


def _members(data: Octets, stop: int) -> Generator[Member, None, int]:
    """The entries of the last archive before `stop`; returns where that archive begins."""
    try:
        at, end, base = _directory(data, stop)
        view = memoryview(data)
        front = at
        while at + _ENTRY_OCTETS <= end and data[at : at + 4] == _ENTRY:
            flags, method = struct.unpack_from("<HH", data, at + 8)
            packed, size = struct.unpack_from("<II", data, at + 20)
            name, extra, comment = struct.unpack_from("<HHH", data, at + 28)
            (local,) = struct.unpack_from("<I", data, at + 42)
            start = at + _ENTRY_OCTETS
            front = min(front, max(0, base + local))
            text = data[start : start + name].decode("utf-8", "replace")
            again, source = _local(view, base + local, packed, method)
            other = _unicode_name(data[start + name : start + name + extra])
            yield Member(text, bool(flags & 0x41) or method == _AES, size, source, again, other)
            at = start + name + extra + comment
    except struct.error as error:
        raise NotReadable(str(error)) from None
    if at < end and data[at : at + 4] not in (_END, _END64):
        raise NotReadable("octets in the directory that are no entry")
    return front


def _unicode_name(extra: Octets) -> str:
    """The name in an entry's extra fields, "" for none."""
    at = 0
    while at + 4 <= len(extra):
        kind, size = struct.unpack_from("<HH", extra, at)
        if kind == _UNICODE_NAME:
            return extra[at + 9 : at + 4 + size].decode("utf-8", "replace")
        at += 4 + size
    return ""


def _directory(data: Octets, stop: int) -> tuple[int, int, int]:
    """Where the directory begins and ends, and what is to be added to its offsets."""
    end = data.rfind(_END, max(0, stop - TAIL_OCTETS), stop)
    if end < 0:
        raise NotReadable("no end record")
    size, offset = struct.unpack_from("<II", data, end + 12)
    stop = end
    if _IN_ZIP64 in (size, offset) and data[end - 20 : end - 16] == _LOCATOR64:
        (stop,) = struct.unpack_from("<Q", data, end - 12)
        if data[stop : stop + 4] != _END64:
            raise NotReadable("no end record of ZIP64")
        size, offset = struct.unpack_from("<QQ", data, stop + 40)
    start = stop - size  # where something stands before the archive, offsets begin behind that
    if start < 0 or data[start : start + 4] not in (_ENTRY, _END, _END64):
        start = offset
    if not 0 <= start <= stop or (size and data[start : start + 4] != _ENTRY):
        raise NotReadable("no directory")
    return start, stop, start - offset


def _local(view: memoryview, local: int, packed: int, method: int) -> tuple[str, Source | None]:
    """The name and the octets at an entry's own header, whose word on encryption counts here.

    The directory may claim it to keep us from looking, and few programs that unpack believe it.
    """
    if not 0 <= local <= len(view) - _LOCAL_OCTETS or bytes(view[local : local + 4]) != _LOCAL:
        return "", None
    (flags,) = struct.unpack_from("<H", view, local + 6)
    length, extra = struct.unpack_from("<HH", view, local + 26)
    start = local + _LOCAL_OCTETS
    name = bytes(view[start : start + length]).decode("utf-8", "replace")
    if method not in {_STORED, _DEFLATED} or flags & 0x41 or packed == _IN_ZIP64:
        return name, None
    part = view[start + length + extra : start + length + extra + packed]
    return name, of_stored(part) if method == _STORED else of_deflated(part)
