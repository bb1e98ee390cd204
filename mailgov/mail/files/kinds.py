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
MACRO = "macro"
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
    (b"\x28\xb5\x2f\xfd", CLOSED),  # Zstandard
    (b"LZIP\x01", CLOSED),
    (b"\x5d\0\0", CLOSED),  # LZMA by itself
    (b"\x1f\x9d", CLOSED),  # compress
    (b"\x1f\xa0", CLOSED),
    (b"ALZ\x01", CLOSED),
    (b"EGGA\0\x01", CLOSED),
    (b"xar!", CLOSED),
    (b"\x78\x9f\x3e\x22", CLOSED),  # what Outlook wraps attachments in (TNEF)
    (b"ActiveMime", MACRO),  # a project of macros, packed, in documents saved as XML or as a web page
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
_CPIO = re.compile(rb"07070[127][0-9A-Fa-f]{20}")
_OCTAL = re.compile(rb"[0-7]{1,7}")
_TAR_OCTETS = 512
_FLAT = re.compile(rb"<\?mso-application\b|<(?:pkg:package|w:worddocument)\b", re.IGNORECASE)
_FLAT_MACROS = re.compile(rb"macrospresent\s*=\s*[\"']yes")
_PACKED_MACROS = b"QWN0aXZlTWlt"
"""`ActiveMim` in base64."""
_UUENCODED = re.compile(rb"(?:\A|\n)begin(?:-base64)? [0-7]{3,4} \S")
_BINARY = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")


def kind_of(head: bytes) -> str | None:
    """The kind of a file that begins so, None for what is none of the above. Never raises."""
    if head[:2] in {b"MZ", b"ZM"} and b"\0" in head[:64]:
        return PROGRAM
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if head[257:262] == b"ustar" or _is_old_tar(head[:_TAR_OCTETS]):
        return TAR
    if _CPIO.match(head) or head[7:14] == b"**ACE**" or head[2:7] in {b"-lh5-", b"-lh6-", b"-lh7-"}:
        return CLOSED
    text = _as_ascii(head)
    if _SCRIPT.match(text) or _HTA.search(text):
        return SCRIPT
    return None if _BINARY.search(text) else TEXT


def _is_old_tar(block: bytes) -> bool:
    """A tar from before it had a mark is told by the sum of its first block (POSIX ustar, "chksum")."""
    said = block[148:156].strip(b"\0 ")
    if len(block) < _TAR_OCTETS or not block[:1].strip(b"\0") or not _OCTAL.fullmatch(said):
        return False
    return int(said, 8) == sum(block) - sum(block[148:156]) + 8 * 0x20  # which counts as blanks


def is_shown(head: bytes) -> bool:
    """Whether it begins as a PDF, a picture or a text document does."""
    return head.startswith(_SHOWN)


def names_macros(content_types: bytes) -> bool:
    """Whether a document's list of content types names a project of VBA or sheets of macros."""
    text = _as_ascii(content_types)
    return _MACRO_TYPES.search(html.unescape(text.decode("latin-1"))) is not None


def is_flat_document(head: bytes) -> bool:
    """Whether it begins as an Office document in one file of XML does."""
    return _FLAT.search(_as_ascii(head)) is not None


def has_flat_macros(whole: bytes) -> bool:
    """Whether such a document has macros, by its own word or by what they are packed in."""
    text = _as_ascii(whole)
    small = text.lower()
    return (
        b"ms-office.vbaproject" in small or _PACKED_MACROS in text or _FLAT_MACROS.search(small) is not None
    )


def is_uuencoded(head: bytes) -> bool:
    """Whether it is a file in text (POSIX uuencode), which programs that unpack open."""
    return _UUENCODED.search(head) is not None


def is_message(head: bytes) -> bool:
    """Whether it begins with a header field, as an attached message does (RFC 5322 2.2)."""
    return _FIELD.match(head.lstrip(b"\r\n")) is not None


def _as_ascii(head: bytes) -> bytes:
    """Text without its byte-order mark; UTF-16, which script hosts read too, in single octets."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return head.decode("utf-16", "replace").encode("utf-8", "replace")
    return head.removeprefix(codecs.BOM_UTF8)
