"""Text of unstructured header fields: encoded-words (RFC 2047) and raw 8-bit."""

from __future__ import annotations

import binascii
import re
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from mailgov.mail.charsets import decode_charset, decode_unlabelled
from mailgov.mail.text import one_line

TEXT_CHARACTERS = 4096
"""The longest decoded text; a subject of a page and a half."""

VALUE_OCTETS = 65_536
"""What is read of one value."""

_WORD = re.compile(rb"=\?([^\s?*=]{1,40})(?:\*[^\s?]{0,40})?\?([bBqQ])\?([^?\r\n]*)\?=")


def decode_text(value: bytes, *, limit: int = TEXT_CHARACTERS) -> str:
    """A field's value as one line of text in NFC, at most `limit` characters; never raises.

    The bytes of adjacent words of one charset are joined before they are decoded, since
    clients cut a character in two. Raw bytes are UTF-8, else windows-1258, else Latin-1; a
    charset nobody knows is tried as UTF-8, then read as Latin-1.
    """
    value = value[:VALUE_OCTETS]
    if b"=?" not in value:
        return one_line(decode_unlabelled(value), limit)
    return one_line("".join(piece.text() for piece in _pieces(value)), limit)


def readings(value: bytes) -> tuple[str, ...]:
    """Every text that a reader may show for the value, the likeliest first; raw, not in one line.

    More than one only where readers differ: bytes that are not the charset they are said to be
    in, or base64 that was cut inside a quantum. Readers join such words, or guess, or put a
    replacement for each faulty byte; what must not be hidden is judged on all of them.
    """
    pieces = _pieces(value[:VALUE_OCTETS])
    likeliest = "".join(piece.text() for piece in pieces)
    if not any(piece.doubtful for piece in pieces):
        return (likeliest,)
    as_labelled = "".join(piece.text(raw="utf-8", joined=True) for piece in pieces)
    as_utf8 = "".join(piece.text(raw="utf-8", words="utf-8") for piece in pieces)
    as_joined_utf8 = "".join(piece.text(raw="cp1258", words="utf-8", joined=True) for piece in pieces)
    return tuple(dict.fromkeys((likeliest, as_labelled, as_utf8, as_joined_utf8)))


class _Piece(NamedTuple):
    """Raw octets (`charset` ""), or the octets of adjacent words of one charset.

    `joined`: the same with the base64 of adjacent words joined before it is decoded.
    """

    charset: str
    octets: bytes
    joined: bytes

    @property
    def doubtful(self) -> bool:
        if self.joined != self.octets:
            return True
        if self.octets.isascii():
            return False
        if self.charset not in {"", "utf-8", "utf8"}:
            return True
        try:
            self.octets.decode()
        except UnicodeDecodeError:
            return True
        return False

    def text(self, *, raw: str = "", words: str = "", joined: bool = False) -> str:
        """The text; raw octets and those of words in the given charsets, "" as is likeliest."""
        if not self.charset:
            return self.octets.decode(raw, "replace") if raw else decode_unlabelled(self.octets)
        return decode_charset(self.joined if joined else self.octets, words or self.charset)


def _pieces(value: bytes) -> list[_Piece]:
    pieces: list[_Piece] = []
    charset, run = "", list[tuple[bytes, bytes]]()
    position = 0
    for match in _WORD.finditer(value):
        between = value[position : match.start()]
        adjacent = position > 0 and not between.strip(b" \t\r\n")
        name = match[1].decode("latin-1").lower()
        if not (adjacent and name == charset):
            if run:
                pieces.append(_of_words(charset, run))
            if not adjacent and between:
                pieces.append(_Piece("", between, between))
            charset, run = name, []
        run.append((match[2].upper(), match[3]))
        position = match.end()
    if run:
        pieces.append(_of_words(charset, run))
    rest = value[position:]
    return [*pieces, _Piece("", rest, rest)] if rest else pieces


def _of_words(charset: str, run: list[tuple[bytes, bytes]]) -> _Piece:
    octets = b"".join(_octets(encoding, text) for encoding, text in run)
    cut = any(encoding == b"B" and len(text.translate(None, b" \t")) % 4 for encoding, text in run[:-1])
    if not cut:
        return _Piece(charset, octets, octets)
    parts = [
        _octets(
            encoding, b"".join(text.replace(b"=", b"") if encoding == b"B" else text for _, text in words)
        )
        for encoding, words in groupby(run, key=itemgetter(0))
    ]
    return _Piece(charset, octets, b"".join(parts))


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
