"""A look into a message for what policy and records ask: names of attachments, kinds of signature.

Boundaries are found by byte search; no part is decoded, no tree is built, nothing is copied
but part headers. Everything is bounded, and `MimeLook.complete` says when a bound was met.
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass

from mailgov.mail.headers import HeaderBlock
from mailgov.mail.parameters import Parameters, main_value, parameters, text, token

PART_LIMIT = 1000
DEPTH_LIMIT = 20
NAME_LIMIT = 200

NAME_CHARACTERS = 255
"""Characters kept of one name; no file system takes more."""

_PART_HEADER_OCTETS = 16_384
_MESSAGE_HEADER_OCTETS = 65_536
_FIELDS = 200  # fields read of one part's header
_FALSE_BOUNDARIES = 20_000  # lines that only begin like a boundary, in the whole message
_BOUNDARY_OCTETS = 200  # RFC 2046 5.1.1 allows 70
_LINE_OCTETS = 1000  # how far the end of a boundary line is looked for
_SMALLEST_WINDOW, _LARGEST_WINDOW = 1 << 12, 1 << 20
_SEARCHES = 6  # times the whole message may be searched; each level of nesting searches its part once

_SIGNATURE_TYPES = {
    b"application/pkcs7-signature": "smime",
    b"application/x-pkcs7-signature": "smime",
    b"application/pgp-signature": "pgp",
}
_SIGNATURE_ORDER = ("dkim", "smime", "pgp")

Data = bytes | bytearray | memoryview | mmap.mmap


@dataclass(frozen=True, slots=True)
class Attached:
    """Where an attachment's content lies in the message, still encoded.

    `encoding` is its Content-Transfer-Encoding (RFC 2045 6.1) in small letters, b"" for none.
    """

    start: int
    end: int
    encoding: bytes


@dataclass(frozen=True, slots=True)
class MimeLook:
    """What was seen. Names have no path parts and no control characters, each stands once.

    `attachments` counts leaf parts that have a name or are marked as attachments, and attached
    messages; detached signatures are not among them. `signatures`: "dkim" for a DKIM-Signature
    field, "smime" and "pgp" for RFC 8551 and RFC 3156 types. Nothing is verified.
    """

    attachment_names: tuple[str, ...] = ()
    signatures: tuple[str, ...] = ()
    attachments: int = 0
    complete: bool = True
    """False when a limit ended the look: there may be more names."""
    contents: tuple[Attached, ...] = ()
    """The attachments themselves, in order; what is attached to an attached message lies inside that."""


def look(
    data: Data,
    *,
    header: HeaderBlock,
    part_limit: int = PART_LIMIT,
    depth_limit: int = DEPTH_LIMIT,
    name_limit: int = NAME_LIMIT,
) -> MimeLook:
    """Look through a whole message of which `header` is the top header; never raises.

    `part_limit` bounds the parts entered, `depth_limit` how deep they nest, `name_limit` the
    number of names. Nested message/rfc822 parts are entered.
    """
    walk = _Walk(data, part_limit, depth_limit, name_limit)
    if header.count(b"dkim-signature"):
        walk.signatures.add("dkim")
    walk.entity(header, header.size, len(data), 0)
    return MimeLook(
        tuple(walk.names),
        tuple(kind for kind in _SIGNATURE_ORDER if kind in walk.signatures),
        walk.attachments,
        walk.complete and header.complete,
        tuple(walk.contents),
    )


class _Walk:
    def __init__(self, data: Data, part_limit: int, depth_limit: int, name_limit: int) -> None:
        self._data = data
        self._parts_left = part_limit
        self._depth_limit = depth_limit
        self._name_limit = name_limit
        self._false_left = _FALSE_BOUNDARIES
        self._search_left = _SEARCHES * (len(data) + _LARGEST_WINDOW)
        self.names: dict[str, None] = {}
        self.signatures: set[str] = set()
        self.attachments = 0
        self.contents: list[Attached] = []
        self.complete = True

    def entity(self, header: HeaderBlock, start: int, end: int, depth: int) -> None:
        """One message or part: its header, and its body in data[start:end]."""
        content_type = header.first(b"content-type") or b""
        kind = main_value(content_type)
        type_parameters = parameters(content_type)
        self._note_signature(kind, type_parameters)
        if kind.startswith(b"multipart/"):
            boundary = token(type_parameters, b"boundary").rstrip()
            if 0 < len(boundary) <= _BOUNDARY_OCTETS and self._may_descend(depth):
                self._multipart(b"--" + boundary, start, end, depth + 1)
            return
        message = depth > 0 and kind.startswith(b"message/rfc822")
        if kind not in _SIGNATURE_TYPES and self._note_attachment(header, type_parameters, message):
            self._note_content(header, start, end)
        if kind in {b"message/rfc822", b"message/global"} and self._may_descend(depth):
            inner = self._header(start, end, _MESSAGE_HEADER_OCTETS)
            self.entity(inner, start + inner.size, end, depth + 1)

    def _may_descend(self, depth: int) -> bool:
        if depth < self._depth_limit:
            return True
        self.complete = False
        return False

    def _multipart(self, delimiter: bytes, start: int, end: int, depth: int) -> None:
        found = self._delimiter(delimiter, start, end)
        while found is not None:
            _, body, closing = found
            if closing:
                return
            if self._parts_left <= 0:
                self.complete = False
                return
            self._parts_left -= 1
            found = self._delimiter(delimiter, body, end)
            stop = found[0] if found else end
            header = self._header(body, stop, _PART_HEADER_OCTETS)
            self.entity(header, body + header.size, stop, depth)

    def _header(self, start: int, end: int, limit: int) -> HeaderBlock:
        header = HeaderBlock.scan(self._data[start : min(end, start + limit)], field_limit=_FIELDS)
        if not header.complete or (header.size == limit and start + limit < end):
            self.complete = False
        return header

    def _delimiter(self, delimiter: bytes, start: int, end: int) -> tuple[int, int, bool] | None:
        """The next boundary line from `start` (where a line begins) to `end`.

        Answers where the line begins, where the next one does, and whether it closes the multipart.
        """
        at = self._find(b"\n" + delimiter, max(0, start - 1), end)
        while at >= 0:
            rest = at + 1 + len(delimiter)
            line, line_end, _ = bytes(self._data[rest : min(end, rest + _LINE_OCTETS)]).partition(b"\n")
            tail = line.rstrip(b" \t\r")
            if tail in {b"", b"--"}:
                return at + 1, rest + len(line) + len(line_end), tail == b"--"
            self._false_left -= 1  # another, longer boundary
            if self._false_left <= 0:
                self.complete = False
                return None
            at = self._find(b"\n" + delimiter, rest, end)
        return None

    def _find(self, needle: bytes, start: int, end: int) -> int:
        """As bytes.find, until the message has been searched too often."""
        if self._search_left <= 0:
            self.complete = False
            return -1
        data = self._data
        if isinstance(data, (bytes, bytearray)):
            at = data.find(needle, start, end)
        else:  # no fast search of its own: in windows, small ones first for the many short parts
            at, size, window_start = -1, _SMALLEST_WINDOW, start
            while at < 0 and window_start < end:
                found = bytes(data[window_start : min(end, window_start + size)]).find(needle)
                at = window_start + found if found >= 0 else -1
                window_start += size - len(needle) + 1
                size = min(2 * size, _LARGEST_WINDOW)
        self._search_left -= (end if at < 0 else at) - start
        return at

    def _note_signature(self, kind: bytes, type_parameters: Parameters) -> None:
        if kind == b"multipart/signed":
            protocol = token(type_parameters, b"protocol").lower()
            if signature := _SIGNATURE_TYPES.get(protocol):
                self.signatures.add(signature)
        elif (
            kind in {b"application/pkcs7-mime", b"application/x-pkcs7-mime"}
            # Anything but signed-data may as well be encryption (RFC 8551 3.2.2).
            and token(type_parameters, b"smime-type").lower() == b"signed-data"
        ):
            self.signatures.add("smime")

    def _note_content(self, header: HeaderBlock, start: int, end: int) -> None:
        if self.contents and start < self.contents[-1].end:
            return  # inside an attached message
        encoding = main_value(header.first(b"content-transfer-encoding") or b"")
        self.contents.append(Attached(start, end, encoding))

    def _note_attachment(self, header: HeaderBlock, type_parameters: Parameters, message: bool) -> bool:
        """Note the names; True when this is an attachment."""
        disposition = header.first(b"content-disposition") or b""
        if not disposition and not message and b"name" not in type_parameters:
            return False
        names = [
            text(parameters(disposition), b"filename", NAME_CHARACTERS * 4),
            text(type_parameters, b"name", NAME_CHARACTERS * 4),
        ]
        # A mail program may show either name, so both are kept where they differ.
        clean = [name for name in map(_base_name, names) if name]
        attached = bool(clean) or message or main_value(disposition) == b"attachment"
        self.attachments += attached
        for name in clean:
            if len(self.names) < self._name_limit:
                self.names[name] = None
            elif name not in self.names:
                self.complete = False
        return attached


def _base_name(name: str | None) -> str:
    """The name without path parts of any system, without spaces around it; "" when nothing is left."""
    base = (name or "").replace("\\", "/").rpartition("/")[2].strip()
    return "" if base in {".", ".."} else base[:NAME_CHARACTERS]
