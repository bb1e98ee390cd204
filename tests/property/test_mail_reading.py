"""Whatever arrives: reading never raises, stays within its bounds, and says the same twice."""

from __future__ import annotations

import re
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from mailgov.mail.address import Address
from mailgov.mail.document import Document, classify, secrecy_mark
from mailgov.mail.encoded_words import encode_text
from mailgov.mail.headers import (
    HeaderBlock,
    author_addresses,
    date_ms,
    decode_text,
    is_automatic,
    message_id,
)
from mailgov.mail.mime import NAME_CHARACTERS, look
from mailgov.mail.text import has_marks, key_form, nfc, one_line, plain_punctuation, without_marks

PIECES = [
    b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b"--", b"--b", b"--b--", b'"', b"\\", b";", b"=", b"%", b"*0*=",
    b"Content-Type: multipart/mixed; boundary=b\r\n", b"Content-Type: message/rfc822\r\n\r\n", b"From: ",
    b"Content-Disposition: attachment; filename=", b"Content-Type: text/plain; name*=utf-8''", b"Date: ",
    b"=?utf-8?B?", b"=?utf-8?Q?", b"=?viscii?q?", b"=?x?b?", b"?=", b"YQ==", b"=C4=91", b"<", b">", b"'",
    b"(", b")", b",", "Giấy mời".encode(), "\u202e".encode(), b"\xff", b"\x00", b"Subject: ", b"\r\n\r\n",
    b"Message-ID: <", b"a@b.vn", b"@",
]  # fmt: skip
hostile_bytes = st.one_of(
    st.binary(), st.lists(st.sampled_from(PIECES) | st.binary(max_size=4)).map(b"".join)
)

WORDS = [
    "Re:", "Fwd:", "TL:", "CT:", "MẬT", "Mật", "TỐI MẬT", "tuyệt mật", "mật", "khẩu", "KHẨN", "HỎA TỐC", "/",
    "hoả tốc", "Giấy mời", "giay moi", "họp", "mời", "V/v", "Số:", "số", "12", "-", "_", ".", "GM", "UBND",
    "TTr", "QĐ", "QD", "2026", "12/GM-UBND", "07-BC/TU", "345/STTTT-CNTT", "Thông báo", "(", ")", "[", "]",
    ":", " ", "\u0301", "\u00a0",
]  # fmt: skip
subjects = st.one_of(st.text(), st.lists(st.sampled_from(WORDS) | st.text(max_size=3)).map(" ".join))
file_names = st.lists(st.sampled_from(WORDS) | st.text(max_size=3)).map("_".join)


@given(hostile_bytes)
def test_fields_tile_the_header(raw: bytes) -> None:
    block = HeaderBlock.scan(raw)
    assert block.raw == raw[: block.size]
    position = 0
    for field in block.fields:
        assert field.start == position
        assert field.start - 1 <= field.colon < field.end
        assert field.name == field.name.lower()
        assert (raw[field.colon : field.colon + 1] == b":") if field.name else field.colon == field.start - 1
        position = field.end
    assert raw[position : block.size] in {b"", b"\n", b"\r\n"}
    assert not re.search(rb"\A\r?\n|\n\r?\n", raw[:position])


@given(hostile_bytes)
def test_what_is_read_of_a_header_never_raises(raw: bytes) -> None:
    block = HeaderBlock.scan(raw)
    for field in block.fields:
        assert b"\n" not in block.value(field)
    for address in author_addresses(raw):
        assert Address.parse(address).key == address
    assert is_automatic(block, None) in {True, False}
    assert message_id(block) is None or "<" in (message_id(block) or "")
    assert date_ms(block) is None or isinstance(date_ms(block), int)


@given(hostile_bytes)
def test_decoded_text_is_one_clean_composed_line(raw: bytes) -> None:
    text = decode_text(raw)
    assert unicodedata.is_normalized("NFC", text)
    assert text == text.strip()
    assert not any(
        unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for c in text if c not in UNTOUCHED
    )
    text.encode()
    assert len(decode_text(raw, limit=5)) <= 5


# Format characters that other scripts need inside words; they neither hide nor turn text.
OTHER_SCRIPTS = [
    (0x600, 0x605),
    (0x6DD, 0x6DD),
    (0x70F, 0x70F),
    (0x890, 0x891),
    (0x8E2, 0x8E2),
    (0x110BD, 0x110BD),
]
OTHER_SCRIPTS += [(0x110CD, 0x110CD), (0x13430, 0x1343F), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A)]
UNTOUCHED = "".join(chr(code) for first, last in OTHER_SCRIPTS for code in range(first, last + 1))


@given(hostile_bytes)
def test_a_look_never_raises_and_names_are_bare(raw: bytes) -> None:
    message = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + raw
    for data in (raw, message):
        seen = look(data, header=HeaderBlock.scan(data))
        assert look(memoryview(data), header=HeaderBlock.scan(data)) == seen
        assert len(set(seen.attachment_names)) == len(seen.attachment_names)
        for name in seen.attachment_names:
            assert 0 < len(name) <= NAME_CHARACTERS
            assert not re.search(r"[/\\\x00-\x1f\x7f]", name)


@given(subjects, st.lists(file_names, max_size=4))
def test_classification_never_raises_and_ignores_the_normal_form(subject: str, names: list[str]) -> None:
    found = classify(subject, names)
    assert isinstance(found, Document)
    decomposed = [unicodedata.normalize("NFD", text) for text in (subject, *names)]
    if all(nfc(text) == unicodedata.normalize("NFC", text) for text in (subject, *names)):
        assert classify(decomposed[0], decomposed[1:]) == found


@given(subjects, file_names)
def test_attachments_never_take_anything_away(subject: str, name: str) -> None:
    alone, both = classify(subject), classify(subject, [name])
    assert (both.reply, both.forward) == (alone.reply, alone.forward)
    assert alone.document_class in {None, both.document_class}
    assert alone.symbol in {None, both.symbol}
    assert alone.urgency in {None, both.urgency}
    assert both.meeting or not alone.meeting
    assert both.secrecy == (max(filter(None, (alone.secrecy, secrecy_mark(name))), key=len, default=None))


@given(subjects)
def test_secrecy_is_never_read_without_marks(subject: str) -> None:
    plain = without_marks(nfc(subject))
    assert secrecy_mark("".join(c for c in plain if not unicodedata.combining(c) and c.isascii())) is None


@given(st.text(), st.integers(1, 50))
def test_text_forms(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert len(line) <= limit
    assert one_line(line, limit) == line
    for form in (key_form(line), without_marks(line), plain_punctuation(line)):
        assert len(form) == len(line)
    assert has_marks(line) in {True, False}


@given(st.text())
def test_encoded_text_comes_back(text: str) -> None:
    encoded = encode_text(text)
    assert encoded.isascii()
    assert re.sub("\r\n ", "", encoded).isprintable()
    assert decode_text(encoded.encode()) == one_line(text, 4096)
