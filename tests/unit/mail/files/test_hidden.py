"""Attachments that are hidden from a look: in messages, encodings, part names and archives' seams."""

from __future__ import annotations

import base64
import gzip
import io
import struct
import tarfile
import time
import zipfile
import zlib

import pytest

from tests.support.files import PDF, PE, ole, rar4, rar5, workbook, zipped
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


def test_base64_that_goes_on_behind_its_padding_is_told() -> None:
    fields = named("a.dat") + BASE64[:-4]
    twice = base64.b64encode(PE[:1]) + b"\r\n" + base64.b64encode(PE[1:])
    assert "nested" in risks_of(raw(fields, twice))
    assert risks_of(raw(named("a.pdf") + BASE64[:-4], base64.b64encode(PDF[:-1]) + b"\r\n\r\n")) == []


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


def tarred(name: str, content: bytes, layout: int) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=layout) as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return made.getvalue()


@pytest.mark.parametrize("layout", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_a_tars_long_names_count(layout: int) -> None:
    long = "báo cáo " * 20
    assert risks(tarred(long + ".js", b"x", layout), "a.tar") == ["script"]
    assert risks(tarred(long + ".pdf", PDF, layout), "a.tar") == []


def test_a_tar_without_a_mark_is_told_by_its_sum() -> None:
    old = bytearray(tarred("a.exe", PE, tarfile.USTAR_FORMAT))
    old[257:265] = bytes(8)
    old[148:156] = b" " * 8
    old[148:156] = b"%06o\0 " % sum(old[:512])
    assert risks(gzip.compress(bytes(old)), "a.dat") == ["executable"]


def test_a_pax_header_that_gives_a_size_of_its_own_is_not_believed() -> None:
    head = bytearray(tarred("x" * 120, b"x", tarfile.PAX_FORMAT))
    place = head.index(b"path=")
    head[place : place + 5] = b"size="
    assert "nested" in risks(bytes(head), "a.tar")


@pytest.mark.parametrize(
    "content",
    [
        b"\x28\xb5\x2f\xfd" + PE, b"LZIP\x01" + PE, b"\x5d\0\0\x80\0" + PE, b"\x1f\x9d\x90" + PE,
        b"070701" + b"0" * 104 + b"a.exe\0" + PE, b"ALZ\x01" + PE, b"EGGA\0\x01" + PE, b"xar!" + PE,
        b"\x78\x9f\x3e\x22" + PE,
    ],
)  # fmt: skip
def test_archives_that_are_never_opened_are_told(content: bytes) -> None:
    assert risks(content, "a.dat") == ["nested"]


def test_what_is_named_an_archive_and_begins_as_none_is_told() -> None:
    """WinRAR and 7-Zip look for the beginning behind whatever stands first."""
    assert risks(b"rac" * 30 + rar4("a.exe"), "a.rar") == ["nested"]
    assert risks(b"begin 644 a.exe\r\nM35J0``,\r\n`\r\nend\r\n", "a.uue") == ["nested"]
    assert risks(b"Kinh gui\r\nbegin 644 a.exe\r\nM35J0``,\r\n`\r\nend\r\n", "a.txt") == ["nested"]
    assert risks(b"begin with the end\r\n", "a.txt") == []
    assert risks(rar5("a.pdf", "b.zip"), "a.rar") == ["nested"]


def test_a_zips_name_in_unicode_counts() -> None:
    made, entry, other = io.BytesIO(), zipfile.ZipInfo("a.txt"), b"a.js"
    entry.extra = struct.pack("<HHBI", 0x7075, 5 + len(other), 1, zlib.crc32(b"a.txt")) + other
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr(entry, b"x")
    assert risks(made.getvalue(), "a.zip") == ["script"]


def test_a_zips_member_that_cannot_be_read_here_is_told() -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("b.pdf", zipped({"a.exe": PE}))
    assert risks(made.getvalue(), "a.zip") == ["nested"]


FLAT = b'<?xml version="1.0"?><?mso-application progid="Word.Document"?>'
ACTIVE = b"ActiveMime\0\0\xf0\1" + bytes(40)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (ACTIVE, ["macro"]),
        (FLAT + b'<w:wordDocument w:macrosPresent="yes">' + b" " * 9000, ["macro"]),
        (FLAT + b" " * 9000 + base64.b64encode(ACTIVE), ["macro"]),
        (FLAT + b'<pkg:part pkg:contentType="application/vnd.ms-office.vbaProject">', ["macro"]),
        (FLAT + b'<w:wordDocument w:macrosPresent="no">', []),
        (message(part(ACTIVE, b"Content-Type: application/x-mso")), ["macro"]),
    ],
)
def test_macros_in_documents_of_one_file(content: bytes, found: list[str]) -> None:
    assert risks(content, "a.doc") == found
