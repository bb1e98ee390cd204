"""A look into a message for what policy and records ask: names of attachments, kinds of signature.

Boundaries are found by byte search; no tree is built, nothing is copied but part headers, and
nothing is decoded but a message or multipart that is itself encoded. Everything is bounded, and
`MimeLook.complete` says when a bound was met.

Readers differ in how they take what is malformed, so for secrecy each reading counts: every field
and parameter of one name, every boundary, the content as it stands and decoded. The record keeps
the likeliest reading alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from mailgov.mail.comments import without_comments
from mailgov.mail.encoded_words import VALUE_OCTETS
from mailgov.mail.headers import FIELD_LIMIT, HeaderBlock
from mailgov.mail.parameters import (
    Parameters,
    main_value,
    parameters,
    text,
    texts,
    token,
    tokens,
    within_bounds,
)
from mailgov.mail.secrecy import field_mark, highest, secrecy_mark
from mailgov.mail.transfer import ENCODED, Data, decoded

PART_LIMIT = 1000
DEPTH_LIMIT = 50
NAME_LIMIT = 200

LEAF_FIELD_OCTETS = 4096
"""Of a field that may name a part: a name of 255 Vietnamese letters in RFC 2231 takes 2.3 KB."""

NAME_CHARACTERS = 255
"""Characters kept of one name; no file system takes more."""

# No bound is one that everyday mail comes near: our own people's mail is refused where one is met.
_PART_HEADER_OCTETS = 65_536
_MESSAGE_HEADER_OCTETS = 262_144  # as the setting header_limit_bytes for a message of its own
_SMALL_HEADER_OCTETS = 4096  # what is copied of a part at first
_FIELDS = 1000  # fields read of one part's header
_ALL_FIELDS = 200_000  # fields of all parts together
_MARKED_OCTETS = 1 << 20  # of fields that may name something, in all parts together, read for marks
_DECODED_OCTETS = 1 << 24  # of messages and multiparts that are encoded, decoded at all
_FALSE_BOUNDARIES = 20_000  # lines that only begin like a boundary, in the whole message
_BOUNDARY_OCTETS = 1000  # RFC 2046 5.1.1 allows 70
_LINE_OCTETS = 2000  # how far the end of a boundary line is looked for
_SMALLEST_WINDOW, _LARGEST_WINDOW = 1 << 12, 1 << 20
_SEARCHES = 12  # times the whole message may be searched; each level of nesting searches its part once

_SIGNATURE_TYPES = {
    b"application/pkcs7-signature": "smime",
    b"application/x-pkcs7-signature": "smime",
    b"application/pgp-signature": "pgp",
}
_SIGNATURE_ORDER = ("dkim", "smime", "pgp")

_MESSAGES = frozenset({b"message/rfc822", b"message/global"})
_ENCODINGS = ENCODED | {b"", b"7bit", b"8bit", b"binary"}
_ENCODING_FIELDS = 8  # of Content-Transfer-Encoding, read of one part
_STRANGE = re.compile(rb"[^a-z0-9-]")
_NAMED = re.compile(rb"name|attachment", re.IGNORECASE)
_NAMES = frozenset({b"filename", b"name"})
_NAMING = frozenset({b"content-disposition", b"content-type", b"content-description"})

__all__ = ["Attached", "Data", "Leaf", "MimeLook", "leaves_of", "look"]


@dataclass(frozen=True, slots=True)
class Attached:
    """Where an attachment's content lies in the message, still encoded.

    `encoding` is its Content-Transfer-Encoding (RFC 2045 6.1) in small letters, b"" for none.
    """

    start: int
    end: int
    encoding: bytes


@dataclass(frozen=True, slots=True)
class Leaf:
    """A part that may be shown as a file, attached or not, inside attached messages too.

    `fields` are its values of Content-Disposition and Content-Type, which may name it, cut to
    `LEAF_FIELD_OCTETS`. `inside` is what it lies in where that was itself encoded, None for the message.
    """

    start: int
    end: int
    encoding: bytes
    kind: bytes
    fields: tuple[bytes, ...]
    inside: bytearray | None = None
    clear: bool = True
    """False where readers differ in how it is encoded, or nobody knows: there is a leaf for each reading."""


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
    """False when a limit ended the look, or no boundary could be told: there may be more."""
    secrecy: str | None = None
    """The highest mark of any name that something attached may be shown under: file names, the
    description, an attached message's subject, each in every reading."""
    contents: tuple[Attached, ...] = ()
    """The attachments themselves, in order; what is attached to an attached message lies inside that."""
    leaves: tuple[Leaf, ...] = ()
    """Every part but multiparts and unnamed text, in every reading of the boundaries."""


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
    names that are kept. Nested message/rfc822 parts are entered.
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
        highest(list(walk.marks)),
        tuple(walk.contents),
        tuple(walk.leaves),
    )


def leaves_of(data: Data, *, header: HeaderBlock, part_limit: int) -> tuple[tuple[Leaf, ...], bool]:
    """The leaves of a message as `look` finds them, and whether it was seen whole; never raises.

    No marks of secrecy are looked for, which cost the most.
    """
    walk = _Walk(data, part_limit, DEPTH_LIMIT, 0, secrecy=False)
    walk.entity(header, header.size, len(data), 0)
    return tuple(walk.leaves), walk.complete and header.complete


class _Walk:
    def __init__(
        self, data: Data, part_limit: int, depth_limit: int, name_limit: int, *, secrecy: bool = True
    ) -> None:
        self._secrecy = secrecy
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
        self.leaves: list[Leaf] = []
        self.marks: set[str | None] = set()
        self.complete = True
        self._fields_left = _ALL_FIELDS
        self._marked_left = _MARKED_OCTETS
        self._decoded_left = _DECODED_OCTETS
        self._inside_encoded = False

    def entity(
        self, header: HeaderBlock, start: int, end: int, depth: int, default: bytes = b"text/plain"
    ) -> None:
        """One message or part: its header, and its body in data[start:end]."""
        self._judge(header)
        content_types = header.all(b"content-type")
        content_type = content_types[0] if content_types else b""
        kind = main_value(content_type) or default
        type_parameters = parameters(content_type)
        self._note_signature(kind, type_parameters)
        message = depth > 0 and kind.startswith(b"message/rfc822")
        self._note_leaf(header, kind, content_types, start, end)
        leaf = not kind.startswith(b"multipart/") and kind not in _SIGNATURE_TYPES
        if leaf and self._note_attachment(header, type_parameters, message):
            self._note_content(header, start, end)
        kinds = {kind, *(_kind(value) for value in content_types)}
        if b"message/partial" in kinds and token(type_parameters, b"number") == b"1":
            kinds.add(b"message/rfc822")  # the first part begins with the header of the whole
        multipart = any(kind.startswith(b"multipart/") for kind in kinds)
        if (multipart or kinds & _MESSAGES) and self._may_descend(depth):
            self._descend(header, kinds, start, end, depth + 1)
            # RFC 2045 6.4 forbids it, some clients do it for messages, and readers undo it. Once:
            # what is encoded inside what is encoded no reader unpacks.
            encodings, _ = _encodings(header)
            for encoding in sorted(ENCODED.intersection(encodings))[: 0 if self._inside_encoded else 1]:
                with self._content(start, end, encoding) as size:
                    self._descend(header, kinds, 1, size, depth + 1)

    def _descend(self, header: HeaderBlock, kinds: set[bytes], start: int, end: int, depth: int) -> None:
        """Into a multipart by every boundary that it may have, and into an attached message."""
        if any(kind.startswith(b"multipart/") for kind in kinds):
            default = b"message/rfc822" if b"multipart/digest" in kinds else b"text/plain"
            boundaries = dict.fromkeys(
                boundary.rstrip()
                for value in header.all(b"content-type")
                for boundary in tokens(value, b"boundary")
            )
            if not boundaries or not all(0 < len(boundary) <= _BOUNDARY_OCTETS for boundary in boundaries):
                self.complete = False
            for boundary in boundaries:
                if 0 < len(boundary) <= _BOUNDARY_OCTETS:
                    self._multipart(b"--" + boundary, start, end, depth, default)
        if kinds & _MESSAGES and self._may_enter():
            inner = self._header(start, end, _MESSAGE_HEADER_OCTETS, FIELD_LIMIT)
            for subject in inner.all(b"subject"):  # mail programs show it as the attachment's name
                self._judge_text(subject)
            self.entity(inner, start + inner.size, end, depth)

    @contextmanager
    def _content(self, start: int, end: int, encoding: bytes) -> Iterator[int]:
        """Within, the walk is over the decoded content, whose size this gives."""
        content = bytearray(b"\n")  # a boundary is looked for behind a line's end
        for piece in decoded(self._data, start, end, encoding):
            content += piece
            self._decoded_left -= len(piece)
            if self._decoded_left <= 0:
                self.complete = False
                break
        outer, self._data = self._data, content
        was_inside, self._inside_encoded = self._inside_encoded, True
        self._search_left += _SEARCHES * len(content)
        try:
            yield len(content)
        finally:
            self._data, self._inside_encoded = outer, was_inside

    def _judge(self, header: HeaderBlock) -> None:
        """The marks of every name that the fields give, in every reading."""
        if not self._secrecy:
            return
        for field in header.fields:
            if field.name not in _NAMING:
                continue
            value = header.value(field)
            if field.name == b"content-description":
                self._judge_text(value)
                continue
            if not within_bounds(value):
                self.complete = False
            if self._may_bear_a_mark(value):
                self.marks |= {secrecy_mark(name) for name in texts(value, _NAMES)}

    def _judge_text(self, value: bytes) -> None:
        if not self._secrecy:
            return
        if len(value) > VALUE_OCTETS:
            self.complete = False
        if self._may_bear_a_mark(value):
            self.marks.add(field_mark(value))

    def _may_bear_a_mark(self, value: bytes) -> bool:
        """False for what holds none in any reading; the rest is read only so far."""
        if value.isascii() and b"=?" not in value and b"%" not in value and b"*" not in value:
            return False
        self._marked_left -= len(value)
        if self._marked_left < 0:
            self.complete = False
        return self._marked_left >= 0

    def _may_descend(self, depth: int) -> bool:
        if depth < self._depth_limit:
            return True
        self.complete = False
        return False

    def _may_enter(self) -> bool:
        self._parts_left -= 1
        if self._parts_left < 0:
            self.complete = False
        return self._parts_left >= 0

    def _multipart(self, delimiter: bytes, start: int, end: int, depth: int, default: bytes) -> None:
        found = self._delimiter(delimiter, start, end)
        while found is not None:
            _, body, closing = found
            if closing:
                return
            if not self._may_enter():
                return
            found = self._delimiter(delimiter, body, end)
            stop = found[0] if found else end
            header = self._header(body, stop, _PART_HEADER_OCTETS, _FIELDS)
            self.entity(header, body + header.size, stop, depth, default)

    def _header(self, start: int, end: int, limit: int, fields: int) -> HeaderBlock:
        fields = max(0, min(fields, self._fields_left))
        for size in (_SMALL_HEADER_OCTETS, limit):
            header = HeaderBlock.scan(self._data[start : min(end, start + size)], field_limit=fields)
            whole = header.size < size or start + size >= end
            if whole or not header.complete:
                break
        self._fields_left -= len(header.fields)
        if not (whole and header.complete):
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

    def _note_leaf(
        self, header: HeaderBlock, kind: bytes, content_types: list[bytes], start: int, end: int
    ) -> None:
        fields = tuple(
            value[:LEAF_FIELD_OCTETS]
            for value in (*header.all(b"content-disposition")[:4], *content_types[:4])
        )
        text = kind.startswith(b"text/") and not any(_NAMED.search(value) for value in fields)
        if kind.startswith(b"multipart/") or text:
            return
        inside = self._data if isinstance(self._data, bytearray) and self._inside_encoded else None
        encodings, clear = _encodings(header)
        for encoding in encodings:
            self.leaves.append(Leaf(start, end, encoding, kind, fields, inside, clear))

    def _note_content(self, header: HeaderBlock, start: int, end: int) -> None:
        if self._inside_encoded or (self.contents and start < self.contents[-1].end):
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
        return attached


def _encodings(header: HeaderBlock) -> tuple[tuple[bytes, ...], bool]:
    """The encodings that readers may take a part to have, and whether all take the same.

    Readers differ where the field stands twice, and where its value is no word of RFC 2045 6.1.
    """
    given = header.all(b"content-transfer-encoding")
    if not given:
        return (b"",), True
    kinds = [_kind(value) for value in given[:_ENCODING_FIELDS]]
    found = dict.fromkeys(kind for kind in (_STRANGE.sub(b"", kind) for kind in kinds) if kind in ENCODED)
    exact = all(main_value(without_comments(v)) in _ENCODINGS for v in given[:_ENCODING_FIELDS])
    same = len({kind if kind in ENCODED else b"" for kind in kinds}) == 1
    if exact and same and len(given) <= _ENCODING_FIELDS:
        return (kinds[0],), True
    return (*found, b""), False


def _kind(value: bytes) -> bytes:
    """A type or an encoding as lenient readers take it: without comments and spaces."""
    return b"".join(main_value(without_comments(value[:_PART_HEADER_OCTETS])).split())


def _base_name(name: str | None) -> str:
    """The name without path parts of any system, without spaces around it; "" when nothing is left."""
    base = (name or "").replace("\\", "/").rpartition("/")[2].strip()
    return "" if base in {".", ".."} else base[:NAME_CHARACTERS]
