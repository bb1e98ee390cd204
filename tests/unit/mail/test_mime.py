"""The look into a message: names and signatures, within bounds."""

from __future__ import annotations

import base64
import mmap
import tempfile
import time

import pytest

from mailgov.mail.attachments import attachments_hash
from mailgov.mail.headers import HeaderBlock
from mailgov.mail.mime import Data, MimeLook, look

PDF = b"Content-Type: application/pdf\r\nContent-Disposition: attachment; filename=%s\r\n\r\nJVBERi0=\r\n"
MIXED = b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n'


def look_at(message: bytes, **limits: int) -> MimeLook:
    return look(message, header=HeaderBlock.scan(message), **limits)


def mixed(*parts: bytes, boundary: bytes = b"b") -> bytes:
    delimiter = b"--" + boundary + b"\r\n"
    return b"".join(delimiter + part for part in parts) + b"--" + boundary + b"--\r\n"


def test_a_message_without_parts() -> None:
    assert look_at(b"Subject: a\r\n\r\nbody") == MimeLook()


def test_the_message_itself_may_be_the_attachment() -> None:
    seen = look_at(b"Subject: a\r\n" + PDF % b"a.pdf")
    assert (seen.attachment_names, seen.attachments) == (("a.pdf",), 1)


def test_names_of_nested_parts_in_order_each_once() -> None:
    inner = b"Content-Type: multipart/related; boundary=bb\r\n\r\n" + mixed(
        b"Content-Type: text/html\r\n\r\n<p>\r\n",
        b"Content-Type: image/png; name=logo.png\r\n\r\nx\r\n",
        boundary=b"bb",
    )
    seen = look_at(MIXED + b"preamble\r\n" + mixed(inner, PDF % b"a.pdf", PDF % b"a.pdf") + b"epilogue")
    assert seen.attachment_names == ("logo.png", "a.pdf")
    assert seen.attachments == 3
    assert seen.complete


def test_both_names_are_kept_where_they_differ() -> None:
    part = (
        b"Content-Type: x/y; name=one.pdf\r\nContent-Disposition: attachment; filename=two.pdf\r\n\r\nx\r\n"
    )
    assert look_at(MIXED + mixed(part)).attachment_names == ("two.pdf", "one.pdf")


def test_an_attachment_without_a_name_is_counted() -> None:
    seen = look_at(MIXED + mixed(b"Content-Disposition: attachment\r\n\r\nx\r\n"))
    assert (seen.attachment_names, seen.attachments) == ((), 1)


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        (b'"../../etc/passwd"', "passwd"),
        (b'"C:\\\\Users\\\\an\\\\a.doc"', "a.doc"),
        (b'"C:\\Users\\a.doc"', "a.doc"),
        (b'"a\x00b\x1b.doc"', "a b .doc"),
        (b'"=?utf-8?B?' + base64.b64encode("a\u202ecod.exe".encode()) + b'?="', "acod.exe"),
    ],
)
def test_names_lose_paths_and_control_characters(name: bytes, clean: str) -> None:
    assert look_at(MIXED + mixed(PDF % name)).attachment_names == (clean,)


@pytest.mark.parametrize("name", [b'""', b'".."', b'"/"', b'"a/"', b'" "'])
def test_a_name_that_is_nothing_is_no_name(name: bytes) -> None:
    seen = look_at(MIXED + mixed(PDF % name))
    assert (seen.attachment_names, seen.attachments) == ((), 1)


def test_an_attached_message_is_entered() -> None:
    inner = b"Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n" + PDF % b"inner.pdf"
    seen = look_at(MIXED + mixed(inner))
    assert (seen.attachment_names, seen.attachments) == (("inner.pdf",), 2)


def test_only_a_boundary_that_starts_a_line_counts() -> None:
    fake = b"text --b\r\n --b\r\n--bx\r\n--b-- x\r\n"
    seen = look_at(MIXED + mixed(b"\r\n" + fake + PDF % b"not-a-part.pdf", PDF % b"a.pdf"))
    assert seen.attachment_names == ("a.pdf",)


def test_boundary_lines_may_end_in_white_space_and_lines_in_lf() -> None:
    body = b"--b \t\r\n" + PDF % b"a.pdf" + b"--b--  \r\n" + b"--b\r\n" + PDF % b"after-the-end.pdf"
    assert look_at(MIXED + body).attachment_names == ("a.pdf",)
    assert look_at((MIXED + body).replace(b"\r\n", b"\n")).attachment_names == ("a.pdf",)


def test_a_cut_message_shows_what_is_there() -> None:
    assert look_at(MIXED + b"--b\r\n" + PDF % b"a.pdf").attachment_names == ("a.pdf",)
    assert look_at(MIXED + b"--b") == MimeLook()
    assert look_at(b"Content-Type: multipart/mixed\r\n\r\n--\r\n") == MimeLook(complete=False)


@pytest.mark.parametrize(
    ("header", "signatures"),
    [
        (b"DKIM-Signature: v=1\r\n", ("dkim",)),
        (
            b'Content-Type: multipart/signed; protocol="application/pkcs7-signature"; boundary=b\r\n',
            ("smime",),
        ),
        (b"Content-Type: multipart/signed; protocol=application/pgp-signature; boundary=b\r\n", ("pgp",)),
        (b"Content-Type: application/pkcs7-mime; smime-type=signed-data; name=smime.p7m\r\n", ("smime",)),
        (b"Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m\r\n", ()),
        (b"Content-Type: multipart/signed; boundary=b\r\n", ()),
    ],
)
def test_signatures(header: bytes, signatures: tuple[str, ...]) -> None:
    assert look_at(header + b"\r\n").signatures == signatures


def test_a_detached_signature_is_no_attachment() -> None:
    signed = b"Content-Type: multipart/signed; protocol=application/pkcs7-signature;\r\n boundary=b\r\n"
    head = b"DKIM-Signature: v=1\r\n" + signed + b"\r\n"
    signature = b"Content-Type: application/pkcs7-signature; name=smime.p7s\r\n\r\nMII=\r\n"
    seen = look_at(head + mixed(PDF % b"a.pdf", signature))
    assert (seen.attachment_names, seen.signatures, seen.attachments) == (("a.pdf",), ("dkim", "smime"), 1)


@pytest.mark.parametrize("form", ["bytes", "bytearray", "memoryview", "mmap"])
def test_every_form_of_data_gives_the_same(form: str) -> None:
    filler = b"Content-Type: text/plain\r\n\r\n" + b"x" * 76 * 50_000 + b"\r\n"
    message = MIXED + mixed(filler, PDF % b"a.pdf", filler, PDF % b"b.pdf")
    header = HeaderBlock.scan(message)
    with tempfile.TemporaryFile() as file:
        file.write(message)
        file.flush()
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            forms: dict[str, Data] = {
                "bytes": message,
                "bytearray": bytearray(message),
                "memoryview": memoryview(message),
                "mmap": mapped,
            }
            seen = look(forms[form], header=header)
            assert (seen.attachment_names, seen.attachments, seen.complete) == (("a.pdf", "b.pdf"), 2, True)
            hashes = {attachments_hash(forms[form], seen), attachments_hash(message, seen)}
            assert len(hashes) == 1


def test_limits_are_said() -> None:
    parts = [PDF % b"%d.pdf" % number for number in range(5)]
    assert look_at(MIXED + mixed(*parts), part_limit=3).attachments == 3
    assert not look_at(MIXED + mixed(*parts), part_limit=3).complete
    few = look_at(MIXED + mixed(*parts), name_limit=2)
    assert (len(few.attachment_names), few.attachments, few.complete) == (2, 5, True), "nothing unseen"


def nested(depth: int) -> bytes:
    opening = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (level, level)
        for level in range(depth)
    )
    return opening + PDF % b"deep.pdf"


def test_depth_is_bounded() -> None:
    assert look_at(nested(50)).attachment_names == ("deep.pdf",)
    seen = look_at(nested(1000))
    assert (seen.attachment_names, seen.complete) == ((), False)


@pytest.mark.parametrize(
    "message",
    [
        MIXED + b"--b\r\n" * 1_000_000,
        MIXED + b"--bx\r\n" * 1_000_000,
        MIXED + b"\r\n--" * 2_000_000,
        nested(1000) + b"x" * 10_000_000,
        b"Content-Type: message/rfc822\r\n\r\n" * 50_000,
        MIXED + b"--b\r\n" + b"a: b\r\n" * 1_000_000,
        MIXED + (b"--b\r\n" + b"a: b\r\n" * 1000) * 1000,
        MIXED + (b"--b\r\nContent-Type: a/b" + b';a="' * 1500 + b"\r\n\r\n") * 1000,
    ],
    ids=["boundaries", "near-boundaries", "dashes", "nested", "messages", "endless", "headers", "parameters"],
)
def test_a_hostile_message_costs_bounded_time(message: bytes) -> None:
    header = HeaderBlock.scan(message)
    started = time.process_time()
    look(message, header=header)
    assert time.process_time() - started < 2


def test_a_large_attachment_is_passed_at_the_speed_of_a_search() -> None:
    part = b"Content-Disposition: attachment; filename=big.pdf\r\n\r\n" + b"QUJDQUJD\r\n" * 4_000_000
    message = MIXED + mixed(part, PDF % b"a.pdf")
    header = HeaderBlock.scan(message)
    started = time.process_time()
    assert look(message, header=header).attachment_names == ("big.pdf", "a.pdf")
    assert time.process_time() - started < 1


# Marks of secrecy, under whatever name a reader may show what is attached

MARKED = "TUYỆT MẬT.docx".encode()
PERCENT = b"".join(b"%%%02X" % octet for octet in MARKED)
PLAIN = b'attachment; filename="' + MARKED + b'"'


def part(disposition: bytes = PLAIN, before: bytes = b"") -> bytes:
    return (
        before
        + b"Content-Type: application/octet-stream\r\nContent-Disposition: "
        + disposition
        + (b"\r\n\r\nx\r\n")
    )


@pytest.mark.parametrize(
    "disposition",
    [
        PLAIN,
        b'attachment; filename="' + MARKED + b'\xff"',
        b"attachment; filename=\"ok.docx\"; filename*=utf-8''" + PERCENT,
        PLAIN + b"; filename*=utf-8''ok.docx",
        PLAIN + b'; filename*0="ok.docx"',
        b'attachment; filename="ok.docx"; filename="' + MARKED + b'"',
        b"attachment; filename*0*=utf-8''ok.docx; filename*0*=utf-8''" + PERCENT,
        b"attachment; filename*0*=utf-8''a%20; filename*1000*=" + PERCENT,
        b"attachment; filename*1*=" + PERCENT,
        b"attachment; filename*=iso-8859-1''" + PERCENT,
        b'attachment; filename="' + PERCENT + b'"',
        b"attachment; filename=\"UTF-8''" + PERCENT + b'"',
        b'attachment (c); filename="' + MARKED + b'"',
        b'attachment; (c) filename="' + MARKED + b'"',
        b'attachment; filename (c) = "' + MARKED + b'"',
        b'attachment; filename=(c)"' + MARKED + b'"',
        b'attachment; x="(; filename="' + MARKED + b'"',
        b'attachment filename="' + MARKED + b'"',
        b'attachment; x="a; filename="' + MARKED + b'"',
        b'attachment; x="a\\"; filename="' + MARKED + b'"',
        b"attachment; " + b"".join(b"p%d=1; " % n for n in range(250)) + b'filename="' + MARKED + b'"',
        b'attachment; x="' + b"a" * 17_000 + b'"; filename="' + MARKED + b'"',
        b'attachment; filename="' + b"a" * 300 + b" " + MARKED + b'"',
        'attachment; filename="TUYỆT MẬT/12.docx"'.encode(),
        'attachment; filename="ＴＵＹỆＴ ＭẬＴ.docx"'.encode(),
        b"attachment; filename==?utf-8?B?VFVZ4b?= =?utf-8?B?uGVCBN4bqsVA==?=",
        b"attachment\r\nContent-Disposition: " + PLAIN,
        b"attachment\r\nContent-Type: x/y; name=" + MARKED,
        b"attachment\r\nContent-Description: =?utf-8?B?" + base64.b64encode(MARKED) + b"?=",
    ],
)
def test_every_name_of_an_attachment_is_judged(disposition: bytes) -> None:
    seen = look_at(MIXED + mixed(part(disposition)))
    assert (seen.secrecy, seen.complete) == ("TUYỆT MẬT", True)


@pytest.mark.parametrize(
    "disposition",
    [
        b"attachment; filename=a.docx",
        'attachment; filename="Đổi MẬT KHẨU.docx"'.encode(),
        # Cut by the client between the two syllables of an innocent word.
        'attachment; filename*0="ĐỔI MẬT"; filename*1=" KHẨU.docx"'.encode(),
        b"attachment; filename*0*=utf-8''%C4%90%E1%BB%94I%20M%E1%BA%ACT; filename*1*=%20KH%E1%BA%A8U.docx",
        'attachment; filename="BẢO MẬT (1).docx"'.encode(),
        "attachment; filename=BẢO MẬT (1).docx".encode(),
    ],
)
def test_innocent_names_stay_innocent(disposition: bytes) -> None:
    seen = look_at(MIXED + mixed(part(disposition)))
    assert (seen.secrecy, seen.complete) == (None, True)


def typed(content_type: bytes, body: bytes) -> bytes:
    return b"From: a@b\r\nContent-Type: " + content_type + b"\r\n\r\n" + body


def in_base64(content: bytes) -> bytes:
    return b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(content).replace(b"\n", b"\r\n")


ATTACHED = b"From: a@b\r\nSubject: " + MARKED + b"\r\n\r\nx\r\n"


@pytest.mark.parametrize(
    "message",
    [
        typed(b"multipart/mixed (hi); boundary=b", mixed(part())),
        typed(b"(hi) multipart/mixed; boundary=b", mixed(part())),
        typed(b"multipart / mixed; boundary=b", mixed(part())),
        typed(b"multipart/mixed; boundary=b (c)", mixed(part())),
        typed(b"multipart/mixed; boundary=(c) b", mixed(part())),
        typed(b"multipart/mixed; boundary=z; boundary=b", mixed(part())),
        typed(b"multipart/mixed; boundary=" + b"b" * 400, mixed(part(), boundary=b"b" * 400)),
        typed(b"text/plain\r\nContent-Type: multipart/mixed; boundary=b", mixed(part())),
        typed(b"multipart/digest; boundary=b", mixed(b"\r\n" + ATTACHED)),
        typed(b"multipart/digest; boundary=b", mixed(b"\r\nFrom: x\r\n" + part())),
        MIXED + mixed(b"Content-Type: message/rfc822\r\n\r\n" + ATTACHED),
        MIXED + mixed(b"Content-Type: message/rfc822 (c)\r\n\r\n" + ATTACHED),
        MIXED + mixed(b"Content-Type: message/global\r\n\r\nSubject: x\r\n" + ATTACHED),
        MIXED + mixed(b"Content-Type: message/rfc822\r\n" + in_base64(ATTACHED)),
        MIXED + mixed(b"Content-Type: message/rfc822\r\n" + in_base64(b"Subject: x\r\n" + part())),
        MIXED + mixed(typed(b"multipart/mixed; boundary=c", b"").strip() + b"\r\n"
                      + in_base64(mixed(part(), boundary=b"c"))),
        MIXED + mixed(b"Content-Type: application/pkcs7-signature\r\n" + part()),
        typed(b"message/partial; id=a; number=1; total=2", ATTACHED),
        MIXED + mixed(part(before=b"X:\r\n" * 900)),
        MIXED + mixed(part(before=b"X: " + b"y" * 60_000 + b"\r\n")),
        MIXED + mixed(*[PDF % b"%d.pdf" % number for number in range(900)], part()),
        nested(49).removesuffix(PDF % b"deep.pdf") + part(),
    ],
    ids=range(22),
)  # fmt: skip
def test_a_mark_is_found_where_lenient_readers_find_it(message: bytes) -> None:
    seen = look_at(message)
    assert (seen.secrecy, seen.complete) == ("TUYỆT MẬT", True)


@pytest.mark.parametrize(
    "message",
    [
        MIXED + mixed(part(before=b"X:\r\n" * 1001)),
        MIXED + mixed(part(before=b"X: " + b"y" * 70_000 + b"\r\n")),
        MIXED + mixed(part(b"attachment; " + b"p=1; " * 301 + b'filename="' + MARKED + b'"')),
        MIXED + mixed(*[b"\r\n\r\n"] * 1001, part()),
        MIXED + b"--bx\r\n" * 20_001 + mixed(part()),
        typed(b'multipart/mixed; boundary=""', b"--\r\n" + part()),
        typed(b"multipart/mixed; boundary=" + b"b" * 2000, mixed(part(), boundary=b"b" * 2000)),
        nested(60),
        MIXED + mixed(b"Content-Type: message/rfc822\r\n\r\nSubject: " + b"a\r\n " * 50_000 + ATTACHED),
        MIXED + mixed(b"Content-Type: message/rfc822\r\n" + in_base64(b"x" * (1 << 24) + ATTACHED)),
        MIXED + mixed(*[part(b"attachment; filename*=utf-8''" + b"%C3" * 2000)] * 200, part()),
        MIXED + mixed(*[part(before=b"X:\r\n" * 990)] * 210),
    ],
    ids=["fields", "header", "parameters", "parts", "false boundaries", "no boundary", "long boundary",
         "depth", "subject", "decoded", "names", "all fields"],
)  # fmt: skip
def test_every_bound_that_may_hide_a_name_is_told(message: bytes) -> None:
    assert not look_at(message).complete
