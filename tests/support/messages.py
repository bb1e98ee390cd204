"""Raw messages as real clients send them: bytes with CRLF line ends, built by hand where it matters."""

from __future__ import annotations

import base64
import random
import unicodedata
from functools import cache

DATE = "Mon, 02 Nov 2026 08:15:00 +0700"
VIETNAMESE_SUBJECT = "Giấy mời họp giao ban tháng 11 – Sở Thông tin và Truyền thông"
VIETNAMESE_TEXT = "Kính gửi: Ủy ban nhân dân các xã, phường.\r\nĐề nghị các đồng chí dự họp đúng giờ.\r\n"
MEBIBYTE = 1024 * 1024


def crlf(text: str) -> bytes:
    """The text in UTF-8 with every line end as CRLF."""
    return "\r\n".join(text.splitlines()).encode() + b"\r\n"


def encoded_word(text: str, encoding: str = "B", limit: int = 75) -> str:
    """RFC 2047 encoded-words of UTF-8, folded; a character is never cut in two."""
    room = limit - len("=?UTF-8?B??=")
    words: list[str] = []
    chunk = b""
    for character in text:
        octets = character.encode()
        size = len(base64.b64encode(chunk + octets)) if encoding == "B" else 3 * len(chunk + octets)
        if size > room:
            words.append(_word(chunk, encoding))
            chunk = b""
        chunk += octets
    return "\r\n ".join([*words, _word(chunk, encoding)])


def _word(octets: bytes, encoding: str) -> str:
    if encoding == "B":
        return f"=?UTF-8?B?{base64.b64encode(octets).decode()}?="
    return "=?UTF-8?Q?" + "".join(f"={octet:02X}" for octet in octets) + "?="


def headers(reverse_path: str, to: str, subject: str, *more: str, message_id: str | None = None) -> bytes:
    """A header block without its empty line; `subject` is taken as it is."""
    lines = [
        f"From: <{reverse_path}>",
        f"To: <{to}>",
        f"Subject: {subject}",
        f"Date: {DATE}",
        f"Message-ID: <{message_id or f'{random.getrandbits(64):016x}@client.test'}>",
        "MIME-Version: 1.0",
        *more,
    ]
    return "\r\n".join(lines).encode() + b"\r\n"


def plain(
    reverse_path: str,
    to: str,
    *,
    subject: str = "Weekly schedule",
    text: str = "Dear colleague,\r\n.\r\n..a line that starts with dots\r\nRegards.\r\n",
    message_id: str | None = None,
) -> bytes:
    """A text/plain message; its default body needs dot-stuffing (RFC 5321 4.5.2)."""
    head = headers(
        reverse_path,
        to,
        subject if subject.isascii() else encoded_word(subject),
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
        message_id=message_id,
    )
    return head + b"\r\n" + text.encode()


def html(
    reverse_path: str, to: str, *, subject: str = VIETNAMESE_SUBJECT, form: str = "NFC", encoding: str = "B"
) -> bytes:
    """HTML beside plain text, with a Vietnamese subject in RFC 2047 words; `form` is NFC or NFD."""
    page = f'<html><body lang="vi"><p>{VIETNAMESE_TEXT}</p></body></html>'.encode()
    normal = unicodedata.normalize("NFD" if form == "NFD" else "NFC", subject)
    head = headers(
        reverse_path,
        to,
        encoded_word(normal, encoding),
        'Content-Type: multipart/alternative; boundary="=_alt"',
    )
    parts = [
        _part("text/plain; charset=utf-8", VIETNAMESE_TEXT.encode()),
        _part("text/html; charset=utf-8", page),
    ]
    return head + _multipart("=_alt", parts)


def _part(content_type: str, data: bytes, *more: str) -> bytes:
    fields = [f"Content-Type: {content_type}", "Content-Transfer-Encoding: base64", *more]
    encoded = base64.encodebytes(data).replace(b"\n", b"\r\n")
    return "\r\n".join(fields).encode() + b"\r\n\r\n" + encoded


def _multipart(boundary: str, parts: list[bytes]) -> bytes:
    line = b"\r\n--" + boundary.encode()
    return b"".join(line + b"\r\n" + part for part in parts) + line + b"--\r\n"


@cache
def pdf(size_bytes: int = 20 * MEBIBYTE) -> bytes:
    """A file of that size that starts and ends as PDF does; its middle does not compress."""
    start, end = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", b"\n%%EOF\n"
    return start + random.Random(size_bytes).randbytes(size_bytes - len(start) - len(end)) + end


def with_attachment(
    reverse_path: str,
    to: str,
    *,
    name: str = "123-CV-UBND.pdf",
    size_bytes: int = 20 * MEBIBYTE,
    subject: str = "123/CV-UBND",
) -> bytes:
    """A short text and a PDF of `size_bytes`, in base64 a third more."""
    head = headers(reverse_path, to, subject, 'Content-Type: multipart/mixed; boundary="=_mixed"')
    disposition = f'Content-Disposition: attachment; filename="{name}"'
    parts = [
        _part("text/plain; charset=utf-8", VIETNAMESE_TEXT.encode()),
        _part(f'application/pdf; name="{name}"', pdf(size_bytes), disposition),
    ]
    return head + _multipart("=_mixed", parts)


def signed(reverse_path: str, to: str, *, subject: str = "45/TB-UBND") -> bytes:
    """multipart/signed (RFC 1847) with all that a re-serialiser would change.

    Folding, tabs, trailing blanks, an odd boundary, field names in mixed case.
    The signature is not a real one.
    """
    head = headers(
        reverse_path,
        to,
        subject,
        'content-TYPE: multipart/signed;\r\n\tprotocol="application/pkcs7-signature";micalg=sha-256;\r\n'
        ' boundary="----=_\'()+_,-./:=?"',
    )
    part = (
        b"Content-Type:text/plain;charset=utf-8\r\ncontent-transfer-encoding:  8Bit\r\n\r\n"
        + VIETNAMESE_TEXT.encode()
        + b"trailing blanks   \r\n\ttab\t\r\n.\r\n..\r\nFrom the start of a line\r\n\r\n\r\n"
    )
    signature = base64.encodebytes(random.Random(7).randbytes(1200)).replace(b"\n", b"\r\n")
    return head + b"".join(
        [
            b"\r\nThis is a signed message.\r\n\r\n------=_'()+_,-./:=?\r\n",
            part,
            b'\r\n------=_\'()+_,-./:=?\r\nContent-Type: application/pkcs7-signature; name="smime.p7s"\r\n'
            b"Content-Transfer-Encoding: base64\r\n"
            b'Content-Disposition: attachment; filename="smime.p7s"\r\n\r\n',
            signature,
            b"\r\n------=_'()+_,-./:=?--\r\n\r\n",
        ]
    )


def raw_eight_bit(reverse_path: str, to: str, *, subject: str = VIETNAMESE_SUBJECT) -> bytes:
    """Raw UTF-8 in the header without encoded-words, as Foxmail sends it."""
    head = headers(
        reverse_path, to, subject, "Content-Type: text/plain; charset=utf-8", "X-Mailer: Foxmail 7"
    )
    return head + b"\r\n" + VIETNAMESE_TEXT.encode()
