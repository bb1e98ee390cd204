"""Line ends and lengths, whatever the chunks' edges."""

from __future__ import annotations

import itertools

import pytest

from mailgov.relay.line_ends import BareLineEnd, Lines


def settled(lines: Lines, *pieces: bytes) -> bytes:
    return b"".join([*(lines.feed(piece) for piece in pieces), lines.end()])


def all_edges(text: bytes) -> list[tuple[bytes, ...]]:
    """The text in one, two and three pieces, cut everywhere."""
    cuts = itertools.combinations_with_replacement(range(len(text) + 1), 2)
    return [(text[:a], text[a:b], text[b:]) for a, b in cuts]


@pytest.mark.parametrize("text", [b"", b"a\r\n", b"\r\n\r\n.\r\n", b"a\r\n\r\nb\r\n"])
def test_what_is_right_stays(text: bytes) -> None:
    for pieces in all_edges(text):
        assert settled(Lines(), *pieces) == text
        assert settled(Lines(normalize=True), *pieces) == text


@pytest.mark.parametrize(
    "text", [b"\n", b"\r", b"a\rb\r\n", b"a\nb\r\n", b"a\r\r\n", b"a\n\r\n", b"\r\n\r", b"\n\r"]
)
def test_what_is_bare_is_refused(text: bytes) -> None:
    for pieces in all_edges(text):
        with pytest.raises(BareLineEnd):
            settled(Lines(), *pieces)


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        (b"a\nb\rc\r\n", b"a\r\nb\r\nc\r\n"),
        (b"a\r\r\n", b"a\r\n\r\n"),
        (b"a\n\r\n", b"a\r\n\r\n"),
        (b"a\n\rb\r\n", b"a\r\n\r\nb\r\n"),
        (b"a\n.\n", b"a\r\n.\r\n"),
        (b"a\r", b"a\r\n"),
    ],
)
def test_or_mended(text: bytes, mended: bytes) -> None:
    for pieces in all_edges(text):
        assert settled(Lines(normalize=True), *pieces) == mended


def test_an_open_last_line_is_closed() -> None:
    for pieces in all_edges(b"a\r\nb"):
        assert settled(Lines(), *pieces) == b"a\r\nb\r\n"


@pytest.mark.parametrize("normalize", [True, False])
def test_a_line_is_measured_with_its_crlf(normalize: bool) -> None:
    for text, fits in (
        (b"12345678\r\n", True),
        (b"123456789\r\n", False),
        (b"a\r\n12345678\r\n12345678", True),
        (b"a\r\n123456789\r\na\r\n", False),
        (b"1234567890", False),
    ):
        for pieces in all_edges(text):
            lines = Lines(normalize=normalize, limit_octets=10)
            settled(lines, *pieces)
            assert lines.too_long is not fits
