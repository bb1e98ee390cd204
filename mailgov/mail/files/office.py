"""Documents of the older Office form (OLE, MS-CFB): macros, encryption, files laid inside."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

import olefile

from mailgov.mail.files.source import Octets, Source, of_bytes

STREAM_OCTETS = 1 << 25
"""Read of one document's streams in all; several may lie in the same place."""
STREAMS_LIMIT = 200
RECORDS_LIMIT = 10_000
_INSTALLERS = ("000C1082-", "000C1084-", "000C1086-")
"""Class ids of Windows Installer's transforms, packages and patches."""
_NATIVE = "\x01ole10native"
_MESSAGE_FILE, _MESSAGE_NAME = "__substg1.0_37010102", "__substg1.0_3707001f"


@dataclass(slots=True)
class Ole:
    """What was found in one document; `complete` is False where it could not be read to its end."""

    macro: bool = False
    encrypted: bool = False
    installer: bool = False
    inside: list[tuple[str, Source]] = field(default_factory=list)
    complete: bool = True
    entries: int = 0
    """Streams and storages that were read of."""
    streams: int = 0
    octets: int = 0


class _Bounded(olefile.OleFileIO):  # type: ignore[misc]  # olefile has no types
    """A reader that stops at a directory too large to be an honest one's."""

    def __init__(self, file: io.BytesIO, found: Ole, entries: int) -> None:
        self._found, self._entries = found, entries
        super().__init__(file)

    def _load_direntry(self, sid: int) -> object:
        self._found.entries += 1
        if self._found.entries > self._entries:
            raise OSError("too many entries")
        return super()._load_direntry(sid)


def look_into(data: Octets, entries: int) -> Ole:
    """Look into a document with so many entries at most; never raises."""
    found = Ole()
    try:
        # Octets that are few are taken for a path, so they never are given as they are.
        with _Bounded(io.BytesIO(data), found, entries) as file:
            _look(file, found)
    except Exception:  # noqa: BLE001 - olefile raises whatever a hostile file makes Python raise
        found.complete = False
    return found


def _look(file: _Bounded, found: Ole) -> None:
    paths = [tuple(part.lower() for part in path) for path in file.listdir()]
    found.installer = str(file.root.clsid).upper().startswith(_INSTALLERS)
    found.macro = any(_is_macro(path) for path in paths)
    found.encrypted = ("encryptedpackage",) in paths
    for path in paths:
        if path[-1] == "worddocument":
            head = _stream(file, path, found)[:12]
            found.encrypted |= len(head) == 12 and bool(head[11] & 1)  # MS-DOC 2.5.2, fEncrypted
        elif path[-1] in {"workbook", "book"}:
            _look_at_workbook(_stream(file, path, found), found)
        elif path[-1] == _NATIVE:
            found.inside.append(_packaged(_stream(file, path, found)))
        elif path[-1] == _MESSAGE_FILE:  # a message as Outlook keeps it
            name = (*path[:-1], _MESSAGE_NAME)
            text = _stream(file, name, found).decode("utf-16-le", "replace") if name in paths else ""
            found.inside.append((text, of_bytes(_stream(file, path, found))))


def _is_macro(path: tuple[str, ...]) -> bool:
    return path[-1] == "_vba_project" or (path[-1] == "dir" and path[-2:-1] == ("vba",))


def _stream(file: _Bounded, path: tuple[str, ...], found: Ole) -> bytes:
    found.streams += 1
    found.octets += file.get_size(list(path))
    if found.streams > STREAMS_LIMIT or found.octets > STREAM_OCTETS:
        raise OSError("too much to read")
    return bytes(file.openstream(list(path)).read())


def _look_at_workbook(data: bytes, found: Ole) -> None:
    """BIFF (MS-XLS 2.4): sheets of Excel 4.0 macros, and a password."""
    for kind, record in _records(data):
        if kind == 0x2F:
            found.encrypted = True
        elif kind == 0x85 and record[5:6] == b"\x01":
            found.macro = True


def _records(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    for _ in range(RECORDS_LIMIT):
        if at + 4 > len(data):
            return
        kind, size = struct.unpack_from("<HH", data, at)
        yield kind, data[at + 4 : at + 4 + min(size, 64)]
        if kind == 0x0A:  # the end of what is about the whole book
            return
        at += 4 + size


def _packaged(data: bytes) -> tuple[str, Source]:
    """A file that was laid into a document (the Packager's OLE1 stream): its name and its octets."""
    label, _, rest = data[6:4096].partition(b"\0")
    path = rest.partition(b"\0")[0]
    place = data.find(b"MZ", 6, 8192)
    octets = data[place:] if place >= 0 else b""
    name = path.decode("latin-1") or label.decode("latin-1")
    return name, of_bytes(octets)
