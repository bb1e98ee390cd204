"""Tar, RAR and 7z: names, and whether they are encrypted, as far as their headers tell."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from mailgov.mail.files.source import Octets, of_stored
from mailgov.mail.files.zips import Member, NotReadable

BLOCKS_LIMIT = 20_000
"""Headers read of one archive, files or not."""
_BLOCK = 512
_LONG_NAMES = (b"L", b"x")
"""What stands before an entry whose name does not fit: GNU's form, and that of pax."""
_LONG_NAME_OCTETS = 1 << 16
_AES_7Z = b"\x06\xf1\x07\x01"
"""The id of 7z's only encryption, which stands in the clear even where names are encrypted."""


def tar_members(data: Octets) -> Iterator[Member]:
    """The entries of a tar (POSIX ustar and pax, GNU). Raises NotReadable where one is broken."""
    view = memoryview(data)
    at, longer = 0, ""
    for _ in range(BLOCKS_LIMIT):
        if at + _BLOCK > len(data):
            return
        block = data[at : at + _BLOCK]
        if not block.strip(b"\0"):
            return
        name = block[:100].partition(b"\0")[0].decode("utf-8", "replace")
        size, kind, start = _tar_size(block), block[156:157], at + _BLOCK
        if kind in _LONG_NAMES:
            said = bytes(view[start : start + min(size, _LONG_NAME_OCTETS)])
            longer = _pax_path(said) if kind == b"x" else said.partition(b"\0")[0].decode("utf-8", "replace")
        elif kind in (b"0", b"\0", b"7"):
            yield Member(longer or name, False, size, of_stored(view[start : start + size]), local=name)
            longer = ""
        at = start + (size + _BLOCK - 1) // _BLOCK * _BLOCK
    raise NotReadable("too many blocks")


def _tar_size(block: Octets) -> int:
    try:
        size = int(block[124:136].partition(b"\0")[0].strip() or b"0", 8)
    except ValueError:
        raise NotReadable("a size that is none") from None
    if size < 0:
        raise NotReadable("a size below 0")
    return size


def _pax_path(records: bytes) -> str:
    """The name in an extended header: lines of `<length> <key>=<value>` (POSIX pax 3.1)."""
    found = ""
    while records:
        length, _, _ = records.partition(b" ")
        octets = int(length) if length.isdigit() and len(length) < 8 else 0
        key, equals, value = records[len(length) + 1 : octets].partition(b"=")
        if not equals or key == b"size":
            raise NotReadable("an extended header that is broken, or has a size of its own")
        if key == b"path":
            found = value.rstrip(b"\n").decode("utf-8", "replace")
        records = records[octets:]
    return found


def rar_members(data: Octets) -> Iterator[Member]:
    """The entries of a RAR, of version 4 or 5, by name alone. Raises NotReadable where one is broken."""
    try:
        yield from _rar5(data) if data[6:7] == b"\1" else _rar4(data)
    except (struct.error, IndexError) as error:
        raise NotReadable(str(error)) from None


def _rar4(data: Octets) -> Iterator[Member]:
    at = 7
    for _ in range(BLOCKS_LIMIT):
        if at + 7 > len(data):
            return
        kind, flags, size = struct.unpack_from("<BHH", data, at + 2)
        if kind == 0x7B:
            return
        if size < 7:
            raise NotReadable("a block of no size")
        if kind == 0x73 and flags & 0x80:  # all that follows is encrypted
            yield Member("", True, 0, None)
            return
        added = struct.unpack_from("<I", data, at + 7)[0] if flags & 0x8000 or kind == 0x74 else 0
        if kind == 0x74:
            length = struct.unpack_from("<H", data, at + 26)[0]
            start = at + (40 if flags & 0x100 else 32)
            name = data[start : start + length].partition(b"\0")[0].decode("utf-8", "replace")
            yield Member(name, bool(flags & 4), 1, None)
        at += size + added
    raise NotReadable("too many blocks")


def _rar5(data: Octets) -> Iterator[Member]:
    at = 8
    for _ in range(BLOCKS_LIMIT):
        if at + 7 > len(data):
            return
        size, start = _number(data, at + 4)
        kind, place = _number(data, start)
        flags, place = _number(data, place)
        extra, place = _number(data, place) if flags & 1 else (0, place)
        packed, place = _number(data, place) if flags & 2 else (0, place)
        if kind == 4:  # all that follows is encrypted
            yield Member("", True, 0, None)
            return
        if kind == 5 or size == 0:
            return
        if kind == 2:
            name = _rar5_name(data, place)
            yield Member(name, _rar5_encrypted(data, start + size - extra, start + size), 1, None)
        at = start + size + packed
    raise NotReadable("too many blocks")


def _rar5_name(data: Octets, place: int) -> str:
    flags, place = _number(data, place)
    for _ in range(2):  # unpacked size, attributes
        _, place = _number(data, place)
    place += (4 if flags & 2 else 0) + (4 if flags & 4 else 0)
    for _ in range(2):  # compression, system
        _, place = _number(data, place)
    length, place = _number(data, place)
    return data[place : place + min(length, 4096)].decode("utf-8", "replace")


def _rar5_encrypted(data: Octets, at: int, end: int) -> bool:
    for _ in range(16):
        if at >= end:
            break
        size, start = _number(data, at)
        kind, _ = _number(data, start)
        if kind == 1:
            return True
        at = start + size
    return False


def _number(data: Octets, at: int) -> tuple[int, int]:
    """A number of 7 bits an octet, the lowest first, and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        octet = data[at]
        at += 1
        value |= (octet & 0x7F) << shift
        if not octet & 0x80:
            return value, at
    raise IndexError("a number without an end")


def seven_zip_encrypted(data: Octets) -> bool:
    """Whether a 7z names its encryption in its closing header."""
    if len(data) < 32:
        return False
    offset, size = struct.unpack_from("<QQ", data, 12)
    return _AES_7Z in data[32 + offset : 32 + offset + min(size, 1 << 20)]
