"""Dots and the end of data: whatever the chunks' edges, what goes in comes out."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailgov.relay.content import Content, dotted, whole
from mailgov.relay.data import DotReader

pieces = st.lists(
    st.sampled_from([b".", b"..", b"\r\n", b"a", b"\r", b"\n", b"\r\n.", b"x.\r\n", b"\r\n.\n", b"\n.\r\n"]),
    max_size=30,
)


def lines_of(parts: list[bytes]) -> bytes:
    """A message as a client has it: CRLF ends every line, and nothing else breaks one."""
    text = b"".join(parts).replace(b"\r\n", b"\n").replace(b"\r", b"").split(b"\n")
    return b"".join(line + b"\r\n" for line in text)


def stuffed(message: bytes) -> bytes:
    """RFC 5321 4.5.2, line by line."""
    lines = message.split(b"\r\n")
    return b"\r\n".join(b"." + line if line.startswith(b".") else line for line in lines) + b".\r\n"


def chunked(data: bytes, edges: list[int]) -> list[bytes]:
    cuts = [0, *sorted(edge % (len(data) + 1) for edge in edges), len(data)]
    return [data[a:b] for a, b in pairwise(cuts)]


@given(pieces, st.lists(st.integers(0, 10_000), max_size=12), st.binary(max_size=20))
def test_a_message_comes_out_as_it_was_whatever_the_edges(
    parts: list[bytes], edges: list[int], behind: bytes
) -> None:
    message = lines_of(parts)
    reader = DotReader()
    out = b""
    rest = b""
    for chunk in chunked(stuffed(message) + behind, edges):
        if reader.ended:
            rest += chunk
        else:
            out += reader.feed(chunk)
            rest += reader.rest
    assert reader.ended
    assert out == message
    assert rest == behind


@given(pieces, st.lists(st.integers(0, 10_000), max_size=12))
def test_only_crlf_dot_crlf_ends_data(parts: list[bytes], edges: list[int]) -> None:
    raw = b"".join(parts)
    reader = DotReader()
    for chunk in chunked(raw, edges):
        reader.feed(chunk)
        if reader.ended:
            break
    assert reader.ended == (b"\r\n.\r\n" in b"\r\n" + raw)


def test_an_empty_message_ends_at_once() -> None:
    reader = DotReader()
    assert reader.feed(b".\r\nQUIT\r\n") == b""
    assert reader.rest == b"QUIT\r\n"


@given(pieces, st.integers(0, 10_000))
def test_what_leaves_is_stuffed_across_head_and_file(parts: list[bytes], cut: int) -> None:
    import asyncio
    import tempfile

    message = lines_of(parts)
    cut %= len(message) + 1

    async def sent(file: Path) -> bytes:
        with ThreadPoolExecutor(1) as pool:
            content = Content(message[:cut], file, 0)
            return b"".join([chunk async for chunk in dotted(content, pool)])

    with tempfile.NamedTemporaryFile() as tail:
        tail.write(message[cut:])
        tail.flush()
        wire = asyncio.run(sent(Path(tail.name)))

    assert wire == stuffed(message) == whole(message)
    reader = DotReader()
    assert reader.feed(wire) == message


@pytest.mark.parametrize("message", [b"", b".", b"\n", b"\r", b".\r\n", b"a\r\n.", b"a\n"])
def test_whatever_a_message_ends_with_its_end_is_a_line_of_its_own(message: bytes) -> None:
    assert whole(message) in (stuffed(message), stuffed(message + b"\r\n"))
    assert (b"\r\n" + whole(message)).endswith(b"\r\n.\r\n")
