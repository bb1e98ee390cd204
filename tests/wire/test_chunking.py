"""BDAT (RFC 3030): the same message, the same limits, nothing left of what did not end."""

from __future__ import annotations

import tracemalloc

import pytest

from tests.support.messages import plain
from tests.support.relay_node import AN, BINH, HOSTNAME
from tests.wire.client import Said, Wire, eventually
from tests.wire.conftest import OpenWorld, World

STRANGER = "khach@example.org"
HEAD = b"From: <khach@example.org>\r\nSubject: x\r\n\r\n"
MESSAGE = plain(STRANGER, AN)


def chunks(*pieces: bytes) -> bytes:
    """The pieces as BDAT commands in one write; the last one ends the message."""
    return b"".join(
        b"BDAT %d%s\r\n%s" % (len(piece), b" LAST" if at == len(pieces) else b"", piece)
        for at, piece in enumerate(pieces, 1)
    )


async def opened(world: World) -> Wire:
    """A session from outside with an envelope."""
    wire = await world.outside()
    assert [said.code for said in await wire.envelope(STRANGER, AN)] == [250, 250]
    return wire


async def said_to(wire: Wire, *pieces: bytes) -> list[Said]:
    await wire.send(chunks(*pieces))
    return [await wire.reply() for _ in pieces]


@pytest.mark.parametrize("edges", ["as written", "octet by octet"])
async def test_what_the_chunks_hold_is_what_is_kept(world: World, edges: str) -> None:
    wire = await world.outside()
    for pieces in (
        [MESSAGE],
        [MESSAGE, b""],
        [MESSAGE[:7], MESSAGE[7:90], MESSAGE[90:], b""],
        [HEAD + b".\r\n", b"..\r\n.", b"\r\n.dots are text\r\n"],
        [HEAD, b"x" * 500 + b"\r", b"\n"],
        [HEAD, b"\r", b"\n\r", b"\nbody\r\n"],
        [HEAD + b"\x00\xff\r\n"],
        [HEAD + b"BDAT 5 LAST\r\nQUIT\r\n"],
    ):
        await wire.envelope(STRANGER, AN)
        whole = b"".join(pieces)
        octets = [whole[at : at + 1] for at in range(len(whole))] or [b""]
        said = await said_to(wire, *(octets if edges == "octet by octet" else pieces))
        assert {reply.short for reply in said} == {"250 2.0.0"}
        assert await world.bytes_of(world.offered[-1]) == whole
        assert (await wire.say(f"RCPT TO:<{AN}>")).short == "503 5.5.1", "the transaction has ended"
    await wire.envelope(STRANGER, AN)
    assert (await wire.bdat(b"", last=True)).short == "550 5.6.0", "an empty message names nobody"
    assert (await wire.mail(STRANGER, BINH, message=MESSAGE)).code == 250


async def test_a_last_line_left_open_is_closed_as_data_would(world: World) -> None:
    wire = await opened(world)
    assert (await said_to(wire, HEAD + b"no end of line"))[0].code == 250
    assert await world.bytes_of(world.offered[0]) == HEAD + b"no end of line\r\n"


async def test_all_in_one_write(world: World) -> None:
    wire = await world.connect("mx")
    envelope = b"MAIL FROM:<khach@example.org>\r\nRCPT TO:<annv@caobang.gov.vn>\r\n"
    await wire.send(b"EHLO x\r\n" + (envelope + chunks(MESSAGE[:50], MESSAGE[50:])) * 2 + b"QUIT\r\n")
    assert (await wire.reply(plain=True)).lines[0] == HOSTNAME
    assert [(await wire.reply()).code for _ in range(9)] == [250] * 8 + [221]
    assert await wire.closed()
    assert [await world.bytes_of(message) for message in world.offered] == [MESSAGE] * 2


async def test_words_in_any_case_and_in_pieces_of_an_octet(world: World) -> None:
    wire = await opened(world)
    for octet in b"bdat %d last\r\n%s" % (len(MESSAGE), MESSAGE):
        await wire.send(bytes([octet]))
        await world.taken_in(wire)
    assert (await wire.reply()).code == 250
    assert await world.bytes_of(world.offered[0]) == MESSAGE


async def test_bare_line_ends_are_refused_at_the_chunks_edges_too(world: World) -> None:
    wire = await world.outside()
    for pieces in (
        [HEAD + b"a\nb\r\n"],
        [HEAD + b"a\rb\r\n"],
        [HEAD + b"a\r", b"b\r\n"],
        [HEAD + b"a\r", b"\r\nb\r\n"],
        [HEAD + b"a", b"\n", b"b\r\n"],
        [HEAD + b"a\r\n\r"],
        [b"X: \n.\r\n", b"y"],
    ):
        await wire.envelope(STRANGER, AN)
        assert (await said_to(wire, *pieces))[-1].short == "554 5.6.0", pieces
        assert world.offered == []
        assert world.files() == []
    assert (await wire.mail(STRANGER, AN, message=MESSAGE)).code == 250


async def test_a_refused_chunk_is_heard_of_once_as_an_error_and_at_every_chunk(open_world: OpenWorld) -> None:
    world = await open_world(smtp={"error_limit": 3})
    wire = await opened(world)
    said = await said_to(wire, b"bare\nLF", *[b"more\r\n"] * 6)
    assert [reply.short for reply in said] == ["554 5.6.0"] * 7
    assert (await wire.mail(STRANGER, AN, message=MESSAGE)).code == 250


async def test_rset_between_chunks_leaves_nothing(open_world: OpenWorld) -> None:
    world = await open_world(smtp={"memory_body_bytes": 4096})
    wire = await opened(world)
    for word in ("RSET", "EHLO client.test"):
        assert (await wire.bdat(b"x: y\r\n\r\n" + b"line\r\n" * 1500)).code == 250
        assert len(world.files()) == 1
        assert (await wire.say(word)).code == 250
        await eventually(lambda: world.files() == [])
        await wire.envelope(STRANGER, AN)
    assert (await said_to(wire, MESSAGE))[0].code == 250
    assert await world.bytes_of(world.offered[0]) == MESSAGE


async def test_what_does_not_go_together(world: World) -> None:
    wire = await opened(world)
    assert (await wire.bdat(b"From: ")).code == 250
    for command in ("DATA", f"RCPT TO:<{BINH}>", "MAIL FROM:<>"):
        assert (await wire.say(command)).short == "503 5.5.1"
    assert (await wire.bdat(b"a@x.test\r\n\r\n", last=True)).code == 250
    assert await world.bytes_of(world.offered[0]) == b"From: a@x.test\r\n\r\n"


async def test_a_chunk_that_nobody_waits_for_is_swallowed(world: World) -> None:
    """It must not be taken for commands."""
    wire = await world.connect("mx")
    chunk = b"MAIL FROM:<>\r\n" * 3
    said = await said_to(wire, chunk)
    assert said[0].short == "503 5.5.1"
    await wire.ehlo()
    assert (await said_to(wire, chunk, b"", chunk))[2].short == "503 5.5.1"
    await wire.say(f"MAIL FROM:<{STRANGER}>")
    assert (await wire.say("RCPT TO:<nobody@caobang.gov.vn>")).code == 550
    assert (await said_to(wire, chunk))[0].short == "503 5.5.1"
    assert (await wire.say(f"RCPT TO:<{AN}>")).code == 250, "the transaction is still open"
    assert (await said_to(wire, MESSAGE))[0].code == 250
    assert (await said_to(wire, MESSAGE))[0].short == "503 5.5.1", "a chunk behind the last one"
    assert len(world.offered) == 1


async def test_a_length_that_nobody_can_read_ends_the_session(world: World) -> None:
    for argument in ("", "x", "-1", "1 LAST now", "1 FIRST", "LAST", "0x10", "١", "1" * 21, "1 2", "+5"):
        wire = await opened(world)
        await wire.send(f"BDAT {argument}\r\n".encode() + b"MAIL FROM:<>\r\n")
        assert [said.short for said in await wire.to_the_end()] == ["501 5.5.4", "421 4.7.0"]
    await eventually(lambda: world.node.sessions == 0)


async def test_binarymime_is_not_there(world: World) -> None:
    wire = await world.outside()
    assert "BINARYMIME" not in await wire.ehlo()
    assert (await wire.say("MAIL FROM:<x@example.org> BODY=BINARYMIME")).short == "555 5.5.4"


# Limits


async def test_the_limit_is_of_all_chunks_to_the_octet(open_world: OpenWorld) -> None:
    world = await open_world(smtp={"size_limit_bytes": 65_536})
    wire = await opened(world)
    half = HEAD + b"x" * (32_768 - len(HEAD) - 2) + b"\r\n"
    assert [s.code for s in await said_to(wire, half, half)] == [250, 250]
    await wire.envelope(STRANGER, AN)
    assert [s.short for s in await said_to(wire, half, half, b"\r\n")] == ["250 2.0.0"] * 2 + ["552 5.3.4"]
    await wire.envelope(STRANGER, AN)
    said = await said_to(wire, b"x" * 65_537, b"x", b"")
    assert [s.short for s in said] == ["552 5.3.4"] * 3
    assert (await wire.mail(STRANGER, AN, message=MESSAGE)).code == 250
    assert world.count("refused_size") == 2


async def test_a_chunk_beyond_all_bounds_ends_the_session(open_world: OpenWorld) -> None:
    world = await open_world(smtp={"size_limit_bytes": 65_536})
    wire = await opened(world)
    await wire.send(b"BDAT 99999999999999999999 LAST\r\n")
    assert [said.short for said in await wire.to_the_end()] == ["552 5.3.4", "421 4.7.0"]
    wire = await world.outside()
    await wire.send(b"BDAT 131073\r\n")
    assert [said.short for said in await wire.to_the_end()] == ["421 4.7.0"]
    assert world.count("refused_stopped_data") == 2


async def test_refused_chunks_are_not_read_for_ever(open_world: OpenWorld) -> None:
    world = await open_world(smtp={"size_limit_bytes": 65_536, "stopped_data_sizes": 2})
    wire = await opened(world)
    await wire.send(chunks(b"bare\nLF", *[b"x" * 60_000] * 3))
    said = [reply.short for reply in await wire.to_the_end()]
    assert said == ["554 5.6.0"] * 4 + ["421 4.7.0"]
    await eventually(lambda: not world.node.sessions)


async def test_empty_chunks_are_junk(open_world: OpenWorld) -> None:
    world = await open_world(smtp={"junk_command_limit": 5})
    wire = await opened(world)
    await wire.send(b"BDAT 0\r\n" * 10)
    assert [reply.code for reply in await wire.to_the_end()] == [250] * 4 + [421]


async def test_sixty_megabytes_by_bdat_cost_no_memory(world: World) -> None:
    wire = await opened(world)
    lines = (b"x" * 76 + b"\r\n") * 4096
    tracemalloc.start()
    try:
        codes = [(await wire.bdat(HEAD)).code]
        codes += [(await wire.bdat(lines)).code for _ in range(60 * 1024 * 1024 // len(lines))]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (codes[0], codes[-1], (await wire.bdat(b"", last=True)).code) == (250, 552, 552)
    assert peak < 8 * 1024 * 1024
    assert world.files() == []
    assert world.count("refused_size") == 1


async def test_a_large_message_is_a_file_with_the_same_bytes(world: World) -> None:
    lines = [b".%07d\r\n" % number for number in range(100_000)]
    wire = await opened(world)
    pieces = [HEAD, b"".join(lines[:50_000]), b"".join(lines[50_000:])]
    assert {said.code for said in await said_to(wire, *pieces)} == {250}
    queued = world.offered[0]
    assert world.files() == [f"bodies/{queued.queue_id}"]
    assert await world.bytes_of(queued) == b"".join(pieces)


# The end of the connection


@pytest.mark.parametrize("how", ["close", "reset", "quit", "eof"])
async def test_a_connection_that_is_lost_leaves_nothing(open_world: OpenWorld, how: str) -> None:
    world = await open_world(smtp={"memory_body_bytes": 4096})
    for announced in (b"BDAT 20000\r\n", b"BDAT 9000\r\n"):
        world.taken = 0
        wire = await opened(world)
        await wire.send(b"BDAT 8\r\nx: y\r\n\r\n" + announced + b"x: y\r\n" * 1500)
        await world.taken_in(wire)
        if how == "close":
            await wire.close()
        elif how == "reset":
            wire.reset()
        else:
            await wire.send(b"QUIT\r\n" if how == "quit" else b"")
            wire.writer.write_eof()
        await eventually(lambda: not world.node.sessions and not world.node.tasks and not world.files())
    assert world.offered == []
    assert world.count("internal_errors") == 0


async def test_who_leaves_after_the_last_chunk_does_not_take_it_along(world: World) -> None:
    wire = await opened(world)
    await wire.send(chunks(MESSAGE))
    await world.taken_in(wire)
    await wire.close()
    await eventually(lambda: world.offered, "the message")


@pytest.mark.parametrize(
    ("sent", "limit"),
    [(b"BDAT 20000\r\nx: y\r\n", "data_timeout_s"), (b"BDAT 6\r\nx: y\r\n", "idle_timeout_s")],
)
async def test_silence_ends_it_within_a_chunk_and_between_two(
    open_world: OpenWorld, sent: bytes, limit: str
) -> None:
    world = await open_world(smtp={limit: 0.2})
    wire = await opened(world)
    await wire.send(sent)
    assert [said.short for said in await wire.to_the_end()][-1] == "421 4.4.2"
    await eventually(lambda: not world.node.sessions and not world.node.tasks)


async def test_a_draining_worker_lets_the_chunks_end(world: World) -> None:
    wire = await opened(world)
    assert (await wire.bdat(MESSAGE[:50])).code == 250
    world.node.draining = True
    for session in list(world.node.connections):
        session.drain_session()
    await wire.send(chunks(MESSAGE[50:]))
    assert [reply.code for reply in await wire.to_the_end()] == [250, 421]


async def test_data_and_bdat_take_turns_between_messages(world: World) -> None:
    wire = await world.outside()
    for _ in range(2):
        assert (await wire.mail(STRANGER, AN, message=MESSAGE)).code == 250
        await wire.envelope(STRANGER, AN)
        assert (await said_to(wire, MESSAGE))[0].code == 250
    assert [await world.bytes_of(message) for message in world.offered] == [MESSAGE] * 4


@pytest.mark.parametrize("last", [b"", b" LAST"])
async def test_a_chunk_that_the_input_ends_in_gets_no_reply(world: World, last: bytes) -> None:
    """A 250 to the last one would say that the message is ours."""
    wire = await opened(world)
    await wire.send(b"BDAT 1000%s\r\n" % last + MESSAGE[:50])
    wire.writer.write_eof()
    assert await wire.to_the_end() == []
    assert world.offered == []
    await eventually(lambda: not world.files())
