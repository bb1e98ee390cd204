"""The header scan: fields by offset, tolerant of what clients get wrong."""

from __future__ import annotations

import pytest

from mailgov.mail.headers import Field, HeaderBlock, date_ms, is_automatic, message_id

HEADER = b"Received: from a\r\n\tby b\r\nFrom: An <an@example.org>\r\nSUBJECT : hello\r\nX-Empty:\r\n\r\n"


def test_fields_lie_end_to_end_with_their_folded_lines() -> None:
    block = HeaderBlock.scan(HEADER + b"body\r\n\r\nmore")
    assert [field.name for field in block.fields] == [b"received", b"from", b"subject", b"x-empty"]
    assert b"".join(block.raw[f.start : f.end] for f in block.fields) == HEADER[:-2]
    assert block.raw == HEADER
    assert block.size == len(HEADER)
    assert block.complete


def test_values_are_unfolded_and_trimmed() -> None:
    block = HeaderBlock.scan(HEADER)
    assert block.first(b"received") == b"from a\tby b"
    assert block.first(b"x-empty") == b""
    assert block.first(b"to") is None


def test_space_before_the_colon_is_tolerated() -> None:
    assert HeaderBlock.scan(HEADER).first(b"subject") == b"hello"


def test_a_line_that_is_no_field_has_no_name_and_keeps_its_text() -> None:
    block = HeaderBlock.scan(b"From mbox line\r\nnot a field\r\nTo: x@y\r\n\r\n")
    assert [field.name for field in block.fields] == [b"", b"", b"to"]
    assert block.value(block.fields[1]) == b"not a field"
    assert block.value(block.fields[0]) == b"From mbox line"


def test_all_and_count_see_every_field_of_a_name() -> None:
    block = HeaderBlock.scan(b"To: a\r\nCc: b\r\nto: c\r\n\r\n")
    assert block.all(b"to") == [b"a", b"c"]
    assert block.count(b"to") == 2
    assert block.count(b"bcc") == 0


@pytest.mark.parametrize(
    ("raw", "size", "names"),
    [
        (b"", 0, []),
        (b"\r\nbody", 2, []),
        (b"\nbody", 1, []),
        (b"A: b", 4, [b"a"]),
        (b"A: b\r\n", 6, [b"a"]),
        (b"A: b\nC: d\n\nbody\r\n\r\n", 11, [b"a", b"c"]),
        (b" folded first\r\nA: b\r\n\r\n", 23, [b"", b"a"]),
        (b"A: b\r\n \r\nC: d\r\n\r\n", 17, [b"a", b"c"]),
        (b"A b: c\r\n\r\n", 10, [b""]),
        (b": no name\r\n\r\n", 13, [b""]),
    ],
)
def test_edges(raw: bytes, size: int, names: list[bytes]) -> None:
    block = HeaderBlock.scan(raw)
    assert (block.size, [field.name for field in block.fields]) == (size, names)


def test_too_many_fields_become_one_nameless_rest() -> None:
    block = HeaderBlock.scan(b"A: b\r\n" * 5 + b"\r\n", field_limit=3)
    assert [field.name for field in block.fields] == [b"a", b"a", b"a", b""]
    assert block.fields[-1] == Field(b"", 18, 17, 30)
    assert not block.complete


@pytest.mark.parametrize(
    ("header", "reverse_path", "automatic"),
    [
        (b"Subject: hello\r\n", "an@example.org", False),
        (b"Subject: hello\r\n", None, False),
        (b"Subject: hello\r\n", "", True),
        (b"Auto-Submitted: no\r\n", "a@b", False),
        (b"Auto-Submitted: No (by hand)\r\n", "a@b", False),
        (b"Auto-Submitted: auto-replied; owner=x\r\n", "a@b", True),
        (b"Precedence: bulk\r\n", "a@b", True),
        (b"Precedence: list\r\n", "a@b", True),
        (b"Precedence: first-class\r\n", "a@b", False),
        (b"X-Auto-Response-Suppress: All\r\n", "a@b", True),
        (b"Content-Type: multipart/report;\r\n report-type=disposition-notification\r\n", "a@b", True),
        (b'Content-Type: multipart/report; report-type="delivery-status"\r\n', "a@b", True),
        (b"Content-Type: multipart/report\r\n", "a@b", False),
        (b"Content-Type: multipart/mixed; boundary=x\r\n", "a@b", False),
    ],
)
def test_what_a_program_wrote(header: bytes, reverse_path: str | None, automatic: bool) -> None:
    assert is_automatic(HeaderBlock.scan(header + b"\r\n"), reverse_path) is automatic


def test_message_id_and_date() -> None:
    block = HeaderBlock.scan(b"Message-ID:\r\n <a.b@c> (x)\r\nDate: Mon, 02 Nov 2026 08:15:00 +0700\r\n\r\n")
    assert message_id(block) == "<a.b@c>"
    assert date_ms(block) == 1_793_582_100_000


@pytest.mark.parametrize("value", [b"", b"yesterday", b"\xff", b"Mon, 99 Nov 2026", b"1" * 300])
def test_a_malformed_date_is_none(value: bytes) -> None:
    assert date_ms(HeaderBlock.scan(b"Date: " + value + b"\r\n\r\n")) is None


def test_a_message_id_without_brackets_is_none() -> None:
    assert message_id(HeaderBlock.scan(b"Message-ID: abc\r\n\r\n")) is None
