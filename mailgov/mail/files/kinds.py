"""What a file's first octets say it is."""

from __future__ import annotations

import codecs
import html
import re

HEAD_OCTETS = 8192
"""What is looked at to tell a kind."""

PROGRAM, SCRIPT, OLE, TEXT = "program", "script", "ole", "text"
ZIP, RAR, SEVEN_ZIP, TAR = "zip", "rar", "7z", "tar"
GZIP, BZIP2, XZ = "gzip", "bzip2", "xz"
CLOSED = "closed"
"""Archives and disk images that are not looked into."""

_MAGIC = (
    (b"\x7fELF", PROGRAM),
    (b"\xfe\xed\xfa\xce", PROGRAM),  # Mach-O, 32 and 64 bits, in both orders of octets
    (b"\xfe\xed\xfa\xcf", PROGRAM),
    (b"\xce\xfa\xed\xfe", PROGRAM),
    (b"\xcf\xfa\xed\xfe", PROGRAM),
    (b"\xca\xfe\xba\xbe", PROGRAM),  # a Java class, or Mach-O for several processors
    (b"dex\n03", PROGRAM),
    (b"\x4c\x00\x00\x00\x01\x14\x02\x00", PROGRAM),  # a Windows shortcut
    (b"ITSF", PROGRAM),  # compiled HTML help
    (b"!<arch>\ndebian", PROGRAM),
    (b"\xed\xab\xee\xdb", PROGRAM),  # RPM
    (b"#@~^", SCRIPT),  # encoded VBScript and JScript
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", OLE),
    (b"PK\x03\x04", ZIP),
    (b"PK\x05\x06", ZIP),
    (b"PK\x07\x08PK\x03\x04", ZIP),
    (b"Rar!\x1a\x07", RAR),
    (b"7z\xbc\xaf\x27\x1c", SEVEN_ZIP),
    (b"\x1f\x8b\x08", GZIP),
    (b"BZh", BZIP2),
    (b"\xfd7zXZ\x00", XZ),
    (b"MSCF", CLOSED),  # cabinets
    (b"ISc(", CLOSED),
    (b"`\xea", CLOSED),  # ARJ
    (b"vhdxfile", CLOSED),
    (b"\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d", CLOSED),  # OneNote, which has been used to carry programs
    (b"conectix", CLOSED),
    (b"MSWIM\0\0\0", CLOSED),
)
_SHOWN = (b"%PDF-", b"\x89PNG\r\n", b"\xff\xd8\xff", b"GIF8", b"{\\rtf")
_SCRIPT = re.compile(
    rb"\s*(?:#![ \t]*/|@?echo[ \t]+off\b|windows registry editor version|regedit4\s"
    rb"|\[internetshortcut\]|\[desktop entry\]|(?:<\?xml[^>]*>\s*)?<(?:job|scriptlet)[\s>])",
    re.IGNORECASE,
)
_MACRO_TYPES = re.compile(r"ms-office\.vbaproject\b|ms-excel\.(?:intl)?macrosheet\b", re.IGNORECASE)
_FIELD = re.compile(rb"[!-9;-~]{1,76}[ \t]*:")
_HTA = re.compile(rb"<hta:application\b", re.IGNORECASE)
_BINARY = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")


def kind_of(head: bytes) -> str | None:
    """The kind of a file that begins so, None for what is none of the above. Never raises."""
    if head[:2] in {b"MZ", b"ZM"} and b"\0" in head[:64]:
        return PROGRAM
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if head[257:262] == b"ustar":
        return TAR
    if head[7:14] == b"**ACE**" or head[2:7] in {b"-lh5-", b"-lh6-", b"-lh7-"}:
        return CLOSED
    text = _as_ascii(head)
    if _SCRIPT.match(text) or _HTA.search(text):
        return SCRIPT
    return None if _BINARY.search(text) else TEXT


def is_shown(head: bytes) -> bool:
    """Whether it begins as a PDF, a picture or a text document does."""
    return head.startswith(_SHOWN)


def names_macros(content_types: bytes) -> bool:
    """Whether a document's list of content types names a project of VBA or sheets of macros."""
    text = _as_ascii(content_types)
    return _MACRO_TYPES.search(html.unescape(text.decode("latin-1"))) is not None


def is_message(head: bytes) -> bool:
    """Whether it begins with a header field, as an attached message does (RFC 5322 2.2)."""
    return _FIELD.match(head.lstrip(b"\r\n")) is not None


def _as_ascii(head: bytes) -> bytes:
    """Text without its byte-order mark; UTF-16, which script hosts read too, in single octets."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return head.decode("utf-16", "replace").encode("utf-8", "replace")
    return head.removeprefix(codecs.BOM_UTF8)
