"""Hostile From values cost work in proportion to their length, and none past a bound."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from mailgov.mail.authors import AUTHOR_OCTETS, addresses_shown, author_addresses
from mailgov.mail.headers import HeaderBlock
from mailgov.relay.incoming import FROM_LIMIT, Incoming, reading

PIECES = [
    b'"\\',
    b'"',
    b"(",
    b"(\\",
    b"<",
    b'"a',
    b"a,",
    b'\\"',
    b"@",
    b'" <',
    b"a:",
    b"a @ b . c ",
    b"<a@b>",
    b"<(a) b@c>",
    b"@a:",
    b"a.",
]


def cost_s(read: Callable[[bytes], object], value: bytes) -> float:
    """CPU seconds of the cheapest of five readings."""
    found = []
    for _ in range(5):
        begin = time.process_time()
        read(value)
        found.append(time.process_time() - begin)
    return min(found)


def calls(run: Callable[[], object]) -> int:
    """Calls that it makes, of Python and of C."""
    count = 0

    def count_call(_frame: FrameType, event: str, _argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(count_call)
    try:
        run()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("read", [author_addresses, addresses_shown])
@pytest.mark.parametrize("piece", PIECES)
def test_four_times_the_length_is_no_sixteen_times_the_work(
    read: Callable[[bytes], object], piece: bytes
) -> None:
    short, long = (piece * (octets // len(piece)) for octets in (AUTHOR_OCTETS // 4, AUTHOR_OCTETS))
    assert calls(lambda: read(long)) < 5 * calls(lambda: read(short)) + 50
    assert cost_s(read, long) < 10 * cost_s(read, short) + 0.005


@pytest.mark.parametrize("read", [author_addresses, addresses_shown])
def test_past_the_bound_nothing_is_read(read: Callable[[bytes], object]) -> None:
    assert not read(b"an@x.vn," * AUTHOR_OCTETS)
    assert calls(lambda: read(b"an@x.vn," * AUTHOR_OCTETS)) < 10


@pytest.mark.parametrize("piece", PIECES)
def test_many_from_fields_cost_no_more_than_one(piece: bytes) -> None:
    """What eight fields of 16 KB each once cost four times over, as a stranger sent them."""
    field = b"From: " + piece * (16_000 // len(piece)) + b"\r\n"
    header = HeaderBlock.scan(field * FROM_LIMIT + b"\r\n")

    def read() -> object:
        return reading(Incoming("1", "mx", None, "a@b.vn", None, {}), header)  # type: ignore[arg-type]  # no trace

    assert calls(read) < 200
    incoming = Incoming("1", "mx", None, "a@b.vn", None, {})  # type: ignore[arg-type]  # as above
    reading(incoming, header)
    assert calls(lambda: reading(incoming, header)) < 5, "read once for a message"


def test_a_quote_that_never_ends_names_nobody() -> None:
    assert author_addresses(b'"An <annv@caobang.gov.vn>') == ()
