"""Attachments that are hidden from a look: in messages, encodings, part names and archives' seams."""

from __future__ import annotations

import base64
import time

import pytest

from tests.support.files import PDF, PE, ole, workbook, zipped
from tests.unit.mail.files.test_risks import named, part, risks, risks_of

BASE64 = b"\r\nContent-Transfer-Encoding: base64\r\n\r\n"
CODED = base64.encodebytes(PE).replace(b"\n", b"\r\n")


def message(*parts: bytes) -> bytes:
    """An ordinary message with these parts."""
    return (
        b"From: An <an@xa.example>\r\nSubject: Bao cao\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'
        b"--b\r\nContent-Type: text/plain\r\n\r\nKinh gui\r\n" + b"".join(parts) + b"--b--\r\n"
    )


def raw(fields: bytes, body: bytes) -> bytes:
    return b"--b\r\n" + fields + b"\r\n\r\n" + body + b"\r\n"


HARMFUL = message(part(PE, named("a.dat")))
RFC822 = b"Content-Type: message/rfc822"


@pytest.mark.parametrize("encoding", ["8bit", "base64", "quoted-printable"])
@pytest.mark.parametrize(
    "fields",
    [
        b'Content-Type: application/octet-stream; name="x.eml"',
        b"Content-Type: application/octet-stream",
        b'Content-Type: text/plain; name="x.txt"',
        RFC822,
    ],
)
def test_a_message_is_looked_into_however_it_is_typed(fields: bytes, encoding: str) -> None:
    inner = HARMFUL.replace(b"--b", b"--i").replace(b'"b"', b'"i"')
    inner = inner if encoding == "8bit" else inner.replace(b"\r\n", b"\n")
    assert risks_of(part(inner, fields, encoding)) == ["executable"]


@pytest.mark.parametrize("front", [b"\r\n\r\n", b"From an@xa.example Mon Jan  5\r\n", b"\xef\xbb\xbf"])
def test_what_mail_programs_skip_before_a_message(front: bytes) -> None:
    assert risks(front + HARMFUL, "x.eml") == ["executable"]


def test_messages_inside_messages_and_archives() -> None:
    assert risks_of(part(message(part(HARMFUL, RFC822)), RFC822)) == ["executable"]
    assert risks(zipped({"x.eml": HARMFUL}), "a.zip") == ["executable"]
    deep = HARMFUL
    for _ in range(5):
        deep = message(part(deep, named("x.eml")))
    assert risks(deep, "x.eml") == ["nested"]


def test_many_attached_messages_cost_little() -> None:
    many = message(*[part(b"x", named("a.txt"))] * 100)
    began = time.process_time()
    assert "nested" in risks(zipped({f"{n}.eml": many for n in range(300)}), "a.zip")
    assert "nested" in risks_of(*[part(many, named("x.eml"))] * 200)
    assert time.process_time() - began < 4


def test_attached_messages_with_costly_names_cost_little() -> None:
    fields = b"Content-Disposition: attachment; " + b"filename*0*=%41(\xc3;" * 180
    costly = message(*[raw(fields, b"x")] * 60).replace(b"--b", b"--i").replace(b'"b"', b'"i"')
    began = time.process_time()
    assert risks_of(*[raw(b"Content-Type: x/y", costly)] * 60) == ["nested"]
    assert time.process_time() - began < 4


@pytest.mark.parametrize(
    "body",
    [b" \r\n" * 20_000 + CODED, b"!" * 30_000 + b"\r\n" + CODED, b"\r\n" * 1_000_000 + CODED],
)
def test_base64_is_read_from_where_it_begins(body: bytes) -> None:
    assert risks_of(raw(named("a.dat") + BASE64[:-4], body)) == ["executable"]


def test_quoted_printable_is_read_from_where_it_begins() -> None:
    fields = named("a.dat") + b"\r\nContent-Transfer-Encoding: quoted-printable"
    escaped = b"=\r\n" * 20_000 + b"".join(b"=%02X" % octet for octet in PE)
    assert risks_of(raw(fields, escaped)) == ["executable"]


def test_the_search_for_a_head_is_bounded() -> None:
    began = time.process_time()
    assert "nested" in risks_of(*[raw(named("a.dat") + BASE64[:-4], b"\r\n" * 2_000_000)] * 20)
    assert time.process_time() - began < 4


@pytest.mark.parametrize(
    "encoding", [b'"base64"', b"base 64", b"\0base64", b"7bit\r\nContent-Transfer-Encoding: base64"]
)
def test_each_reading_of_an_odd_encoding_counts(encoding: bytes) -> None:
    fields = named("a.dat") + b"\r\nContent-Transfer-Encoding: " + encoding
    assert risks_of(raw(fields, CODED)) == ["executable", "nested"]
    assert risks_of(raw(fields, PE)) == ["executable", "nested"]


def test_encodings_that_are_not_undone_are_told() -> None:
    for encoding in (b"x-uuencode", b"x-gzip64"):
        fields = named("a.dat") + b"\r\nContent-Transfer-Encoding: " + encoding
        assert risks_of(raw(fields, b"begin 644 a.exe\r\nM35J0\r\n")) == ["nested"]
        assert risks_of(raw(fields, b"")) == []
    twice = b"\r\nContent-Transfer-Encoding: base64" * 2
    assert risks_of(raw(named("a.pdf") + twice, base64.b64encode(PDF))) == []


def test_ordinary_mail_is_not_marked() -> None:
    ordinary = message(part(PDF, named("công văn.pdf")), part(zipped({"a.docx": PDF}), named("a.zip")))
    assert risks(ordinary, "Chuyển tiếp.eml") == []
    types = (
        b'<Types><Default Extension="bin" ContentType="application/'
        b'vnd.openxmlformats-officedocument.spreadsheetml.printerSettings"/></Types>'
    )
    assert risks(workbook({"[Content_Types].xml": types}), "số liệu.xlsx") == []
    assert risks(zipped({"[Content_Types].xml": types, "word/document.xml": b"<w/>"}), "Công văn.docx") == []
    assert risks_of(part(ordinary, RFC822, "8bit")) == []
    assert (
        risks_of(part(b"Reporting-MTA: dns; mx\r\n\r\n", b"Content-Type: message/delivery-status", "7bit"))
        == []
    )
    assert (
        risks_of(part(b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", b"Content-Type: text/calendar; name=m.ics"))
        == []
    )
    assert risks(b"0\x82\x10\x00\x06\x09*\x86H\x86\xf7\r\x01\x07\x02" + bytes(range(256)), "smime.p7m") == []
    assert risks(b"Subject: ghi chu\nFrom: toi\n\nnoi dung: x\n" * 50, "ghi chú.txt") == []
    assert risks(zipped({f"{n}.yaml": b"name: x\nvalue: y\n" for n in range(300)}), "a.zip") == []


@pytest.mark.parametrize(
    ("types", "found"),
    [
        (
            "<Override PartName='/word/foo.bin' ContentType='application/vnd.ms-office.vbaProject'/>",
            ["macro"],
        ),
        ("<Override ContentType='application/vnd.ms-office.&#x76;baProject'/>", ["macro"]),
        ("<Override ContentType='application/vnd.ms-excel.macrosheet+xml'/>", ["macro"]),
        ("<Override ContentType='application/vnd.openxmlformats-officedocument.wordprocessingml'/>", []),
    ],
)
def test_macros_by_the_list_of_content_types(types: str, found: list[str]) -> None:
    for octets in (types.encode(), types.encode("utf-16")):
        assert risks(zipped({"[Content_Types].xml": octets, "word/foo.bin": b"x"}), "a.docx") == found


HARMFUL_ZIP = zipped({"a.exe": PE})


@pytest.mark.parametrize("encoding", ["base64", "8bit"])
@pytest.mark.parametrize(
    "front", [b"junk" * 100, b"%PDF-1.4\n" + b"junk" * 100, b"\xff\xd8\xff\xe0" + bytes(99)]
)
def test_a_zip_behind_something_else_is_found(front: bytes, encoding: str) -> None:
    found = risks(front + HARMFUL_ZIP, "a.pdf", encoding)
    assert found == ["executable", "disguised"]
    assert risks(front + HARMFUL_ZIP + bytes(1000), "a.bin", encoding) == ["executable"]
    assert risks(front + zipped({"a.txt": b"x"}), "a.docx", encoding) == ["disguised"]


def test_each_of_archives_in_a_row_is_looked_into() -> None:
    assert risks(HARMFUL_ZIP + zipped({"b.txt": b"x"}), "a.zip") == ["executable"]
    assert risks(HARMFUL_ZIP + zipped({}), "a.zip") == ["executable"]
    assert risks(zipped({"b.txt": b"x"}) + HARMFUL_ZIP, "a.zip") == ["executable"]
    assert risks(zipped({"b.txt": b"x"}) * 3, "a.zip") == []
    assert risks(zipped({"b.txt": b"x"}) * 30, "a.zip") == ["nested"]


def test_a_zip_inside_a_document_is_no_disguise() -> None:
    portfolio = PDF + b"stream\n" + zipped({"a.docx": PDF}) + b"\nendstream\nxref\n%%EOF\n"
    assert risks(portfolio, "hồ sơ.pdf") == []
    assert risks(PDF + b"PK\x05\x06" + bytes(18), "hồ sơ.pdf") == []
    assert risks(PDF + b"PK\x05\x06" + b"\xff" * 40, "hồ sơ.pdf") == []
    assert (
        risks(ole({"ObjectPool": {"x": zipped({"a.xml": b"x"})}, "WordDocument": b"\xec\xa5"}), "a.doc") == []
    )


def test_the_search_for_zips_is_bounded() -> None:
    body = base64.encodebytes(bytes(20_000_000)) + base64.b64encode(b"PK\x05\x06" + bytes(20))
    began = time.process_time()
    assert risks_of(raw(named("a.bin") + BASE64[:-4], body)) == []
    assert time.process_time() - began < 2
