"""What is risky in what a message carries: a walk over its parts, bounded in depth, number and octets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mailgov.mail.events import ATTACHMENT_RISKS
from mailgov.mail.files import kinds, office, packed, parts, zips
from mailgov.mail.files.names import (
    DOCUMENTS,
    IMAGES,
    PROGRAMS,
    deceives,
    extensions,
    is_script,
    packs,
    readings,
)
from mailgov.mail.files.risky import RiskyPart, shown_name
from mailgov.mail.files.source import Octets, Source, of_bytes, of_compressed
from mailgov.mail.mime import Data, Leaf, MimeLook
from mailgov.mail.mime.found import LEAF_FIELD_OCTETS
from mailgov.mail.parameters import parameters, text, texts

DEPTH_LIMIT = 3
"""Archives inside archives that are opened; a document with an archive in it counts as one."""
FILES_LIMIT = 5000
"""Files looked at in one message, those in archives included."""
INFLATED_OCTETS = 1 << 25
"""What is unpacked of one message's archives in all, to be looked into in its turn: 32 MB."""
ONE_OCTETS = 1 << 24
"""Of that, for one file; one that is larger costs as much."""
OPENING_OCTETS = 1 << 18
"""Of that, what each archive costs at least; opening a thousand tiny ones is dear too."""
STREAM_OCTETS = 1 << 20
"""Of that, what a compressed stream costs at least: a block of bzip2 is undone as a whole."""
NAMING_OCTETS = 1 << 20
"""Of fields that name parts, in one message: everyday ones take a hundred octets each."""
SKIPPED_OCTETS = 1 << 26
"""Encoded octets, in one message, that are read in search of where the parts begin."""
SEARCHED_OCTETS = 1 << 27
"""Encoded octets, in one message, that are decoded in search of a zip at a part's end."""
DECLARED_OCTETS = 1 << 30
"""What the files of one archive may come to by its own word before it is called too large."""
UNBOUNDED = 1 << 62
"""An attachment itself is bounded by the size of the message."""
CONTENT_TYPES_OCTETS = 1 << 20
"""The list of a document's parts; those of a thousand parts have 150 KB."""
_CONTENT_TYPES = "[content_types].xml"
_NAMES = frozenset({b"filename", b"name"})
_MACRO_FOLDERS = ("xl/macrosheets/", "basic/script-", "scripts/python/")
_DOCUMENT_TYPES = (b"image/", b"audio/", b"video/", b"application/pdf", b"application/msword")
_SHOWN = DOCUMENTS - {"7z", "eml", "gz", "rar", "zip"}
_CONTAINERS = frozenset({kinds.ZIP, kinds.RAR, kinds.SEVEN_ZIP, kinds.TAR})
_RISKY = {kinds.SCRIPT: "script", kinds.MACRO: "macro"}
_STREAMS = frozenset({kinds.GZIP, kinds.BZIP2, kinds.XZ})


def attachment_risks(data: Data, seen: MimeLook) -> tuple[str, ...]:
    """The kinds of `mail.events.ATTACHMENT_RISKS` that a message's parts are, each once.

    Costs as `look_at_attachments`.
    """
    return look_at_attachments(data, seen)[0]


def look_at_attachments(data: Data, seen: MimeLook) -> tuple[tuple[str, ...], tuple[RiskyPart, ...]]:
    """The kinds of `mail.events.ATTACHMENT_RISKS` that a message's parts are, each once; and which parts.

    What was not seen whole for its bounds has no part. Costs CPU: not on the event loop. Memory: the
    largest archive whole, and `INFLATED_OCTETS`.
    """
    walk = _Walk()
    every: set[str] = set() if seen.complete else {"nested"}
    # Several leaves are one part where readers differ in how it is encoded.
    found: dict[tuple[int, int, int], tuple[set[str], str]] = {}
    for leaf in seen.leaves:
        walk.risks = set()
        walk.leaf(data, leaf, 0)
        every |= walk.risks
        listed, name = _listed(leaf) if walk.may_name else (True, "")
        if walk.risks or listed:  # no mere text of the letter
            risks, _ = found.setdefault((id(leaf.inside), leaf.start, leaf.end), (set(), name))
            risks |= walk.risks
    return _in_order(every), tuple(
        RiskyPart(position, len(found), _in_order(risks), shown_name(name))
        for position, (risks, name) in enumerate(found.values(), start=1)
        if risks
    )


def _listed(leaf: Leaf) -> tuple[bool, str]:
    """Whether mail programs list the part as an attachment, and under which name (RFC 2183, 2231)."""
    read = [parameters(value) for value in leaf.fields]
    names = (text(one, name, LEAF_FIELD_OCTETS) for name in (b"filename", b"name") for one in read)
    name = next(filter(None, names), "")
    marked = any(value.lstrip().lower().startswith(b"attachment") for value in leaf.fields)
    return bool(name) or marked or leaf.kind.startswith(b"message/"), name


def _in_order(risks: set[str]) -> tuple[str, ...]:
    return tuple(risk for risk in ATTACHMENT_RISKS if risk in risks)


@dataclass(slots=True)
class _Room:
    """What may still be done for this message."""

    files: int = FILES_LIMIT
    octets: int = INFLATED_OCTETS
    naming: int = NAMING_OCTETS
    searched: int = SEARCHED_OCTETS
    skipped: int = SKIPPED_OCTETS


class _Walk:
    def __init__(self) -> None:
        self.risks: set[str] = set()
        self._room = _Room()

    @property
    def may_name(self) -> bool:
        """Whether names may still be read: they cost."""
        return self._room.naming >= 0

    def leaf(self, data: Data, leaf: Leaf, depth: int) -> None:
        """One part of the message, or of one that is attached to it as a file."""
        source, spent = parts.of_leaf(data, leaf, self._room.skipped)
        self._room.skipped -= spent
        odd = not leaf.clear or parts.pads_inside(data, leaf)
        if self._room.skipped <= 0 or (odd and source.head.strip()):
            self.risks.add("nested")
        # An attached message may be named after what it is about, such as a host or "Node.js".
        attached = leaf.kind.startswith(b"message/") and kinds.is_message(source.head)
        names = () if attached else self.names(leaf)
        walked = parts.was_walked(leaf)
        self.file(names, source, depth, leaf.kind, walked=walked)
        if not walked:
            self._behind(data, leaf, names, source, depth)

    def _behind(self, data: Data, leaf: Leaf, names: Iterable[str], source: Source, depth: int) -> None:
        """A zip behind something else: programs that unpack find it from its end."""
        kind = kinds.kind_of(source.head)
        shown = {next(iter(extensions(name)), "") for name in names}
        if kind in {kinds.ZIP, kinds.PROGRAM} or (kind in {None, kinds.TEXT} and "zip" in shown):
            return  # has been opened, or need not be
        self._room.searched -= leaf.end - leaf.start
        if self._room.searched < 0:
            self.risks.add("nested")
            return
        if not parts.ends_like_zip(data, leaf):
            return
        whole = self._whole(source, kinds.ZIP, depth) if depth < DEPTH_LIMIT else None
        if whole is None:
            self.risks.add("nested")
        elif zips.is_archive(whole):
            pretends = shown & _SHOWN or leaf.kind.startswith(_DOCUMENT_TYPES) or kinds.is_shown(source.head)
            # Documents of the older form, and PDF, may hold a zip inside; behind it they go on.
            if pretends and kind != kinds.OLE and zips.ends_with_archive(whole):
                self.risks.add("disguised")
            self._archive(kinds.ZIP, whole, depth)

    def names(self, leaf: Leaf) -> frozenset[str]:
        """Every name that a part may be shown under."""
        self._room.naming -= sum(map(len, leaf.fields))
        if self._room.naming < 0:
            self.risks.add("nested")
            return frozenset()
        return frozenset(name for value in leaf.fields for name in texts(value, _NAMES))

    def file(
        self,
        names: Iterable[str],
        source: Source,
        depth: int,
        declared: bytes = b"",
        *,
        walked: bool = False,
    ) -> None:
        """One file under all names that it may have; `walked` where its parts are looked at anyway."""
        self._room.files -= 1
        if self._room.files < 0:
            self.risks.add("nested")
            return
        kind = kinds.kind_of(source.head) if source.head else None
        every = [reading for name in names for reading in readings(name)]
        self._judge_names(every, kind)
        if kind in {None, kinds.TEXT} and any(extensions(name)[:1] == ("zip",) for name in every):
            kind = kinds.ZIP  # something may stand before an archive
        if kind == kinds.PROGRAM:
            self._program(every, declared)
        elif kind in _RISKY:
            self.risks.add(_RISKY[kind])
        elif kind is not None and kind != kinds.TEXT:
            self._open(every, kind, source, depth, declared)
        else:
            self._plain(every, source, depth, declared, walked=walked)

    def _plain(self, every: list[str], source: Source, depth: int, declared: bytes, *, walked: bool) -> None:
        """What begins like nothing that is known, or as text."""
        if source.head and (packs(every) or (every and kinds.is_uuencoded(source.head))):
            self.risks.add("nested")
        if kinds.is_flat_document(source.head):
            whole = self._whole(source, kinds.TEXT, max(depth, 1))
            if whole is None:
                self.risks.add("nested")
            elif kinds.has_flat_macros(bytes(whole)):
                self.risks.add("macro")
        elif not walked and source.head and parts.may_be_message(every, source.head, declared):
            self._message(source, depth)

    def _message(self, source: Source, depth: int) -> None:
        """A message that came as a file, or inside what is encoded twice."""
        whole = self._whole(source, kinds.TEXT, depth) if depth < DEPTH_LIMIT else None
        if whole is None:
            self.risks.add("nested")
            return
        self._room.octets -= 0 if depth else OPENING_OCTETS
        data, leaves, complete = parts.look_inside(whole)
        if not complete:
            self.risks.add("nested")
        for leaf in leaves:
            self.leaf(data, leaf, depth + 1)

    def _judge_names(self, names: list[str], kind: str | None) -> None:
        for name in names:
            last = next(iter(extensions(name)), "")
            if last == "com" and kind is not None and kind != kinds.PROGRAM:
                continue  # what reads as a text or a document and is named after a host
            if last in PROGRAMS:
                self.risks.add("executable")
            elif is_script(last):
                self.risks.add("script")
            elif last in IMAGES:
                self.risks.add("nested")
            if deceives(name):
                self.risks.add("double-extension")

    def _program(self, names: list[str], declared: bytes) -> None:
        self.risks.add("executable")
        shown = {next(iter(extensions(name)), "") for name in names}
        if shown & DOCUMENTS or (not shown & PROGRAMS and declared.startswith(_DOCUMENT_TYPES)):
            self.risks.add("disguised")

    def _open(self, names: list[str], kind: str, source: Source, depth: int, declared: bytes) -> None:
        if kind == kinds.CLOSED or depth >= DEPTH_LIMIT:
            self.risks.add("nested")
            return
        whole = self._whole(source, kind, depth)
        if whole is None:
            self.risks.add("nested")
        elif kind == kinds.OLE:
            found = office.look_into(whole, self._room.files)
            self._room.files -= found.entries
            self._document(names, found, depth, declared)
        elif kind in _STREAMS:
            inner = [name.rpartition(".")[0] or name for name in names]
            self.file(inner, of_compressed(whole, kind), depth + 1)
        elif kind == kinds.SEVEN_ZIP:
            self.risks.add("encrypted" if packed.seven_zip_encrypted(whole) else "nested")
        elif kind in _CONTAINERS:
            self._archive(kind, whole, depth)

    def _whole(self, source: Source, kind: str, depth: int) -> Octets | None:
        """All of an archive, paid for out of the room: what comes as it is costs only the opening."""
        limit = UNBOUNDED if depth == 0 else min(self._room.octets, ONE_OCTETS)
        if self._room.octets <= 0:
            return None
        whole = source.whole(limit)
        self._room.octets -= STREAM_OCTETS if kind in _STREAMS else OPENING_OCTETS if depth else 0
        if depth > 0:
            self._room.octets -= limit if whole is None else len(whole)
        return whole

    def _document(self, names: list[str], found: office.Ole, depth: int, declared: bytes) -> None:
        if found.installer:
            self._program(names, declared)
        for risk, there in (
            ("macro", found.macro),
            ("encrypted", found.encrypted),
            ("nested", not found.complete),
        ):
            if there:
                self.risks.add(risk)
        for name, source in found.inside:
            self.file([name], source, depth + 1)

    def _archive(self, kind: str, whole: Octets, depth: int) -> None:
        readers = {kinds.ZIP: zips.members, kinds.TAR: packed.tar_members, kinds.RAR: packed.rar_members}
        declared = 0
        try:
            for member in readers[kind](whole):
                declared += member.size
                if declared > DECLARED_OCTETS:
                    self.risks.add("nested")
                self._member(kind, member, depth)
                if self._room.files < 0:
                    self.risks.add("nested")
                    return
        except zips.NotReadable:
            self.risks.add("nested")

    def _content_types(self, source: Source) -> None:
        """Office tells the parts of a document by this list, whatever they are called (ECMA-376-2 10.1.2)."""
        whole = source.whole(min(CONTENT_TYPES_OCTETS, max(0, self._room.octets)))
        if whole is None:
            self.risks.add("nested")
            return
        self._room.octets -= len(whole)
        if kinds.names_macros(bytes(whole)):
            self.risks.add("macro")

    def _member(self, kind: str, member: zips.Member, depth: int) -> None:
        name = member.name.lower()
        if name == _CONTENT_TYPES and member.source is not None:
            self._content_types(member.source)
        if name.endswith("vbaproject.bin") or name.startswith(_MACRO_FOLDERS):
            self.risks.add("macro")
        if member.encrypted:
            self.risks.add("encrypted")
        if member.folder:
            self._room.files -= 1
        else:
            if member.source is None and not member.encrypted and (kind == kinds.ZIP or packs(member.names)):
                self.risks.add("nested")
            self.file(member.names, member.source or of_bytes(b""), depth + 1)
