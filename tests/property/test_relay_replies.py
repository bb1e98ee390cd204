"""Replies of a next hop: however they come in pieces, they are read as the same."""

from __future__ import annotations

import asyncio
import time

import aiosmtplib
from hypothesis import given
from hypothesis import strategies as st

from mailgov.relay.exchange import Exchange

octets = st.lists(
    st.sampled_from(
        [
            b"250",
            b"354",
            b"55",
            b" ",
            b"-",
            b"ok",
            b"\t",
            b"\x1c",
            b"\x85",
            "ạ".encode(),
            b"\r",
            b"\n",
            b"\r\n",
        ]
    ),
    max_size=25,
).map(b"".join)


class Open(asyncio.Transport):
    def is_closing(self) -> bool:
        return False


async def heard(data: bytes, step: int, expected: int) -> object:
    """What is made of `data` that comes in pieces of `step` octets."""
    protocol = Exchange(asyncio.get_running_loop())
    protocol.connection_made(Open())
    protocol.expect(expected)
    for at in range(0, len(data), step):
        if protocol.answered:
            break
        protocol.data_received(data[at : at + step])
    if not protocol.answered:
        return protocol.replies
    try:
        return await protocol.answers(1)
    except aiosmtplib.SMTPResponseException as error:
        return protocol.replies, error.code


@given(octets, st.integers(1, 3))
def test_replies_are_the_same_at_once_and_octet_by_octet(data: bytes, expected: int) -> None:
    async def both() -> None:
        assert await heard(data, len(data) + 1, expected) == await heard(data, 1, expected)

    asyncio.run(both())


async def test_a_long_line_that_comes_octet_by_octet_is_looked_at_once() -> None:
    """Each octet would cost more than the one before: 40,000 took 8 s in which nobody else was served."""
    began_s = time.process_time()
    assert await heard(b"250 " + b"x" * 40_000, 1, 1) == ()
    assert time.process_time() - began_s < 2
