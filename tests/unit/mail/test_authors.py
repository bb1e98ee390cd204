"""Who claims to have written: the addresses of From and Sender."""

from __future__ import annotations

import pytest

from mailgov.mail.authors import author_addresses


@pytest.mark.parametrize(
    ("value", "addresses"),
    [
        (b"an@example.org", ("an@example.org",)),
        (b"An <AN@Example.ORG>", ("an@example.org",)),
        (b"=?utf-8?B?QW4=?= <an@x.vn>", ("an@x.vn",)),
        # A display name is never an author, whatever it looks like.
        (b'"boss@gov.vn" <an@x.vn>', ("an@x.vn",)),
        (b"boss@gov.vn <an@x.vn>", ("an@x.vn",)),
        (b"an@x.vn (boss@gov.vn (nested) \\) )", ("an@x.vn",)),
        (b"Nguyen, Van A <an@x.vn>", ("an@x.vn",)),
        (b"a@x, B <b@y>; a@x", ("a@x", "b@y")),
        (b"<a@x> <b@y>", ("a@x", "b@y")),
        (b"Group: a@x, b@y;", ("a@x", "b@y")),
        (b"<@relay.example:a@x>", ("a@x",)),
        (b"a (c) @ x . vn", ("a@x.vn",)),
        (b'"a b"@x.vn', ('"a b"@x.vn',)),
        ("Nguyễn <ễ@ví-dụ.vn>".encode(), ("ễ@ví-dụ.vn",)),
        (b"Nguy\xea <an@x.vn>", ("an@x.vn",)),
        (b"", ()),
        (b"<>", ()),
        (b"nobody", ()),
        (b"(", ()),
        (b"<a@x", ()),
        (b"An an@x.vn", ()),
    ],
)
def test_addresses(value: bytes, addresses: tuple[str, ...]) -> None:
    assert author_addresses(value) == addresses


@pytest.mark.parametrize(
    "value",
    [
        b"an@x.vn, boss@@gov.vn",
        b"an@x.vn, <boss@gov..vn>",
        b"an@x.vn, bo\xffss@gov.vn",
        b", ".join(b"a%d@x.vn" % number for number in range(300)),
        b"an@x.vn" + b" " * 20_000,
    ],
)
def test_a_malformed_author_does_not_hide_behind_a_good_one(value: bytes) -> None:
    assert author_addresses(value) == ()
