"""The hash of what is attached: the same files give the same, whatever client sent them."""

from __future__ import annotations

import base64
import binascii
import random

from mailgov.mail.attachments import attachments_hash
from mailgov.mail.headers import HeaderBlock
from mailgov.mail.mime import look

HEAD = b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
TEXT = b"--b\r\nContent-Type: text/plain\r\n\r\nKinh gui\r\n"
ONE, TWO = random.Random(1).randbytes(70_001), random.Random(2).randbytes(3_000)


def part(content: bytes, name: bytes = b"a.pdf", encoding: bytes = b"base64", columns: int = 76) -> bytes:
    if encoding == b"base64":
        signs = base64.b64encode(content)
        content = b"\r\n".join(signs[at : at + columns] for at in range(0, len(signs), columns))
    return (
        b"--b\r\nContent-Disposition: attachment; filename=" + name + b"\r\nContent-Transfer-Encoding: "
        + encoding + b"\r\n\r\n" + content + b"\r\n"
    )  # fmt: skip


def hash_of(*parts: bytes, head: bytes = HEAD, **limits: int) -> str | None:
    message = head + b"".join(parts) + b"--b--\r\n"
    return attachments_hash(message, look(message, header=HeaderBlock.scan(message), **limits))


def test_nothing_attached_has_no_hash() -> None:
    assert hash_of(TEXT) is None
    assert hash_of(b"--b\r\nContent-Type: text/html\r\nContent-Disposition: inline\r\n\r\n<p>\r\n") is None


def test_other_content_gives_another_hash() -> None:
    hashes = {
        hash_of(part(ONE)),
        hash_of(part(TWO)),
        hash_of(part(ONE + b"x")),
        hash_of(part(ONE), part(TWO)),
    }
    assert len(hashes) == 4
    assert None not in hashes


def test_names_order_text_and_line_lengths_do_not_matter() -> None:
    wanted = hash_of(TEXT, part(ONE), part(TWO))
    assert hash_of(part(TWO, b"phu-luc.pdf"), part(ONE, b"b.pdf")) == wanted
    assert hash_of(part(ONE, columns=60), part(TWO, columns=1000)) == wanted
    assert wanted is not None
    assert len(wanted) == 64


def test_the_encoding_does_not_matter() -> None:
    text = "Lịch công tác tuần\r\nthứ hai: họp = giao ban\r\n".encode() * 40_000
    wanted = hash_of(part(text))
    assert hash_of(part(text, encoding=b"8bit")) == wanted
    quoted = binascii.b2a_qp(text.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")
    assert hash_of(part(quoted, encoding=b"QUOTED-PRINTABLE; x")) == wanted


def test_an_attached_message_is_hashed_whole_and_what_it_holds_not_again() -> None:
    inner = HEAD + part(ONE) + b"--b--\r\n"
    outer = HEAD.replace(b"=b\r\n", b"=c\r\n")
    attached = b"--c\r\nContent-Type: message/rfc822\r\n\r\n" + inner + b"\r\n"
    message = outer + attached + b"--c--\r\n"
    seen = look(message, header=HeaderBlock.scan(message))
    assert (seen.attachments, len(seen.contents)) == (2, 1)
    assert attachments_hash(message, seen) != hash_of(part(ONE))


def test_what_was_not_seen_whole_has_no_hash() -> None:
    assert hash_of(part(ONE), part(TWO), part_limit=1) is None


def test_damaged_base64_still_has_one() -> None:
    for damaged in (b"====", b"AAAA=AAA\x00", b"A", b"AA", b""):
        assert hash_of(part(damaged, encoding=b"base64 ")) is not None
