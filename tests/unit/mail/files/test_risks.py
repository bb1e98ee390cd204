"""Attachments by what they really are: each kind, each way to hide it, and bombs of each kind."""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import lzma
import quopri
import struct
import tarfile
import time
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable, Mapping
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailgov.mail.files.risks import ONE_OCTETS, attachment_risks
from mailgov.mail.headers import HeaderBlock
from mailgov.mail.mime import look
from tests.support.files import (
    ELF,
    JAVA_CLASS,
    PDF,
    PE,
    SHORTCUT,
    encrypted,
    ole,
    rar4,
    rar5,
    workbook,
    zipped,
)

MACRO = ole({"Macros": {"VBA": {"dir": b"x", "_VBA_PROJECT": b"x"}}, "WordDocument": b"\xec\xa5"})
SEVEN_ZIP = b"7z\xbc\xaf\x27\x1c\0\4" + bytes(4) + struct.pack("<QQI", 10, 20, 0) + bytes(10)


def part(content: bytes, fields: bytes, encoding: str = "base64") -> bytes:
    coded = {"base64": base64.encodebytes, "quoted-printable": quopri.encodestring}.get(encoding)
    head = fields + b"\r\nContent-Transfer-Encoding: " + encoding.encode() + b"\r\n\r\n"
    return b"--b\r\n" + head + (coded(content).replace(b"\n", b"\r\n") if coded else content) + b"\r\n"


def named(name: str) -> bytes:
    """The name as RFC 2231 writes it."""
    return b"Content-Disposition: attachment; filename*=UTF-8''" + quote(name).encode()


def risks_of(*parts: bytes) -> list[str]:
    data = (
        b'Subject: x\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n' + b"".join(parts) + b"--b--\r\n"
    )
    header = HeaderBlock.scan(data[: data.index(b"\r\n\r\n") + 4])
    return list(attachment_risks(data, look(data, header=header)))


def risks(content: bytes, name: str = "tep", encoding: str = "base64") -> list[str]:
    return risks_of(part(content, named(name), encoding))


def tarred(members: Mapping[str, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return made.getvalue()


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable"])
@pytest.mark.parametrize(
    "content", [PE, ELF, SHORTCUT, JAVA_CLASS, b"\xcf\xfa\xed\xfe" + bytes(9), b"ITSF\3\0\0\0"]
)
def test_programs_by_their_first_octets(content: bytes, encoding: str) -> None:
    assert risks(content, "tep", encoding) == ["executable"]
    assert risks(content, "báo cáo.pdf", encoding) == ["executable", "disguised"]


@pytest.mark.parametrize(
    "content",
    [
        b"#!/bin/sh\nrm -rf ~\n",
        b"\xef\xbb\xbf@echo off\r\n",
        "\ufeff@echo off\r\n".encode("utf-16-le"),
        b"<job id='x'><script language='VBScript'>",
        b"<html><head><HTA:APPLICATION ID=x>",
        b"#@~^abc",
        b"[InternetShortcut]\r\nURL=file://x",
        b"Windows Registry Editor Version 5.00\r\n",
    ],
)
def test_scripts_by_their_form(content: bytes) -> None:
    assert risks(content, "ghi chú.txt") == ["script"]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("chương trình.exe", ["executable"]),
        ("man.scr", ["executable"]),
        ("cai.msi", ["executable"]),
        ("ung-dung.apk", ["executable"]),
        ("mo.js", ["script"]),
        ("mo.JSE", ["script"]),
        ("mo.vbs", ["script"]),
        ("mo.ps1", ["script"]),
        ("mo.hta", ["script"]),
        ("hoadon.pdf.exe", ["executable", "double-extension"]),
        ("hoá đơn.PDF.ExE", ["executable", "double-extension"]),
        ("hoadon.pdf          .js", ["script", "double-extension"]),
        ("hoadon.pdf.exe . . ", ["executable", "double-extension"]),
        ("hoadon\u202efdp.exe", ["executable", "double-extension"]),
        ("hoadon.e\u200bxe", ["executable"]),
        ("hoadon.exe\0.pdf", ["executable"]),
        ("..\\..\\khoi-dong\\a.lnk", ["executable"]),
        ("a\uff0eexe", ["executable"]),
        ("a.exe::$DATA", ["executable"]),
        ("a.exe:x.pdf", ["executable"]),
        ("a.exe/", ["executable"]),
        ("'a.exe'", ["executable"]),
        ("a.{00020906-0000-0000-C000-000000000046}", ["script"]),
        ("hoadon.pdf.{00020906-0000-0000-C000-000000000046}", ["script", "double-extension"]),
        ("a.accde", ["executable"]),
        ("a.searchConnector-ms", ["script"]),
        ("a.rdp", ["script"]),
        ("Re: Gioi thieu Node.js: bai 1.pdf", []),
        ("C:\\Users\\an\\Công văn 12:2026.docx", []),
        ("{00020906-0000-0000-C000-000000000046}.png", []),
        ("disk.iso", ["nested"]),
        ("Công văn 12.docx", []),
        ("v1.2.3.pdf", []),
        ("www.caobang.gov.vn.txt", []),
        ("1.000.000.xlsx", []),
        ("js", []),
        ("exe", []),
        ("\u202bمستند.pdf", []),
    ],
)
def test_names(name: str, found: list[str]) -> None:
    assert risks(b"\x00\x01\x02 nothing known", name) == found


def test_a_host_name_is_no_dos_program_but_octets_may_be() -> None:
    assert risks(b"Kinh gui", "www.vnexpress.com") == []
    assert risks(b"\xe9\x00\x01\xb4\x4c", "x.com") == ["executable"]
    message = b"Subject: Node.js\r\n\r\nKinh gui\r\n"
    fields = b'Content-Type: message/rfc822; name="Gioi thieu Node.js"'
    assert risks_of(part(message, fields, "8bit")) == []


@pytest.mark.parametrize(
    "fields",
    [
        b'Content-Type: application/pdf; name="=?UTF-8?B?'
        + base64.b64encode("hoá đơn.pdf.exe".encode())
        + b'?="',
        b"Content-Disposition: attachment; filename*0*=UTF-8''ho%C3%A1; filename*1=don.pdf; filename*2=.exe",
        b'Content-Disposition: attachment; filename="a.txt"; filename="hoadon.pdf.exe"',
        b'Content-Disposition: attachment; filename="a.txt"\r\nContent-Type: x/y; name="hoadon.pdf.exe"',
        b"Content-Disposition: attachment;\r\n filename=hoadon.pdf.exe",
    ],
)
def test_every_way_to_write_a_name_counts(fields: bytes) -> None:
    assert set(risks_of(part(b"\x00\x01", fields))) == {"executable", "double-extension"}


def test_parts_without_a_name_and_inside_attached_messages() -> None:
    assert risks_of(part(PE, b"Content-Type: image/png")) == ["executable", "disguised"]
    inner = (
        b'Content-Type: multipart/mixed; boundary="i"\r\n\r\n--i\r\n'
        + part(ELF, named("a"))[5:]
        + b"--i--\r\n"
    )
    for encoding in ("8bit", "base64"):
        assert risks_of(part(inner, b"Content-Type: message/rfc822", encoding)) == ["executable"]
    assert risks_of(b"--b\r\nContent-Type: text/plain\r\n\r\n#!/bin/sh\r\n") == []


def test_archives_are_looked_into() -> None:
    assert risks(zipped({"tài liệu/a.pdf": PDF}), "a.zip") == []
    assert risks(zipped({"a.pdf": PDF, "b.exe": PE}), "a.zip") == ["executable"]
    assert risks(zipped({"hoadon.pdf.js": b"x"}), "a.zip") == ["script", "double-extension"]
    assert risks(zipped({"bao-cao.pdf": PE}), "a.zip") == ["executable", "disguised"]
    assert risks(zipped({"x": zipped({"y": zipped({"z.exe": PE})})}), "a.zip") == ["executable"]
    assert risks(b"rac rac rac" + zipped({"z.exe": PE}), "a.zip") == ["executable"]
    assert risks(gzip.compress(ELF), "a.gz") == ["executable"]
    assert risks(bz2.compress(ELF), "a.bz2") == ["executable"]
    assert risks(lzma.compress(ELF), "a.xz") == ["executable"]
    assert risks(tarred({"a.txt": b"x", "b/c.vbs": b"y"}), "a.tar") == ["script"]
    assert risks(gzip.compress(tarred({"a.pdf": PE})), "a.tgz") == ["executable", "disguised"]
    assert risks(rar5("a.pdf", "hoadon.pdf.exe"), "a.rar") == ["executable", "double-extension"]
    assert risks(rar4("a.pdf", "mở.js"), "a.rar") == ["script"]
    assert risks(rar4("a.pdf"), "a.rar") == risks(rar5("a.pdf"), "a.rar") == []


def test_what_is_encrypted() -> None:
    assert risks(encrypted(zipped({"a.pdf": PDF})), "a.zip") == ["encrypted"]
    assert risks(encrypted(zipped({"a.exe": PE})), "a.zip") == ["executable", "encrypted"]
    assert risks(rar5("a.pdf", password=True), "a.rar") == ["encrypted"]
    assert risks(rar4("a.pdf", password=True), "a.rar") == ["encrypted"]
    assert risks(SEVEN_ZIP + b"\x06\xf1\x07\x01", "a.7z") == ["encrypted"]
    assert risks(SEVEN_ZIP, "a.7z") == ["nested"]
    assert risks(ole({"EncryptedPackage": b"x", "EncryptionInfo": b"x"}), "a.xlsx") == ["encrypted"]
    assert risks(ole({"WordDocument": b"\xec\xa5\xc1\x00" + bytes(7) + b"\x01"}), "a.doc") == ["encrypted"]


def test_macros_and_installers() -> None:
    assert risks(workbook(), "a.xlsx") == []
    assert risks(workbook(macro=True), "a.xlsx") == ["macro"]
    assert risks(workbook({"xl/macrosheets/sheet1.xml": b"<x/>"}), "a.xlsm") == ["macro"]
    assert risks(zipped({"content.xml": b"<x/>", "Basic/script-lc.xml": b"<x/>"}), "a.odt") == ["macro"]
    assert risks(ole({"WordDocument": b"\xec\xa5"}), "a.doc") == []
    assert risks(MACRO, "a.doc") == ["macro"]
    assert risks(zipped({"a.doc": MACRO}), "a.zip") == ["macro"]
    sheet = struct.pack("<HH6sHHIBB2s", 0x809, 6, b"", 0x85, 8, 0, 0, 1, b"") + struct.pack("<HH", 0x0A, 0)
    assert risks(ole({"Workbook": sheet}), "a.xls") == ["macro"]
    assert risks(ole({"x": b"y"}, installer=True), "a.doc") == ["executable", "disguised"]
    native = bytes(4) + b"\2\0hoadon.pdf.exe\0C:\\hoadon.pdf.exe\0" + PE
    assert set(risks(ole({"ObjectPool": {"_1": {"\x01Ole10Native": native}}}), "a.doc")) >= {"executable"}
    outlook = ole(
        {"__attach": {"__substg1.0_37010102": PE, "__substg1.0_3707001F": "a.exe".encode("utf-16-le")}}
    )
    assert risks(outlook, "a.msg") == ["executable"]


def nested(levels: int, content: bytes) -> bytes:
    for _ in range(levels):
        content = zipped({"a.zip": content})
    return content


def overlapping(count: int) -> bytes:
    """Entries that all point at one stream of 1:1000 (as in zbsm.zip)."""
    stream = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = stream.compress(bytes(20_000_000)) + stream.flush()
    local = struct.pack("<4sHHHHHIIIHH", b"PK\3\4", 20, 0, 8, 0, 0, 0, len(packed), 20_000_000, 1, 0) + b"a"
    entry = struct.pack(
        "<4sHHHHHHIIIHHHHHII",
        *(b"PK\1\2", 20, 20, 0, 8, 0, 0, 0, len(packed), 20_000_000, 1, 0, 0, 0, 0, 0, 0),
    )
    start = len(local) + len(packed)
    end = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, count & 0xFFFF, count & 0xFFFF, count * 47, start, 0)
    return local + packed + (entry + b"a") * count + end


ZEROS = bytes(20_000_000)
BLOCK = bz2.compress(bytes(900_000))
BOMBS: dict[str, Callable[[], bytes]] = {
    "seven levels": lambda: nested(7, PE),
    "1:1000 inside a zip": lambda: zipped({"a.zip": zipped({"a": ZEROS}, deflated=False)}),
    "42.zip": lambda: zipped(
        {f"{n}.zip": zipped({f"{m}.zip": nested(3, ZEROS[: 10**6]) for m in range(6)}) for n in range(16)}
    ),
    "overlapping": lambda: overlapping(10_000),
    "a zip of bzip2 blocks": lambda: zipped({f"{n}.bz2": BLOCK for n in range(2000)}),
    "gzip in gzip": lambda: gzip.compress(gzip.compress(gzip.compress(gzip.compress(gzip.compress(PE))))),
    "gzip of zeros that say tar": lambda: gzip.compress(tarred({"a": ZEROS})),
    "many entries": lambda: zipped({f"{n}": b"" for n in range(7_000)}),
    "many folders": lambda: zipped({f"{n}/": b"" for n in range(7_000)}),
    "rar of empty blocks": lambda: b"Rar!\x1a\x07\0" + (bytes(3) + b"\0\0\x07\0") * 500_000,
    "many documents": lambda: zipped({f"{n}.doc": MACRO for n in range(3000)}),
    "a zip without a directory": lambda: zipped({"a": PE})[:-40],
}


@pytest.mark.parametrize("make", BOMBS.values(), ids=BOMBS.keys())
def test_a_bomb_is_told_and_costs_little(make: Callable[[], bytes]) -> None:
    content = make()
    data = part(content, named("a.zip"))
    began = time.process_time()
    found = risks_of(data)
    assert "nested" in found
    assert time.process_time() - began < 4


@pytest.mark.parametrize("name", ["1:1000 inside a zip", "overlapping", "gzip of zeros that say tar"])
def test_what_unpacks_to_much_takes_little_memory(name: str) -> None:
    data = part(BOMBS[name](), named("a.zip"))
    tracemalloc.start()
    risks_of(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * len(data) + 2 * ONE_OCTETS + 4_000_000


def test_an_encrypted_flag_alone_stops_nobody_from_looking_at_the_others() -> None:
    two = zipfile.ZipFile(io.BytesIO(encrypted(zipped({"a": PDF}))))
    assert two.namelist() == ["a"]
    both = encrypted(zipped({"a": PDF})) + zipped({"b.exe": PE})
    assert risks(both, "a.zip") == ["executable", "encrypted"]


def test_a_zip_that_says_two_things_is_taken_at_each() -> None:
    archive = zipped({"a.pdf": PDF})
    assert set(risks(archive.replace(b"a.pdf", b"a.exe", 1), "a.zip")) == {"executable"}
    at = archive.rindex(b"a.pdf")
    assert risks(archive[:at] + b"a.exe" + archive[at + 5 :], "a.zip") == ["executable"]
    claimed = bytearray(zipped({"a": PE}))
    claimed[claimed.index(b"PK\x01\x02") + 8] |= 1
    assert risks(bytes(claimed), "a.zip") == ["executable", "encrypted"]


SEEDS = [
    zipped({"a.doc": MACRO, "b.exe": PE}), MACRO, rar4("a"), rar5("a.exe"), tarred({"a": PE}),
    gzip.compress(PE), SEVEN_ZIP, ole({"Workbook": struct.pack("<HH", 0x85, 8) + bytes(8)}),
    bz2.compress(PE), lzma.compress(PE), PDF + zipped({"a": PE}), zipped({"a": PE}) * 3,
    b"From: a@b\r\n" + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + part(PE, named("a")),
    workbook({"[Content_Types].xml": b"<Types>&#x76;</Types>"}),
]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=8)), max_size=6),
    st.floats(0, 1),
)
def test_nothing_malformed_raises(seed: bytes, changes: list[tuple[float, bytes]], cut: float) -> None:
    made = bytearray(seed)
    for place, octets in changes:
        at = int(place * len(made))
        made[at : at + len(octets)] = octets
    risks(bytes(made[: int(cut * len(made)) + 1] if cut < 0.5 else made), "a.zip")


WHOLE = part(zipped({"a.doc": MACRO, "b.exe": PE}), named("hoá đơn.pdf.exe")) + part(
    PE, b"Content-Type: x/y", "8bit"
)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(WHOLE)), st.binary(max_size=20)), max_size=8))
def test_no_malformed_message_raises(changes: list[tuple[int, bytes]]) -> None:
    made = bytearray(WHOLE)
    for at, octets in changes:
        made[at : at + len(octets)] = octets
    risks_of(bytes(made))


def test_names_that_are_made_to_cost_cost_little() -> None:
    field = b"Content-Disposition: attachment; " + b"filename*0*=%41(\xc3;" * 180 + b"\r\n"
    data = (b"--b\r\n" + field * 4 + b"\r\nx\r\n") * 400
    began = time.process_time()
    assert risks_of(data) == ["nested"]
    assert time.process_time() - began < 4
