"""What a message costs while it comes, and how its end is reached."""

from __future__ import annotations

import asyncio
import time as cpu
from pathlib import Path

import pytest

from mailgov.mail.address import Address
from mailgov.mail.reply import Reply
from mailgov.relay.data import DataSink, DotReader, receive
from mailgov.relay.edits import Trace
from mailgov.relay.expand import Target
from mailgov.relay.incoming import Incoming, Recipient
from mailgov.relay.judge import account_facts, path_facts, session_facts
from mailgov.relay.node import Node
from tests.support.processes import wait_until
from tests.support.relay_node import AN


def incoming(node: Node) -> Incoming:
    """An envelope from a stranger to An."""
    facts = session_facts(node, listener="mx", authenticated=False, tls=False, client="192.0.2.1")
    facts |= account_facts(None) | path_facts(None, "khach@example.org", own=False)
    account = node.directory.snapshot.account(AN)
    target = Target(Address.parse(AN), AN, account)
    trace = Trace("client.test", "192.0.2.1", "ESMTP")
    made = Incoming(node.clock.queue_id(), "mx", None, "khach@example.org", trace, facts)
    made.recipients.append(Recipient(target, "inbound", {}))
    return made


async def read(node: Node, *chunks: bytes, closed: bool = True) -> tuple[Reply | None, bool, bytes]:
    """What `receive` makes of these chunks, and what it leaves to be read."""
    reader = asyncio.StreamReader()
    heard: list[None] = []
    for chunk in chunks:
        reader.feed_data(chunk)
    if closed:
        reader.feed_eof()
    received = await receive(reader, DataSink(node, incoming(node)), lambda: heard.append(None))
    rest = await reader.read() if closed else b""
    return received.reply, received.ended, rest


async def cost(node: Node, octets: int) -> float:
    """CPU seconds for a header of so many octets that come one by one and never end."""
    sink, dots = DataSink(node, incoming(node)), DotReader()
    start = cpu.process_time()
    for _ in range(octets):
        await sink.feed(dots.feed(b"x"))
    spent = cpu.process_time() - start
    sink.abandon()
    return spent


async def test_a_header_that_trickles_costs_its_length_and_not_its_square(node: Node) -> None:
    await cost(node, 2_000)
    short = min([await cost(node, 20_000) for _ in range(3)])
    long = min([await cost(node, 80_000) for _ in range(2)])
    assert long < 10 * short, "four times as long; a square would be sixteen times"


async def test_a_body_that_trickles_costs_its_length(node: Node) -> None:
    async def body(octets: int) -> float:
        sink, dots = DataSink(node, incoming(node)), DotReader()
        await sink.feed(dots.feed(b"Subject: x\r\n\r\n"))
        start = cpu.process_time()
        for _ in range(octets):
            await sink.feed(dots.feed(b"x"))
        spent = cpu.process_time() - start
        sink.abandon()
        return spent

    short = min([await body(15_000) for _ in range(3)])
    long = min([await body(60_000) for _ in range(2)])
    assert long < 10 * short


async def test_the_end_leaves_what_comes_behind_it(node: Node) -> None:
    reply, ended, rest = await read(
        node, b"From: <a@x.test>\r\nSubject: x\r\n\r\nbody\r\n.\r", b"\nNOOP\r\nQUIT\r\n"
    )
    assert reply is not None
    assert (reply.code, ended, rest) == (250, True, b"NOOP\r\nQUIT\r\n")


@pytest.mark.parametrize(
    "chunks",
    [
        (),
        (b"Subject: x\r\n",),
        (b"Subject: x\r\n\r\nbody\r\n",),
        (b"Subject: x\r\n\r\nbody\r\n.", b"\r"),
        (b"Subject: x\r\n\r\n" + b"y" * 900_000,),
    ],
)
async def test_a_connection_that_closes_before_the_end_leaves_nothing(
    node: Node, chunks: tuple[bytes, ...]
) -> None:
    assert await read(node, *chunks) == (None, False, b"")
    folder = node.settings.data_dir / "spool" / "0"

    def left() -> list[Path]:
        return [*(folder / "incoming").iterdir(), *(folder / "bodies").iterdir()]

    await asyncio.to_thread(wait_until, lambda: not left(), timeout_s=10, what="the folders to be empty")
    assert await node.spool.claim(2**60, 10) == []


async def test_a_connection_that_breaks_is_one_that_closes(node: Node) -> None:
    reader = asyncio.StreamReader()
    reader.feed_data(b"Subject: x\r\n")
    reader.set_exception(ConnectionResetError("reset"))
    received = await receive(reader, DataSink(node, incoming(node)), lambda: None)
    assert (received.reply, received.ended) == (None, False)
