"""Hostile From values cost work in proportion to their length."""

from __future__ import annotations

import time

import pytest

from mailgov.mail.authors import author_addresses


def cost_s(value: bytes) -> float:
    """CPU seconds of the cheapest of five readings."""
    found = []
    for _ in range(5):
        begin = time.process_time()
        author_addresses(value)
        found.append(time.process_time() - begin)
    return min(found)


@pytest.mark.parametrize("piece", [b'"\\', b'"', b"(", b"(\\", b"<", b'"a', b"a,", b'\\"', b"@", b'" <'])
def test_four_times_the_length_is_no_sixteen_times_the_work(piece: bytes) -> None:
    short, long = piece * (4000 // len(piece)), piece * (16_000 // len(piece))
    assert cost_s(long) < 10 * cost_s(short) + 0.005


def test_a_quote_that_never_ends_names_nobody() -> None:
    assert author_addresses(b'"An <annv@caobang.gov.vn>') == ()
