"""Text of unstructured header fields: encoded-words (RFC 2047) and raw 8-bit."""

from __future__ import annotations

import binascii
import re

from mailgov.mail.charsets import decode_charset, decode_unlabelled
from mailgov.mail.text import one_line

TEXT_CHARACTERS = 4096
"""The longest decoded text; a subject of a page and a half."""

_VALUE_OCTETS = 65_536  # what is read of one value

_WORD = re.compile(rb"=\?([^\s?*=]{1,40})(?:\*[^\s?]{0,40})?\?([bBqQ])\?([^?\r\n]*)\?=")


def decode_text(value: bytes, *, limit: int = TEXT_CHARACTERS) -> str:
    """A field's value as one line of text in NFC, at most `limit` characters; never raises.

    The bytes of adjacent words of one charset are joined before they are decoded, since
    clients cut a character in two. Raw bytes are UTF-8, else windows-1258, else Latin-1; a
    charset nobody knows is tried as UTF-8, then read as Latin-1.
    """
    value = value[:_VALUE_OCTETS]
    if b"=?" not in value:
        return one_line(decode_unlabelled(value), limit)
    pieces: list[str] = []
    charset, joined = "", b""
    position = 0
    for match in _WORD.finditer(value):
        between = value[position : match.start()]
        adjacent = position > 0 and not between.strip(b" \t\r\n")
        name = match[1].decode("latin-1").lower()
        if not (adjacent and name == charset):
            if charset:
                pieces.append(decode_charset(joined, charset))
            if not adjacent and between:
                pieces.append(decode_unlabelled(between))
            charset, joined = name, b""
        joined += _octets(match[2], match[3])
        position = match.end()
    if charset:
        pieces.append(decode_charset(joined, charset))
    pieces.append(decode_unlabelled(value[position:]))
    return one_line("".join(pieces), limit)


def _octets(encoding: bytes, text: bytes) -> bytes:
    if encoding in b"qQ":
        return binascii.a2b_qp(text, header=True)
    text = text.rstrip(b"=")
    try:
        return binascii.a2b_base64(text + b"==")
    except binascii.Error:  # a lone character at the end carries no whole octet
        try:
            return binascii.a2b_base64(text[:-1] + b"==")
        except binascii.Error:
            return b""


_WORD_OCTETS = 45  # in base64 60 characters: with `=?utf-8?B?` and `?=` under the 75 of RFC 2047 2


def encode_text(text: str) -> str:
    """The text for a header field: itself when it is ASCII, else encoded-words in folded lines.

    Control characters go first, so nothing in `text` can begin another field.
    """
    clean = one_line(text, TEXT_CHARACTERS)
    if clean.isascii() and "=?" not in clean:
        return clean
    words: list[str] = []
    chunk = b""
    for character in clean:
        octets = character.encode()
        if len(chunk) + len(octets) > _WORD_OCTETS:
            words.append(_encoded(chunk))
            chunk = b""
        chunk += octets
    return "\r\n ".join([*words, _encoded(chunk)])


def _encoded(octets: bytes) -> str:
    return f"=?utf-8?B?{binascii.b2a_base64(octets, newline=False).decode()}?="
