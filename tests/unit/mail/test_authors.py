"""Who claims to have written: the addresses of From and Sender."""

from __future__ import annotations

import pytest

from mailgov.mail.authors import AUTHOR_OCTETS, addresses_shown, author_addresses


@pytest.mark.parametrize(
    ("value", "addresses"),
    [
        (b"an@example.org", ("an@example.org",)),
        (b"An <AN@Example.ORG>", ("an@example.org",)),
        (b"=?utf-8?B?QW4=?= <an@x.vn>", ("an@x.vn",)),
        # A display name is never an author, whatever it looks like.
        (b'"boss@gov.vn" <an@x.vn>', ("an@x.vn",)),
        # Unquoted it is no display name: some readers take it for the address.
        (b"boss@gov.vn <an@x.vn>", ("an@x.vn", "boss@gov.vn")),
        (b"an@x.vn <an@x.vn>", ("an@x.vn",)),
        (b"boss(x)@gov.vn <an@x.vn>", ("an@x.vn", "boss@gov.vn")),
        (b"<an@x.vn> boss@gov.vn", ("an@x.vn", "boss@gov.vn")),
        (b"The boss @ gov.vn <an@x.vn>", ("an@x.vn", "boss@gov.vn")),
        (
            b'"boss"@gov.vn <an@x.vn>',
            ("an@x.vn", "boss@gov.vn"),
        ),  # quoted or not, one mailbox (RFC 5321 4.1.2)
        (b"boss@gov.vn: an@x.vn;", ("boss@gov.vn", "an@x.vn")),
        (b"<@one.vn,@two.vn:an@x.vn>", ("an@x.vn",)),
        (b"an@x.vn (boss@gov.vn (nested) \\) )", ("an@x.vn",)),
        (b"Nguyen, Van A <an@x.vn>", ("an@x.vn",)),
        (b"a@x, B <b@y>; a@x", ("a@x", "b@y")),
        (b"<a@x> <b@y>", ("a@x", "b@y")),
        (b"Group: a@x, b@y;", ("a@x", "b@y")),
        (b"<@relay.example:a@x>", ("a@x",)),
        (b"a (c) @ x . vn", ("a@x.vn",)),
        # Comments and blanks may stand around the words of an address in angle brackets too.
        (b"<boss@(x)gov.vn>", ("boss@gov.vn",)),
        (b"<boss(x)@gov.vn>", ("boss@gov.vn",)),
        (b"<(a(b)\\)) boss . (c) b\t@  gov (d). vn (e)>", ("boss.b@gov.vn",)),
        (b'< "boss" @gov.vn >', ("boss@gov.vn",)),
        (b'<"a . b (c)"@x.vn>', ('"a . b (c)"@x.vn',)),
        (b"<@relay (x) . example:a@(y)x>", ("a@x",)),
        (b'"a b"@x.vn', ('"a b"@x.vn',)),
        ("Nguyễn <ễ@ví-dụ.vn>".encode(), ("ễ@ví-dụ.vn",)),
        (b"Nguy\xea <an@x.vn>", ("an@x.vn",)),
        (b"", ()),
        (b"<>", ()),
        (b"nobody", ()),
        (b"(", ()),
        (b"<a@x", ()),
        (b"<bo ss@gov.vn>", ()),
        (b"<boss@gov.vn .(x) example an>", ()),
        (b"<boss@(gov.vn>", ()),
        (b"<boss@gov(>).vn>", ()),
        (b'<"boss@gov.vn>', ()),
        (b"<boss@gov.vn.>", ()),
        (b"An an@x.vn", ()),
        (b'"boss@gov.vn", an@x.vn', ()),
        (b"<an@gov.vn:nv@x.vn>", ()),
        (b"<@boss@gov.vn:an@x.vn>", ()),
        (b"an@x.vn (", ()),
        (b"an@x.vn (, boss@gov.vn", ()),
        (b"boss@gov.vn\0<an@x.vn>", ()),
        (b"An\x0b<an@x.vn>", ()),
        (b'\\"<boss@gov.vn>, " <an@x.vn>', ()),
        (b'"An <an@x.vn>', ()),
        (b"x@ <an@x.vn>", ()),
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
        b"an@x.vn" + b" " * AUTHOR_OCTETS,
    ],
)
def test_a_malformed_author_does_not_hide_behind_a_good_one(value: bytes) -> None:
    assert author_addresses(value) == ()


@pytest.mark.parametrize(
    "value",
    [
        b'"boss@gov.vn" <an@x.vn>',
        b"an@x.vn (boss@gov.vn)",
        b"=?utf-8?B?Ym9zc0Bnb3Yudm4=?= <an@x.vn>",
        b"=?utf-8?Q?The_boss_=3Cboss=40gov.vn=3E?= <an@x.vn>",
        "boss＠gov.vn <an@x.vn>".encode(),
        b"\"'BOSS@Gov.vn'\" <an@x.vn>",
        b'"boss@gov.vn\xff, The" <an@x.vn>',
        b'"boss@gov.vn." <an@x.vn>',
    ],
)
def test_whatever_reads_like_an_address_is_told(value: bytes) -> None:
    assert {"boss@gov.vn", "an@x.vn"} & addresses_shown(value) >= {"boss@gov.vn"}


@pytest.mark.parametrize(
    "value",
    [
        b"An <an@x.vn>",
        b'"an@x.vn" <an@x.vn>',
        b"An @ home <an@x.vn>",
        b"@an <an@x.vn>",
        b'"an@localhost" <an@x.vn>',
    ],
)
def test_what_is_no_address_is_not_shown_as_one(value: bytes) -> None:
    assert addresses_shown(value) == {"an@x.vn"}
