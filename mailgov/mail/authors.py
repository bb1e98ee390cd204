"""The addresses of From and Sender (RFC 5322 3.4), for deciding who claims to have written.

Readers differ in what they make of a malformed From, so a malformed one names nobody for certain,
and whatever may be taken for an address is told. One pass over the value, of bounded length.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from mailgov.mail.address import Address, AddressError
from mailgov.mail.comments import without_comments
from mailgov.mail.encoded_words import readings

AUTHOR_OCTETS = 8192
"""The longest value that is read; RFC 5322 2.1.1 allows 998 in a line, and one From has few mailboxes."""

REMEMBERED_OCTETS = 256
"""The longest value that is read once for many messages."""

NOBODY = frozenset({"", "mailer-daemon", "postmaster"})
"""What stands in the place of an address where a mail server writes without one."""

_MAILBOXES = 200

_TOKEN = re.compile(
    # A quote that never ends takes all that follows: looked for again at each quote, it would cost a square.
    r'(?P<quoted>"(?:[^"\\]|\\.)*+")|(?P<open>"(?:[^"\\]|\\.)*+\\?\Z)|<(?P<angle>[^<>]*+)>'
    r"|(?P<end>[,;])|(?P<group>:)|(?P<comment>\()"
    r'|(?P<text>[^"<>,;:(\s]++|["<>])|\s++',
    re.DOTALL,
)
_COMMENT_EDGE = re.compile(r"\\.|[()]", re.DOTALL)
_LOOSE = re.compile(r" ?([@.]) ?")
_PIECE = re.compile(
    r'(?P<quoted>"(?:[^"\\]|\\.)*+")|(?P<open>")|(?P<comment>\()|(?P<text>[^"(]++)', re.DOTALL
)
_BLANKS = re.compile(r"[ \t]+")
_CFWS = re.compile(r'["( \t]')
_ROUTE = re.compile(r"\A@[^@,:<>\s]+(?:,@[^@,:<>\s]+)*:")  # RFC 5322 4.4: <@one,@two:local@domain>
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_BETWEEN_WORDS = re.compile(r'[\s<>()\[\],;:"\\\ufffd]+')


def author_addresses(value: bytes) -> tuple[str, ...]:
    """The addr-specs of a From or Sender value in look-up form (`Address.key`), in order, each once.

    () when that cannot be said for certain: no address, or something with an @ that is no
    address, a comment or quote that never ends, a control character, a backslash outside quotes,
    or more than anyone writes. So a malformed author never hides behind a good one. What stands
    unquoted beside an address in angle brackets and looks like one counts as well, since readers
    take either. Quoted display names and comments are not read; see `addresses_shown`. Never raises.
    """
    if len(value) > AUTHOR_OCTETS:
        return ()
    return _remembered(value) if len(value) <= REMEMBERED_OCTETS else _read(value)


def _read(value: bytes) -> tuple[str, ...]:
    text = value.decode("utf-8", "surrogateescape")  # never guess a charset in addresses
    if _CONTROL.search(text):
        return ()
    found: dict[str, None] = {}
    try:
        for spec in _specs(text):
            found[Address.parse(spec).key] = None
    except AddressError:
        return ()
    return tuple(found) if len(found) <= _MAILBOXES else ()


_remembered = lru_cache(maxsize=4096)(_read)
"""Who writes once writes again."""


def addresses_shown(value: bytes) -> frozenset[str]:
    """Whatever a person may read as an address anywhere in the value, in look-up form.

    Display names and comments included, encoded or not, in every reading.
    """
    if len(value) > AUTHOR_OCTETS:
        return frozenset()
    texts = [unicodedata.normalize("NFKC", text) for text in readings(value)]
    words = {word.strip("'.") for text in texts for word in _BETWEEN_WORDS.split(text) if "@" in word}
    return frozenset(key for word in words if (key := _key(word)))


def names_no_address(value: bytes) -> bool:
    """Whether a From is one that mail servers write over their own notices: a name, and no address at all.

    `<>`, `<@>`, or MAILER-DAEMON or postmaster without a domain, with or without a display name. Nothing
    in it reads like an address, in any reading, and no other local part is taken, since some readers put
    our own domain behind it. Never raises.
    """
    bare = value.replace(b"<@>", b"<>")
    if len(value) > AUTHOR_OCTETS or any(
        "@" in unicodedata.normalize("NFKC", text) or _CONTROL.search(text.strip("\r\n"))
        for text in readings(bare)
    ):
        return False
    try:
        specs = _specs(bare.decode("utf-8", "surrogateescape"))
    except AddressError:
        return False
    specs = specs or [without_comments(bare).decode("ascii", "replace").strip() or "nothing"]
    return len(specs) == 1 and specs[0].strip('" \t\r\n').lower() in NOBODY


def _key(word: str) -> str | None:
    try:
        address = Address.parse(word)
    except AddressError:
        return None
    return address.key if "." in address.domain else None


def _specs(text: str) -> list[str]:
    """What may be an addr-spec of each mailbox; raises AddressError for what no grammar has."""
    specs: list[str] = []
    mailbox = _Mailbox()
    position = 0
    while match := _TOKEN.match(text, position):
        position = match.end()
        kind = match.lastgroup
        if kind == "angle":
            mailbox.angles.append(_ROUTE.sub("", _without_cfws(match["angle"])))
        elif kind == "comment":
            position = _after_comment(text, position)
        elif kind in ("end", "group"):
            specs += mailbox.specs()
            mailbox = _Mailbox()
        elif kind == "open" or (kind == "text" and "\\" in match[0]):
            raise AddressError("a quote that never ends, or a backslash outside quotes")
        elif kind is not None:
            mailbox.words.append(match[0])
    return specs + mailbox.specs()


class _Mailbox:
    """One mailbox, or a group's name, as its words come."""

    def __init__(self) -> None:
        self.angles: list[str] = []
        self.words: list[str] = []

    def specs(self) -> list[str]:
        """In angle brackets, or bare; obsolete syntax allows space around @ and dots."""
        if not any("@" in word for word in self.words):
            return self.angles
        if self.angles:
            bare = " ".join(
                word if not word.startswith('"') or "@" not in word else "" for word in self.words
            )
            return self.angles + [word for word in _LOOSE.sub(r"\1", bare).split() if "@" in word]
        if len(self.words) == 1 and self.words[0].startswith('"'):
            raise AddressError("a name alone that reads like an address")
        return [_LOOSE.sub(r"\1", " ".join(self.words))]


def _without_cfws(angle: str) -> str:
    """What stands in angle brackets, without the comments and blanks that may stand around each of its
    words (RFC 5322 3.2.2, 3.4.1); a blank within a word stays. Raises AddressError as `_specs` does.
    """
    if not _CFWS.search(angle):
        return angle.strip()
    pieces = [""]  # every second one is quoted, and stays as it is
    position = 0
    while match := _PIECE.match(angle, position):
        position = match.end()
        if match.lastgroup == "open":
            raise AddressError("a quote that never ends")
        if match.lastgroup == "quoted":
            pieces += [match[0], ""]
        elif match.lastgroup == "comment":
            position = _after_comment(angle, position)
            pieces[-1] += " "
        else:
            pieces[-1] += match[0]
    pieces[::2] = [_LOOSE.sub(r"\1", _BLANKS.sub(" ", piece)) for piece in pieces[::2]]
    return "".join(pieces).strip()


def _after_comment(text: str, position: int) -> int:
    """The offset after the comment that was opened; comments nest (RFC 5322 3.2.2)."""
    depth = 1
    for edge in _COMMENT_EDGE.finditer(text, position):
        if edge[0] == "(":
            depth += 1
        elif edge[0] == ")":
            depth -= 1
            if not depth:
                return edge.end()
    raise AddressError("a comment that never ends")
