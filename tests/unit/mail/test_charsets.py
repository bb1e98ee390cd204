"""Charsets that strangers name."""

from __future__ import annotations

import pytest

from mailgov.mail.charsets import decode_charset, decode_unlabelled


@pytest.mark.parametrize(
    ("octets", "charset", "text"),
    [
        (b"\xc4\x91", "UTF-8", "đ"),
        (b"\xc4", "utf-8", "\ufffd"),
        (b"Vi\xaet Nam", "VISCII", "Việt Nam"),
        (b"Vi\xd6t Nam", "x-viet-tcvn", "Việt Nam"),
        (b"\x02", "viscii", "Ẳ"),
        (b"Vi\xea\xf2t", "windows-1258", "Vi\u00ea\u0323t"),
        (b"\xe9", "iso-8859-1", "é"),
        (b"\xe9", "iso8859-12", "é"),
        (b"\xbb\xd8\xb8\xb4", "GBK", "回复"),
        (b"\xc4\x91", "no such", "đ"),
        (b"616263", "hex", "616263"),
        (b"\\u0041", "unicode_escape", "\\u0041"),
    ],
)
def test_decoding(octets: bytes, charset: str, text: str) -> None:
    assert decode_charset(octets, charset) == text


def test_unlabelled_text_is_utf8_then_windows_1258_then_latin_1() -> None:
    assert decode_unlabelled("đ".encode()) == "đ"
    assert decode_unlabelled(b"\xf0") == "đ"
    assert decode_unlabelled(b"\xe9\xd2\x9d") == "é\xd2\x9d"


def test_a_stray_byte_does_not_turn_utf8_into_something_else() -> None:
    assert decode_unlabelled(b"\xff" + "Kính gửi Sở".encode() + b"\xe1") == "\ufffdKính gửi Sở\ufffd"
    assert decode_unlabelled("TUYỆT MẬT".encode() + b"\xff") == "TUYỆT MẬT\ufffd"
    assert decode_unlabelled("Ệ".encode()[:2] + "Kính gửi Sở".encode()) == "\ufffdKính gửi Sở"
