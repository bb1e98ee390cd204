"""A second message hidden in the first (SMTP smuggling): one message each or a refusal, in and out."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from mailgov.relay.client import Connection
from mailgov.relay.content import Content
from mailgov.relay.outgoing import Envelope
from mailgov.relay.route import Hop
from mailgov.settings import DeliverySettings
from tests.support.relay_node import AN, BINH
from tests.support.sink import Sink
from tests.wire.client import Wire, stuffed
from tests.wire.conftest import OpenWorld, World

STRANGER = "khach@example.org"
HEAD = b"From: <khach@example.org>\r\nSubject: x\r\n\r\ntext"
HIDDEN = b"MAIL FROM:<boss@caobang.gov.vn>\r\nRCPT TO:<%s>\r\nDATA\r\nSubject: hidden\r\n\r\n" % BINH.encode()
CRLF_DOT_CRLF = b"\r\n.\r\n"
LOOSE_END = re.compile(rb"(?:\r\n|\n|\r)\.(?:\r\n|\n|\r)")
"""What the most careless next hop might take for the end."""
SEQUENCES = [
    # Line ends that are none, around a dot.
    b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\r.\r\n", b"\n.\r", b"\r.\n",
    b"\r\r\n.\n", b"\r\n.\r\r\n", b"\r\r.\r\r", b"\n\n.\n\n", b"\n\r.\n\r", b"\n\r\n.\n", b"\r\n.\r.\r\n",
    b"\r\n.\n.\r\n",
    b"\r\n\r.\r\n", b"\r\n\n.\r\n", b"\n.\n.\r\n", b"\r\n.\n\r\n", b"\r\n.\r\r.\r\n",
    # Octets that some readers drop.
    b"\r\n\0.\r\n", b"\r\n.\0\r\n", b"\r\0\n.\r\0\n", b"\r\n.\r\0\n", b"\0\r\n\0.\0\r\n", b"\r\n.\x7f\r\n",
    b"\r\n\x08.\r\n",
    b"\r\n\xef\xbb\xbf.\r\n",
    # Blanks, more dots, other signs for an end.
    b"\r\n. \r\n", b"\r\n .\r\n", b"\r\n.\t\r\n", b"\r\n..\r\n", b"\r\n...\r\n", b"\r\n\x1a\r\n",
    b"\r\n\x04\r\n",
    # Line ends of other worlds.
    b"\x0b.\x0b", b"\x0c.\x0c", b"\x85.\x85", b"\xc2\x85.\xc2\x85", b"\xe2\x80\xa8.\xe2\x80\xa8",
    b"\x1e.\x1e", b"\x15.\x15",
    # Spelt out.
    b"\\r\\n.\\r\\n", b"=0D=0A.=0D=0A", b"%0d%0a.%0d%0a", b"&#13;&#10;.&#13;&#10;", "\r\n．\r\n".encode(),
    "\r\n。\r\n".encode(),
]  # fmt: skip


By = Callable[[World, Wire, bytes], Awaitable[None]]


def edges(message: bytes, sequence: bytes) -> list[list[bytes]]:
    """The message whole, octet by octet, and cut in two at each octet of the sequence and around it."""
    at = len(HEAD)
    cuts = range(at - 1, at + len(sequence) + 2)
    return [
        [message],
        [message[i : i + 1] for i in range(len(message))],
        *([message[:cut], message[cut:]] for cut in cuts),
    ]


async def opened(wire: Wire) -> None:
    assert [s.code for s in await wire.pipeline(f"MAIL FROM:<{STRANGER}>", f"RCPT TO:<{AN}>")] == [250, 250]


async def one_answer(world: World, wire: Wire, sequence: bytes, before: int) -> None:
    """One reply, a live session, and at most one message more, for whom the envelope named."""
    said = await wire.reply()
    assert said.short in {"250 2.0.0", "554 5.6.0"}, (sequence, said)
    assert await wire.alive(), sequence
    assert len(world.offered) - before == (said.code == 250), sequence
    assert all([r.address for r in m.recipients] == [AN] for m in world.offered[before:]), sequence


async def by_data(world: World, wire: Wire, sequence: bytes, *, finely: bool = True) -> None:
    message = HEAD + sequence + HIDDEN
    assert CRLF_DOT_CRLF not in message
    for pieces in edges(message + CRLF_DOT_CRLF, sequence) if finely else [[message + CRLF_DOT_CRLF]]:
        before = len(world.offered)
        await opened(wire)
        assert (await wire.say("DATA")).code == 354
        for piece in pieces:
            await wire.send(piece)
            await world.taken_in(wire)
        await one_answer(world, wire, sequence, before)


async def by_bdat(world: World, wire: Wire, sequence: bytes, *, finely: bool = True) -> None:
    message = HEAD + sequence + HIDDEN
    for pieces in edges(message, sequence) if finely else [[message]]:
        before = len(world.offered)
        await opened(wire)
        await wire.send(b"".join(b"BDAT %d\r\n%s" % (len(piece), piece) for piece in pieces))
        said = [await wire.reply() for _ in pieces]
        assert {reply.short for reply in said} <= {"250 2.0.0", "554 5.6.0"}, sequence
        await wire.send(b"BDAT 0 LAST\r\n")
        await one_answer(world, wire, sequence, before)


async def leaves_as_one(world: World, sink: Sink, pool: ThreadPoolExecutor) -> int:
    """Send on all that was taken in: each is one message for the next hop, whatever it takes for an end."""
    hop = Hop("next.example", sink.host, sink.port)
    connection = await Connection.open(hop, DeliverySettings(), "mail.caobang.gov.vn", pool)
    for message in world.offered:
        leaving = await world.leaving(message)
        envelope = Envelope(STRANGER, (AN,), smtputf8=False, eight_bit=True)
        replies = await connection.send(envelope, Content(leaving, size_bytes=len(leaving)))
        assert [reply.positive for reply in replies] == [True]
        assert sink.messages[-1].data == leaving
        assert LOOSE_END.findall(stuffed(leaving)) == [CRLF_DOT_CRLF]
    await connection.close()
    assert len(sink.messages) == len(world.offered)
    return len(sink.messages)


def patient() -> dict[str, int]:
    return {"error_limit": 10_000, "junk_command_limit": 10_000, "session_message_limit": 10_000}


@pytest.mark.parametrize("by", [by_data, by_bdat])
async def test_nothing_hides_at_whatever_edge(open_world: OpenWorld, sink: Sink, by: By) -> None:
    world = await open_world(smtp=patient())
    wire = await world.outside()
    assert len(SEQUENCES) >= 30
    for sequence in SEQUENCES:
        await by(world, wire, sequence)
    with ThreadPoolExecutor(2) as pool:
        assert await leaves_as_one(world, sink, pool) > 100


async def test_the_end_of_data_is_text_in_a_chunk(open_world: OpenWorld, sink: Sink) -> None:
    world = await open_world(smtp=patient())
    await by_bdat(world, await world.outside(), CRLF_DOT_CRLF)
    with ThreadPoolExecutor(2) as pool:
        assert await leaves_as_one(world, sink, pool) == len(edges(HEAD, CRLF_DOT_CRLF))


async def test_what_is_mended_leaves_as_one_too(open_world: OpenWorld, sink: Sink) -> None:
    world = await open_world(smtp={**patient(), "bare_line_ends": "normalize"})
    wire = await world.outside()
    for sequence in SEQUENCES:
        await by_data(world, wire, sequence, finely=False)
        await by_bdat(world, wire, sequence, finely=False)
    assert len(world.offered) == 2 * len(SEQUENCES)
    with ThreadPoolExecutor(2) as pool:
        assert await leaves_as_one(world, sink, pool) == 2 * len(SEQUENCES)
