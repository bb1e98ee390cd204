"""RFC 2047 in both directions, and raw 8-bit text."""

from __future__ import annotations

import unicodedata
from email.header import decode_header, make_header
from typing import Literal

import pytest

from mailgov.mail.encoded_words import TEXT_CHARACTERS, decode_text, encode_text, readings
from mailgov.mail.text import one_line
from tests.support.messages import encoded_word

SUBJECT = "Giấy mời họp giao ban tháng 11 – Sở Khoa học và Công nghệ, tỉnh Cao Bằng"


@pytest.mark.parametrize("encoding", ["B", "Q"])
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_encoded_words_come_out_composed(encoding: str, form: Literal["NFC", "NFD"]) -> None:
    text = unicodedata.normalize(form, SUBJECT)
    assert decode_text(encoded_word(text, encoding).encode()) == SUBJECT


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"plain", "plain"),
        (b"", ""),
        # One letter's two bytes in two words; the second word's charset in other case.
        (b"=?utf-8?B?xA==?= =?UTF-8?B?kQ==?=", "đ"),
        (b"=?utf-8?Q?=C4?=\r\n =?utf-8?B?kQ==?=", "đ"),
        (b"a =?utf-8?Q?b?= c =?utf-8?Q?d?=  =?utf-8?Q?e?=", "a b c de"),
        (b"=?utf-8?Q?a_b=20c?=", "a b c"),
        (b"=?utf-8*vi?Q?a?=", "a"),
        (b"=?utf-8?Q?a b?=", "a b"),
        (b"=?us-ascii?Q?a?= =?utf-8?Q?b?=", "ab"),
        (b"=?x?Z?a?=", "=?x?Z?a?="),
        (b"=?utf-8?B?Y?=", ""),
        (b"=?utf-8?B?YWI?=", "ab"),
        (b"=?utf-8?B?!!!?=", ""),
        (b"=?utf-8?Q?=ZZ?=", "=ZZ"),
        (b"=?nosuch?Q?=C4=91?=", "đ"),
        (b"=?nosuch?Q?=E9?=", "é"),
        (b"=?idna?Q?xn--a?=", "xn--a"),
        (b"=?VISCII?B?VGj0bmcgYuFv?=", "Thông báo"),
        (b"=?TCVN?Q?Th=ABng_b=B8o?=", "Thông báo"),
        (b"=?windows-1258?Q?Ba=EC?=", "Bá"),
        ("Giấy mời".encode(), "Giấy mời"),
        (b"Ba\xec m\xe2\xf2t", "Bá mật"),
        (b"caf\xe9 \x9d", "café"),
        (b"a\r\n b\x00c\x1b[31m", "a b c [31m"),
        ("a\u202eb\u2028c\ufeffd\u200be".encode(), "ab cde"),
        (b"=?utf-8?Q?a=0D=0ABcc:_x?=", "a Bcc: x"),
        (b"=?utf-7?Q?+2AA-?=", "\ufffd"),
    ],
)
def test_values(value: bytes, text: str) -> None:
    assert decode_text(value) == text


def test_length_is_bounded() -> None:
    assert len(decode_text(b"x" * 1_000_000)) == TEXT_CHARACTERS
    assert decode_text(encoded_word("ắ" * 50).encode(), limit=10) == "ắ" * 10


@pytest.mark.parametrize("text", [SUBJECT, "ascii", "đ", "x" * 300 + "đ" * 300, "=?utf-8?Q?a?="])
def test_encoding_comes_back(text: str) -> None:
    encoded = encode_text(text)
    assert decode_text(encoded.encode()) == text
    assert encoded.isascii()
    if not text.isascii():
        assert max(map(len, encoded.split("\r\n "))) <= 75
        assert str(make_header(decode_header(encoded.replace("\r\n", "\n")))) == text


def test_encoding_lets_no_field_in() -> None:
    assert encode_text("a\r\nBcc: x@y") == "a Bcc: x@y"
    assert "\n" not in encode_text("đ\r\nBcc: x@y")


@pytest.mark.parametrize(
    "value",
    [
        b"plain",
        "Giấy mời".encode(),
        b"=?utf-8?B?xJE=?=",
        b"=?utf-8?B?xA==?= =?UTF-8?B?kQ==?=",
        b"=?iso-8859-1?Q?a?=",
    ],
)
def test_what_every_reader_shows_alike_has_one_reading(value: bytes) -> None:
    assert len(readings(value)) == 1


@pytest.mark.parametrize(
    "value",
    [
        "Mật".encode() + b"\xff",
        b"\xc3" + "Mật".encode(),
        b"M\xe2\xf2t",  # windows-1258
        b"\xd2M\xe2\xf2t\xd2",
        b"=?utf-8?B?TeG?= =?utf-8?B?rrXQ?= " + "Mật".encode() + b"\xff",
        b"=?utf-8?B?TeG6rX?=\r\n =?UTF-8?B?Q?=",  # cut inside a quantum
        b"=?utf-8?B?TeG6r?= =?utf-8?B?XQ?=",
        b"=?utf-8?B?TeG6r?= =?utf-8?B?XQ==?=",
        b"=?iso-8859-1?B?TeG6rXQ=?=",  # not what it is said to be
        b"=?windows-1258?B?TeG6rXQ=?=",
        b"=?utf-8?B?TeG6rXT/?=",
    ],
)
def test_every_plausible_reading_is_told(value: bytes) -> None:
    assert any("Mật" in unicodedata.normalize("NFC", text) for text in readings(value))
    assert one_line(readings(value)[0], TEXT_CHARACTERS) == decode_text(value)
