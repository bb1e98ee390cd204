"""A message's parts as files: their octets decoded, and the messages among them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mailgov.mail.files import kinds
from mailgov.mail.files.names import extensions
from mailgov.mail.files.source import Octets, Source, of_pieces, tail_of
from mailgov.mail.files.zips import TAIL_OCTETS, has_end
from mailgov.mail.headers import HeaderBlock
from mailgov.mail.mime import Data, Leaf, leaves_of
from mailgov.mail.transfer import ENCODED, decoded

PARTS_LIMIT = 200
"""Parts entered of a message that is attached as a file."""
_CODED_HEAD = 3 * kinds.HEAD_OCTETS
"""Encoded octets that hold a head, but for one that is all escapes or begins with blanks."""
_HEADER_OCTETS = 1 << 18
_WALKED = frozenset({b"message/rfc822", b"message/global"})
_MAILS = frozenset({"eml", "mht", "mhtml", "nws"})
_MAIL_FIELD = re.compile(
    rb"^(?:content-[a-z-]+|mime-version|received|return-path|from|date|subject|to|message-id)[ \t]*:",
    re.IGNORECASE | re.MULTILINE,
)
_PADDED_INSIDE = re.compile(rb"=[=\s]*+[A-Za-z0-9+/]")
_MIME_FIELDS = (b"content-type", b"mime-version", b"content-transfer-encoding", b"content-disposition")


def of_leaf(data: Data, leaf: Leaf, room: int) -> tuple[Source, int]:
    """A part's decoded octets, and what of `room` it took to find the first of them.

    Decoders skip blank lines and soft breaks, so these may stand before the head in any number;
    of them `room` encoded octets are skipped at most (to the next 512 KB).
    """
    content = data if leaf.inside is None else leaf.inside

    def pieces(end: int) -> Iterator[bytes]:
        return decoded(content, leaf.start, end, leaf.encoding)

    near = min(leaf.end, leaf.start + _CODED_HEAD)
    head = b"".join(pieces(near))
    spent = 0
    if len(head) < kinds.HEAD_OCTETS and near < leaf.end and leaf.encoding in ENCODED and room > 0:
        found = bytearray()
        end = min(leaf.end, leaf.start + room)
        for piece in pieces(end):
            found += piece
            if len(found) >= kinds.HEAD_OCTETS:
                break
        else:
            spent = end - leaf.start
        spent = spent or _CODED_HEAD
        head = bytes(found)
    return of_pieces(lambda: pieces(leaf.end), head[: kinds.HEAD_OCTETS]), spent


def pads_inside(data: Data, leaf: Leaf) -> bool:
    """Whether base64 goes on behind padding near its beginning: readers stop, go on or begin anew."""
    content = data if leaf.inside is None else leaf.inside
    near = bytes(content[leaf.start : min(leaf.end, leaf.start + _CODED_HEAD)])
    return leaf.encoding == b"base64" and _PADDED_INSIDE.search(near) is not None


def ends_like_zip(data: Data, leaf: Leaf) -> bool:
    """Whether a zip may lie at the part's end. Decodes the part once and keeps 64 KB of it."""
    content = data if leaf.inside is None else leaf.inside
    return has_end(tail_of(decoded(content, leaf.start, leaf.end, leaf.encoding), TAIL_OCTETS))


def was_walked(leaf: Leaf) -> bool:
    """Whether the look into the message went into this part: it has leaves of its own then."""
    return leaf.kind in _WALKED and (leaf.inside is None or leaf.encoding not in ENCODED)


def may_be_message(names: list[str], head: bytes, declared: bytes) -> bool:
    """Whether some program may open this as a message, whatever type it came with."""
    if declared.startswith(b"message/") or any(extensions(name)[:1] in _MAIL_NAMES for name in names):
        return True
    return kinds.is_message(head) and _MAIL_FIELD.search(head) is not None


def look_inside(whole: Octets) -> tuple[Octets, tuple[Leaf, ...], bool]:
    """An attached message without what may stand before it, its parts, and whether these are all.

    A text that only begins like a message counts as seen whole.
    """
    start = _start(bytes(whole[:1000]))
    data = whole[start:] if start else whole
    header = HeaderBlock.scan(data[:_HEADER_OCTETS])
    leaves, complete = leaves_of(data, header=header, part_limit=PARTS_LIMIT)
    return data, leaves, complete or not any(header.count(name) for name in _MIME_FIELDS)


def _start(head: bytes) -> int:
    """Where the header begins: behind a byte-order mark, blank lines, and an mbox's "From " line."""
    rest = head.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n \t")
    if rest.startswith((b"From ", b">From ")):
        rest = rest.partition(b"\n")[2]
    return len(head) - len(rest)


_MAIL_NAMES = frozenset((name,) for name in _MAILS)
