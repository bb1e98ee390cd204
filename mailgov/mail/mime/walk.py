"""The walk through a message's parts, in every reading of their boundaries and encodings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mailgov.mail.headers import FIELD_LIMIT, HeaderBlock
from mailgov.mail.mime.found import Leaf, MimeLook
from mailgov.mail.mime.marks import Marks
from mailgov.mail.mime.notes import SIGNATURE_ORDER, SIGNATURE_TYPES, Notes
from mailgov.mail.mime.readings import PART_HEADER_OCTETS, encodings_of, kind_of
from mailgov.mail.mime.search import Search
from mailgov.mail.parameters import main_value, parameters, token, tokens
from mailgov.mail.secrecy import highest
from mailgov.mail.transfer import ENCODED, Data, decoded

PART_LIMIT = 1000
DEPTH_LIMIT = 50
NAME_LIMIT = 200

# No bound is one that everyday mail comes near: our own people's mail is refused where one is met.
_MESSAGE_HEADER_OCTETS = 262_144  # as the setting header_limit_bytes for a message of its own
_SMALL_HEADER_OCTETS = 4096  # what is copied of a part at first
_FIELDS = 1000  # fields read of one part's header
_ALL_FIELDS = 200_000  # fields of all parts together
_DECODED_OCTETS = 1 << 24  # of messages and multiparts that are encoded, decoded at all
_BOUNDARY_OCTETS = 1000  # RFC 2046 5.1.1 allows 70

_MESSAGES = frozenset({b"message/rfc822", b"message/global"})


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
    walk = Walk(data, part_limit, depth_limit, name_limit)
    notes = walk.notes
    if header.count(b"dkim-signature"):
        notes.signatures.add("dkim")
    walk.entity(header, header.size, len(data), 0)
    return MimeLook(
        tuple(notes.names),
        tuple(kind for kind in SIGNATURE_ORDER if kind in notes.signatures),
        notes.attachments,
        walk.complete and header.complete,
        highest(list(walk.marks.found)),
        tuple(notes.contents),
        tuple(notes.leaves),
    )


def leaves_of(data: Data, *, header: HeaderBlock, part_limit: int) -> tuple[tuple[Leaf, ...], bool]:
    """The leaves of a message as `look` finds them, and whether it was seen whole; never raises.

    No marks of secrecy are looked for, which cost the most.
    """
    walk = Walk(data, part_limit, DEPTH_LIMIT, 0, secrecy=False)
    walk.entity(header, header.size, len(data), 0)
    return tuple(walk.notes.leaves), walk.complete and header.complete


class Walk:
    """One message; the bounds are those of `look`."""

    def __init__(
        self, data: Data, part_limit: int, depth_limit: int, name_limit: int, *, secrecy: bool = True
    ) -> None:
        self.search, self.marks, self.notes = Search(data), Marks(wanted=secrecy), Notes(name_limit)
        self._complete = True
        self._parts_left = part_limit
        self._depth_limit = depth_limit
        self._fields_left = _ALL_FIELDS
        self._decoded_left = _DECODED_OCTETS
        self._inside: bytearray | None = None
        """The decoded content that the walk is in."""

    @property
    def complete(self) -> bool:
        return self._complete and self.search.complete and self.marks.complete

    def entity(
        self, header: HeaderBlock, start: int, end: int, depth: int, default: bytes = b"text/plain"
    ) -> None:
        """One message or part: its header, and its body in data[start:end]."""
        self.marks.judge(header)
        content_types = header.all(b"content-type")
        content_type = content_types[0] if content_types else b""
        kind = main_value(content_type) or default
        type_parameters = parameters(content_type)
        self.notes.signature(kind, type_parameters)
        message = depth > 0 and kind.startswith(b"message/rfc822")
        self.notes.leaf(header, kind, content_types, start, end, self._inside)
        leaf = not kind.startswith(b"multipart/") and kind not in SIGNATURE_TYPES
        if leaf and self.notes.attachment(header, type_parameters, message) and self._inside is None:
            self.notes.content(header, start, end)
        kinds = {kind, *(kind_of(value) for value in content_types)}
        if b"message/partial" in kinds and token(type_parameters, b"number") == b"1":
            kinds.add(b"message/rfc822")  # the first part begins with the header of the whole
        multipart = any(kind.startswith(b"multipart/") for kind in kinds)
        if (multipart or kinds & _MESSAGES) and self._may_descend(depth):
            self._descend(header, kinds, start, end, depth + 1)
            # RFC 2045 6.4 forbids it, some clients do it for messages, and readers undo it. Once:
            # what is encoded inside what is encoded no reader unpacks.
            encodings, _ = encodings_of(header)
            for encoding in sorted(ENCODED.intersection(encodings))[: 0 if self._inside is not None else 1]:
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
                self._complete = False
            for boundary in boundaries:
                if 0 < len(boundary) <= _BOUNDARY_OCTETS:
                    self._multipart(b"--" + boundary, start, end, depth, default)
        if kinds & _MESSAGES and self._may_enter():
            inner = self._header(start, end, _MESSAGE_HEADER_OCTETS, FIELD_LIMIT)
            for subject in inner.all(b"subject"):  # mail programs show it as the attachment's name
                self.marks.judge_text(subject)
            self.entity(inner, start + inner.size, end, depth)

    @contextmanager
    def _content(self, start: int, end: int, encoding: bytes) -> Iterator[int]:
        """Within, the walk is over the decoded content, whose size this gives."""
        content = bytearray(b"\n")  # a boundary is looked for behind a line's end
        for piece in decoded(self.search.data, start, end, encoding):
            content += piece
            self._decoded_left -= len(piece)
            if self._decoded_left <= 0:
                self._complete = False
                break
        outer, self.search.data = self.search.data, content
        was_inside, self._inside = self._inside, content
        self.search.allow(len(content))
        try:
            yield len(content)
        finally:
            self.search.data, self._inside = outer, was_inside

    def _may_descend(self, depth: int) -> bool:
        if depth < self._depth_limit:
            return True
        self._complete = False
        return False

    def _may_enter(self) -> bool:
        self._parts_left -= 1
        if self._parts_left < 0:
            self._complete = False
        return self._parts_left >= 0

    def _multipart(self, delimiter: bytes, start: int, end: int, depth: int, default: bytes) -> None:
        found = self.search.next_line(delimiter, start, end)
        while found is not None:
            _, body, closing = found
            if closing:
                return
            if not self._may_enter():
                return
            found = self.search.next_line(delimiter, body, end)
            stop = found[0] if found else end
            header = self._header(body, stop, PART_HEADER_OCTETS, _FIELDS)
            self.entity(header, body + header.size, stop, depth, default)

    def _header(self, start: int, end: int, limit: int, fields: int) -> HeaderBlock:
        fields = max(0, min(fields, self._fields_left))
        for size in (_SMALL_HEADER_OCTETS, limit):
            header = HeaderBlock.scan(self.search.data[start : min(end, start + size)], field_limit=fields)
            whole = header.size < size or start + size >= end
            if whole or not header.complete:
                break
        self._fields_left -= len(header.fields)
        if not (whole and header.complete):
            self._complete = False
        return header
