"""The addresses of From and Sender (RFC 5322 3.4), for deciding who claims to have written."""

from __future__ import annotations

import re

from mailgov.mail.address import Address, AddressError

_VALUE_OCTETS = 16_384
_MAILBOXES = 200

_TOKEN = re.compile(
    # A quote that never ends takes all that follows: looked for again at each quote, it would cost a square.
    r'(?P<quoted>"(?:[^"\\]|\\.)*+(?:"|\\?\Z))|<(?P<angle>[^<>]*+)>|(?P<end>[,;])|(?P<group>:)|(?P<comment>\()'
    r'|(?P<text>[^"<>,;:(\s]++|["<>])|\s++',
    re.DOTALL,
)
_COMMENT_EDGE = re.compile(r"\\.|[()]", re.DOTALL)
_LOOSE = re.compile(r" ?([@.]) ?")
_ROUTE = re.compile(r"@[^:<>]*:")  # RFC 5322 4.4: <@one,@two:local@domain>


def author_addresses(value: bytes) -> tuple[str, ...]:
    """The addr-specs of a From or Sender value in look-up form (`Address.key`), in order, each once.

    () when that cannot be said for certain: no address, or something with an @ that is no
    address, or more mailboxes than anyone writes for. So a malformed author never hides
    behind a good one. Display names and comments are never read as addresses. Never raises.
    """
    if len(value) > _VALUE_OCTETS:
        return ()
    try:
        text = value.decode("utf-8", "surrogateescape")  # never guess a charset in addresses
    except UnicodeDecodeError:
        return ()
    found: dict[str, None] = {}
    for spec in _specs(text):
        try:
            found[Address.parse(spec).key] = None
        except AddressError:
            return ()
        if len(found) > _MAILBOXES:
            return ()
    return tuple(found)


def _specs(text: str) -> list[str]:
    """What stands where an addr-spec belongs: inside each <>, or a mailbox without any."""
    specs: list[str] = []
    bare: list[str] = []
    angles = 0
    position = 0
    while match := _TOKEN.match(text, position):
        position = match.end()
        kind = match.lastgroup
        if kind == "angle":
            specs.append(_ROUTE.sub("", match["angle"], count=1).strip())
            angles += 1
        elif kind == "comment":
            position = _after_comment(text, position)
        elif kind in ("end", "group"):
            specs.extend(_bare(bare, angles))
            bare, angles = [], 0
        elif kind is not None:
            bare.append(match[0])
    specs.extend(_bare(bare, angles))
    return specs


def _bare(words: list[str], angles: int) -> list[str]:
    """The mailbox without angle brackets; obsolete syntax allows space around @ and dots."""
    spec = _LOOSE.sub(r"\1", " ".join(words))
    only_a_name = len(words) == 1 and spec.startswith('"')
    return [spec] if "@" in spec and not angles and not only_a_name else []


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
    return len(text)
