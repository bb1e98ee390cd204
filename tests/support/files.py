"""Files of the kinds that come attached, honest and hostile, built octet by octet, and archives of them."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping, Sequence

PE = b"MZ\x90\x00\x03\x00\x00\x00" + bytes(52) + b"\x40\x00\x00\x00PE\0\0" + bytes(200)
ELF = b"\x7fELF\x02\x01\x01" + bytes(200)
SHORTCUT = bytes.fromhex("4c0000000114020000000000c000000000000046") + bytes(100)
JAVA_CLASS = b"\xca\xfe\xba\xbe\x00\x00\x00\x37" + bytes(100)
PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<< >>\nendobj\n"

Tree = Mapping[str, "bytes | Tree"]
_SECTOR, _END, _FREE = 512, 0xFFFFFFFE, 0xFFFFFFFF
_INSTALLER = bytes.fromhex("84100c0000000000c000000000000046")


def zipped(members: Mapping[str, bytes], *, deflated: bool = True) -> bytes:
    """A zip of these files, in order."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED if deflated else zipfile.ZIP_STORED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return made.getvalue()


def encrypted(archive: bytes) -> bytes:
    """A zip whose entries all say that they are encrypted (APPNOTE 4.4.4)."""
    made = bytearray(archive)
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = made.find(signature)
        while at >= 0:
            made[at + offset] |= 1
            at = made.find(signature, at + 4)
    return bytes(made)


def workbook(members: Mapping[str, bytes] | None = None, *, macro: bool = False) -> bytes:
    """An OOXML workbook with more members, and with a project of macros if wanted."""
    parts = {"[Content_Types].xml": b"<Types/>", "xl/workbook.xml": b"<workbook/>"}
    if macro:
        parts["xl/vbaProject.bin"] = b"\xcc\x61" + bytes(100)
    return zipped(parts | dict(members or {}))


def ole(tree: Tree, *, installer: bool = False) -> bytes:
    """A compound file (MS-CFB) with these streams and storages; a stream is padded to 4096 octets."""
    entries: list[list[bytes | int]] = []
    streams: list[bytes] = []

    def add(name: str, kind: int, node: bytes | Tree) -> int:
        number = len(entries)
        entries.append([name.encode("utf-16-le"), kind, _FREE, _FREE, _END, 0])
        if isinstance(node, bytes):
            entries[number][5] = max(4096, len(node))
            entries[number][4] = len(streams)
            streams.append(node.ljust(4096, b"\0"))
        else:
            last = None
            for key, child in node.items():
                added = add(key, 2 if isinstance(child, bytes) else 1, child)
                entries[number if last is None else last][3 if last is None else 2] = added
                last = added
        return number

    add("Root Entry", 5, tree)
    directory = -(-len(entries) * 128 // _SECTOR)
    sizes = [-(-len(stream) // _SECTOR) for stream in streams]
    tables = 1
    while tables * 128 < tables + directory + sum(sizes):
        tables += 1
    fat = [0xFFFFFFFD] * tables + _chain(tables, directory)
    starts = []
    for size in sizes:
        starts.append(len(fat))
        fat += _chain(len(fat), size)
    fat += [_FREE] * (tables * 128 - len(fat))
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16)
    header += struct.pack(
        "<HHHHH6xIIIIIIIII", 0x3E, 3, 0xFFFE, 9, 6, 0, tables, tables, 0, 4096, _END, 0, _END, 0
    )
    header += struct.pack("<109I", *range(tables), *[_FREE] * (109 - tables))
    made = header + struct.pack(f"<{len(fat)}I", *fat)
    made += b"".join(_entry(entry, starts, installer) for entry in entries).ljust(directory * _SECTOR, b"\0")
    return made + b"".join(s.ljust(-(-len(s) // _SECTOR) * _SECTOR, b"\0") for s in streams)


def _chain(start: int, length: int) -> list[int]:
    return [*range(start + 1, start + length), _END]


def _entry(entry: Sequence[bytes | int], starts: Sequence[int], installer: bool) -> bytes:
    name, kind, right, child, stream, size = entry
    assert isinstance(name, bytes)
    assert isinstance(stream, int)
    start = starts[stream] if kind == 2 else (_END if kind == 5 else 0)
    clsid = _INSTALLER if installer and kind == 5 else bytes(16)
    return (
        name.ljust(64, b"\0")
        + struct.pack("<HBBIII", len(name) + 2, kind, 1, _FREE, right, child)
        + clsid
        + struct.pack("<I16xIQ", 0, start, size)
    )


def number(value: int) -> bytes:
    """A number as RAR 5 writes it."""
    made = bytearray()
    while True:
        made.append((value & 0x7F) | (0x80 if value > 0x7F else 0))
        value >>= 7
        if not value:
            return bytes(made)


def rar5(*names: str, password: bool = False) -> bytes:
    """A RAR of version 5 with these names and no contents."""
    made = b"Rar!\x1a\x07\x01\x00" + _block(1, 0, number(0))
    for name in names:
        octets = name.encode()
        extra = number(3) + number(1) + b"\0\0" if password else b""
        body = number(0) + number(5) + number(0) + number(0) + number(0) + number(len(octets)) + octets
        made += _block(2, 3 if password else 2, body, extra, data=b"12345")
    return made + _block(5, 0, number(0))


def _block(kind: int, flags: int, body: bytes, extra: bytes = b"", data: bytes = b"") -> bytes:
    head = number(kind) + number(flags)
    head += (number(len(extra)) if flags & 1 else b"") + (number(len(data)) if flags & 2 else b"")
    whole = head + body + extra
    return bytes(4) + number(len(whole)) + whole + data


def rar4(*names: str, password: bool = False) -> bytes:
    """A RAR of version 4 with these names and no contents."""
    made = b"Rar!\x1a\x07\x00" + struct.pack("<HBHH6x", 0, 0x73, 0, 13)
    for name in names:
        octets = name.encode()
        flags = 0x8000 | (4 if password else 0)
        made += struct.pack(
            "<HBHHIIBIIBBHI", 0, 0x74, flags, 32 + len(octets), 5, 5, 2, 0, 0, 29, 0x30, len(octets), 0
        )
        made += octets + b"12345"
    return made + struct.pack("<HBHH", 0, 0x7B, 0, 7)
