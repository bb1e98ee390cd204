"""DATA: where it ends, how large it may be, and what it may cost."""

from __future__ import annotations

import asyncio
import threading
import tracemalloc
from collections.abc import Callable

import pytest

from mailgov.relay import intake
from tests.support.messages import plain
from tests.support.relay_node import AN, BINH, SCANNER
from tests.wire.client import Wire, eventually, stuffed
from tests.wire.conftest import OpenWorld, World

STRANGER = "khach@example.org"
HEAD = b"From: <khach@example.org>\r\nSubject: x\r\n\r\n"


async def in_data(world: World) -> Wire:
    """A session from outside that has just heard 354."""
    wire = await world.outside()
    await wire.envelope(STRANGER, AN)
    assert (await wire.say("DATA")).code == 354
    return wire


async def in_pieces(world: World, wire: Wire, *pieces: bytes) -> None:
    """Each piece in a segment of its own, read by the server before the next one is sent."""
    for piece in pieces:
        await wire.send(piece)
        await world.taken_in(wire)


@pytest.mark.parametrize(
    "message",
    [
        HEAD,
        HEAD + b"\r\n",
        HEAD + b".\r\n",
        HEAD + b"..\r\n.\r\n...\r\n",
        HEAD + b"\r\n\r\n.\r\n\r\n",
        HEAD.removesuffix(b"\r\n") + b".\r\n",
        HEAD + b".",
        HEAD.removesuffix(b"\r\n"),
        HEAD + b"\r\n.\r\n.x\r\n",
        b" begins like a folded line\r\n" + HEAD,
        HEAD + b"\x00\x01\x7f\xff\r\n",
        HEAD + b"x" * 5000 + b"\r\n",
        HEAD + "Tiếng Việt\r\n".encode(),
    ],
)
async def test_what_goes_in_is_what_is_kept(world: World, message: bytes) -> None:
    wire = await in_data(world)
    whole = message if message.endswith(b"\r\n") or not message else message + b"\r\n"
    await wire.send(stuffed(whole))
    assert (await wire.reply()).short == "250 2.0.0"
    assert await world.bytes_of(world.offered[0]) == whole
    assert await wire.alive()


@pytest.mark.parametrize(
    "message",
    [b"", b"\r\n", b".\r\n", b"..\r\n.\r\n...\r\n", b"\r\n\r\n.\r\n\r\n", b"no header at all\r\n"],
)
async def test_what_names_nobody_is_refused_and_ends_where_it_ends(world: World, message: bytes) -> None:
    wire = await in_data(world)
    await wire.send(stuffed(message))
    assert (await wire.reply()).short == "550 5.6.0"
    assert not world.offered
    assert await wire.alive()


async def test_the_end_is_found_whatever_the_edges_of_the_chunks(world: World) -> None:
    message = HEAD + b"line\r\n.\r\n..dots\r\n"
    raw = stuffed(message)
    wire = await world.outside()
    for edge in range(len(raw) - 6, len(raw)):  # in CRLF.CRLF, at each offset
        for pieces in ((raw[:edge], raw[edge:]), (raw[:edge], raw[edge : edge + 1], raw[edge + 1 :])):
            await wire.envelope(STRANGER, AN)
            assert (await wire.say("DATA")).code == 354
            await in_pieces(world, wire, *pieces)
            assert (await wire.reply()).code == 250
            assert await world.bytes_of(world.offered[-1]) == message


@pytest.mark.parametrize(
    "smuggled",
    [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\r.\r\n", b"\n\r\n.\n", b"\r\r\n.\n"],
)
async def test_only_crlf_dot_crlf_ends_data(world: World, smuggled: bytes) -> None:
    """Else a second message hides behind what the next hop takes for the end."""
    wire = await in_data(world)
    hidden = b"MAIL FROM:<boss@caobang.gov.vn>\r\nRCPT TO:<binhtt@caobang.gov.vn>\r\nDATA\r\n"
    await wire.send(HEAD + b"x" + smuggled + hidden + HEAD + b"\r\n.\r\n")
    assert (await wire.reply()).short == "554 5.6.0"
    assert await wire.alive()
    assert await world.kept() == []
    assert world.offered == []


@pytest.mark.parametrize("at", ["header", "body"])
@pytest.mark.parametrize("bare", [b"\n", b"\r"])
async def test_bare_line_ends_are_refused_across_chunks_too(world: World, bare: bytes, at: str) -> None:
    wire = await in_data(world)
    before = b"Subject: x" if at == "header" else HEAD + b"text"
    await in_pieces(world, wire, before, bare, b"more\r\n", b"\r\n.\r\n")
    assert (await wire.reply()).short == "554 5.6.0"
    assert world.files() == []


async def test_crlf_cut_in_two_is_no_bare_line_end(world: World) -> None:
    wire = await in_data(world)
    await in_pieces(world, wire, HEAD + b"a\r", b"\nb\r", b"\n", b".\r", b"\n")
    assert (await wire.reply()).code == 250
    assert await world.bytes_of(world.offered[0]) == HEAD + b"a\r\nb\r\n"


# Limits


async def test_sixty_megabytes_cost_no_memory_and_are_refused_at_the_end(world: World) -> None:
    wire = await in_data(world)
    line = b"x" * 76 + b"\r\n"
    chunk = line * 4096
    await wire.send(HEAD)
    tracemalloc.start()
    try:
        for _ in range(60 * 1024 * 1024 // len(chunk)):
            await wire.send(chunk)
        await wire.send(b".\r\n")
        assert (await wire.reply()).short == "552 5.3.4"
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 * 1024 * 1024
    assert world.files() == []
    assert world.count("refused_size") == 1
    assert (await wire.mail(STRANGER, AN, message=plain(STRANGER, AN))).code == 250


async def test_the_limit_is_of_the_message_to_the_octet(open_world: OpenWorld) -> None:
    world = await open_world(smtp={"size_limit_bytes": 65_536})
    wire = await world.outside()
    assert "SIZE 65536" in await wire.ehlo()
    body = b"." + b"x" * 99 + b"\r\n"  # its dot is doubled on the wire, and not counted
    fitting = HEAD + body * 700
    fitting = fitting[: 65_536 - 2].rstrip(b"\r\n")
    fitting += b"y" * (65_536 - 2 - len(fitting)) + b"\r\n"
    assert len(fitting) == 65_536
    assert (await wire.mail(STRANGER, AN, message=fitting)).code == 250
    assert (await wire.mail(STRANGER, AN, message=HEAD + b"y" + fitting[len(HEAD) :])).short == "552 5.3.4"


async def test_a_large_body_is_a_file_with_the_same_bytes(world: World) -> None:
    message = HEAD + b"".join(b".%07d\r\n" % number for number in range(300_000))
    wire = await world.outside()
    assert (await wire.mail(STRANGER, AN, message=message)).code == 250
    queued = world.offered[0]
    assert world.files() == [f"bodies/{queued.queue_id}"]
    assert await world.bytes_of(queued) == message


@pytest.mark.parametrize("size", [4095, 4096, 4097, 65_536, 65_537])
async def test_between_memory_and_file_nothing_is_lost(open_world: OpenWorld, size: int) -> None:
    world = await open_world(smtp={"memory_body_bytes": 4096})
    wire = await world.outside()
    message = HEAD + b"x" * (size - len(HEAD) - 2) + b"\r\n"
    assert (await wire.mail(STRANGER, AN, message=message)).code == 250
    assert bool(world.files()) == (size > 4096)
    assert await world.bytes_of(world.offered[0]) == message


@pytest.mark.parametrize("ended", [True, False])
async def test_a_header_over_its_limit_is_refused(open_world: OpenWorld, ended: bool) -> None:
    world = await open_world(smtp={"header_limit_bytes": 16_384})
    wire = await world.outside()
    header = b"X-Filler: " + b"x" * 66 + b"\r\n"
    message = header * 216 + (b"\r\nbody\r\n" if ended else b"")
    assert len(message) > 16_384
    assert (await wire.mail(STRANGER, AN, message=message)).short == "552 5.3.4"
    assert world.count("refused_header_size") == 1
    fitting = b"From: <a@x.test>\r\n" + header * 200 + b"\r\n" + b"body\r\n" * 10_000
    assert (await wire.mail(STRANGER, AN, message=fitting)).code == 250


async def test_a_message_that_goes_round_is_stopped(open_world: OpenWorld) -> None:
    world = await open_world(smtp={"hop_limit": 10})
    wire = await world.outside()
    received = b"Received: from a by b; Mon, 02 Nov 2026 08:15:00 +0700\r\n"
    assert (await wire.mail(STRANGER, AN, message=received * 11 + HEAD)).short == "554 5.4.6"
    assert (await wire.mail(STRANGER, AN, message=received * 10 + HEAD)).code == 250


async def test_a_header_that_comes_octet_by_octet(world: World) -> None:
    wire = await in_data(world)
    message = HEAD + b"body\r\n"
    await in_pieces(world, wire, *(stuffed(message)[at : at + 1] for at in range(len(stuffed(message)))))
    assert (await wire.reply()).code == 250
    assert await world.bytes_of(world.offered[0]) == message


async def test_a_refused_message_is_not_read_for_ever(open_world: OpenWorld) -> None:
    world = await open_world(smtp={"stopped_data_timeout_s": 0.3, "size_limit_bytes": 65_536})
    wire = await in_data(world)

    async def talk() -> None:
        while True:
            await wire.send((b"x" * 998 + b"\r\n") * 10)

    with pytest.raises(ConnectionError):
        await asyncio.wait_for(talk(), 20)
    await eventually(lambda: not world.node.sessions)
    assert world.files() == []


async def test_nor_at_full_speed_for_long(open_world: OpenWorld) -> None:
    world = await open_world(smtp={"size_limit_bytes": 65_536, "stopped_data_sizes": 3})
    wire = await in_data(world)
    line = b"x" * 998 + b"\r\n"
    await in_pieces(world, wire, b"X: bare\nLF\r\n\r\n", *[line * 49] * 4)
    assert world.node.sessions == 1
    await wire.send(line)
    assert [said.short for said in await wire.to_the_end()] == ["554 5.6.0", "421 4.7.0"]
    await eventually(lambda: not world.node.sessions)
    assert world.count("refused_stopped_data") == 1
    assert world.files() == []


# A first line that begins with a blank


@pytest.mark.parametrize("blank", [b" ", b"\t"])
async def test_a_strangers_first_line_never_goes_on_in_a_field_of_ours(world: World, blank: bytes) -> None:
    """As Postfix has it: an empty line goes before it, and all of it is the body."""
    message = (
        blank + b"by mail.caobang.gov.vn (internal)\r\nFrom: <a@example.org>\r\n"
        b"Return-Path: <b@example.org>\r\n\r\nx\r\n"
    )
    wire = await world.outside()
    assert (await wire.mail(STRANGER, AN, message=message)).code == 250
    leaving = await world.leaving(world.offered[0])
    ours, _, rest = leaving.partition(b"\r\n\r\n")
    assert ours.startswith(b"Authentication-Results: mail.caobang.gov.vn;")
    assert b"\r\nReceived: from " in ours
    assert b"internal" not in ours
    assert rest == message


@pytest.mark.parametrize("first", [b" X: y", b"\tX: y", b"from\0: <chutich@caobang.gov.vn>", b"no\0field"])
@pytest.mark.parametrize("kind", ["submissions", "trusted"])
async def test_our_own_are_told_that_such_a_header_is_malformed(
    world: World, first: bytes, kind: str
) -> None:
    """It would be signed as something else than its author sees."""
    if kind == "trusted":
        wire, author = await world.connect("trusted"), SCANNER
        await wire.ehlo()
    else:
        wire, author = await world.inside(), AN
    message = first + b"\r\nFrom: <%s>\r\nSubject: x\r\n\r\nx\r\n" % author.encode()
    assert (await wire.mail(author, BINH, message=message)).short == "550 5.6.0"
    assert await wire.alive()
    assert world.offered == []
    assert world.count("refused_malformed_header") == 1


# What a message costs the others


@pytest.mark.parametrize(
    ("message", "aside"),
    [
        (plain(STRANGER, AN), False),
        (b"X: " + b"x" * 20_000 + b"\r\n" + HEAD, True),
        (HEAD + b"line\r\n" * 4000, True),
    ],
    ids=["small", "header", "body"],
)
async def test_large_ones_are_looked_at_in_a_thread(
    world: World, monkeypatch: pytest.MonkeyPatch, message: bytes, aside: bool
) -> None:
    threads: dict[str, set[str]] = {}
    for name in ("reading", "look"):
        real = getattr(intake, name)

        def spied(
            *given: object, name: str = name, real: Callable[..., object] = real, **more: object
        ) -> object:
            threads.setdefault(name, set()).add(threading.current_thread().name.partition("_")[0])
            return real(*given, **more)

        monkeypatch.setattr(intake, name, spied)
    wire = await world.outside()
    assert (await wire.mail(STRANGER, AN, message=message)).code == 250
    assert threads["look"] == {"relay" if aside else "MainThread"}
    large_header = message.startswith(b"X: ")
    assert ("relay" in threads["reading"]) == large_header
