"""What breaks inside, on the disk or on the line: the mail may be good, so nobody hears 5xx for it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from mailgov.relay import intake, judge
from mailgov.store.spool import Change, Spool, SpoolError, SpoolFull
from tests.support.messages import plain
from tests.support.relay_node import AN, BINH
from tests.wire.client import Closed, Wire, eventually, stuffed
from tests.wire.conftest import OpenWorld, World

STRANGER = "khach@example.org"
MESSAGE = plain(STRANGER, AN, text="Dear colleague,\r\n")
LARGE = MESSAGE + b"line of a large body\r\n" * 20_000
BROKEN = "451 4.3.0"


@contextmanager
def broken(monkeypatch: pytest.MonkeyPatch, where: object, name: str) -> Iterator[None]:
    """Let a function inside raise what nobody expects."""

    async def fail(*_: object, **__: object) -> None:
        raise RuntimeError("secret detail")

    with monkeypatch.context() as patch:
        patch.setattr(where, name, fail)
        yield


async def said_in_full(wire: Wire, *lines: str) -> list[str]:
    said = await wire.pipeline(*lines)
    for reply in said:
        assert "secret" not in reply.text
        assert "RuntimeError" not in reply.text
        assert reply.code < 500, reply
    return [reply.short for reply in said]


async def test_at_mail(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    wire = await world.outside()
    with broken(monkeypatch, judge, "decide"):
        assert await said_in_full(wire, f"MAIL FROM:<{STRANGER}>") == [BROKEN]
    assert (await wire.mail(STRANGER, AN, message=MESSAGE)).code == 250
    assert world.count("internal_errors") == 1


async def test_at_rcpt_the_transaction_goes_on_with_the_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire = await world.outside()
    await wire.say(f"MAIL FROM:<{STRANGER}>")
    with broken(monkeypatch, judge, "decide"):
        assert await said_in_full(wire, f"RCPT TO:<{AN}>", f"RCPT TO:<{BINH}>") == [BROKEN, BROKEN]
    assert (await wire.say(f"RCPT TO:<{BINH}>")).code == 250
    assert (await wire.data(MESSAGE)).code == 250
    assert [r.address for r in world.offered[0].recipients] == [BINH]


@pytest.mark.parametrize("message", [MESSAGE, LARGE], ids=["small", "large"])
@pytest.mark.parametrize(
    ("where", "name"),
    [(judge, "decide"), (intake, "judge_header"), (intake, "_look"), (intake, "variant")],
    ids=lambda part: getattr(part, "__name__", part),
)
async def test_at_the_end_of_data(
    world: World, monkeypatch: pytest.MonkeyPatch, where: object, name: str, message: bytes
) -> None:
    """One reply, at the end: what is still coming of the message is not taken for commands."""
    wire = await world.outside()
    await wire.envelope(STRANGER, AN)
    assert (await wire.say("DATA")).code == 354
    commands = b"QUIT\r\nMAIL FROM:<boss@caobang.gov.vn>\r\n"
    with broken(monkeypatch, where, name):
        await wire.send(message)
        await world.taken_in(wire)
        await wire.send(commands + b".\r\n")
        said = await wire.reply()
        assert said.short == BROKEN
        assert "secret" not in said.text
    assert await wire.alive()
    await eventually(lambda: not world.files(), "the body to be gone")
    assert await world.kept() == []
    assert world.offered == []
    assert world.reserved == 0
    assert await world.events() == []
    assert (await wire.mail(STRANGER, AN, message=message)).code == 250


@pytest.mark.parametrize("message", [MESSAGE, LARGE], ids=["small", "large"])
@pytest.mark.parametrize(("error", "short"), [(SpoolError, BROKEN), (SpoolFull, "452 4.3.1")])
async def test_a_spool_that_refuses_the_transaction(
    world: World, monkeypatch: pytest.MonkeyPatch, error: type[SpoolError], short: str, message: bytes
) -> None:
    wire = await world.outside()

    async def refuse(spool: Spool, change: Change) -> None:
        for stored in change.messages:
            if stored.body.file:
                (world.data_dir / "spool" / "0" / "bodies" / stored.body.file).unlink()
        raise error("secret detail")

    with monkeypatch.context() as patch:
        patch.setattr(Spool, "apply", refuse)
        await wire.envelope(STRANGER, AN)
        said = await wire.data(message)
    assert said.short == short
    assert "secret" not in said.text
    assert world.files() == []
    assert world.reserved == 0
    assert (await wire.mail(STRANGER, AN, message=message)).code == 250


@pytest.mark.parametrize("message", [MESSAGE, LARGE], ids=["small", "large"])
async def test_a_database_that_cannot_be_written(world: World, message: bytes) -> None:
    """SQLite itself says no: the table is not there for this transaction."""
    wire = await world.outside()
    with closing(sqlite3.connect(world.data_dir / "spool" / "0" / "spool.sqlite")) as other:
        other.execute("ALTER TABLE event RENAME TO gone")
        await wire.envelope(STRANGER, AN)
        assert (await wire.data(message)).short == BROKEN
        assert world.files() == []
        other.execute("ALTER TABLE gone RENAME TO event")
    assert (await wire.mail(STRANGER, AN, message=message)).code == 250
    assert len(world.offered) == 1


async def test_a_folder_that_takes_no_file(world: World) -> None:
    wire = await world.outside()
    incoming = world.data_dir / "spool" / "0" / "incoming"
    incoming.rmdir()
    await wire.envelope(STRANGER, AN)
    assert (await wire.data(LARGE)).short == BROKEN
    incoming.mkdir()
    assert (await wire.mail(STRANGER, AN, message=LARGE)).code == 250


async def test_a_folder_that_goes_before_the_end(world: World) -> None:
    wire = await world.outside()
    await wire.envelope(STRANGER, AN)
    await wire.say("DATA")
    await wire.send(LARGE)
    await eventually(world.files)
    bodies = world.data_dir / "spool" / "0" / "bodies"
    bodies.rmdir()
    await wire.send(b".\r\n")
    assert (await wire.reply()).short == BROKEN
    bodies.mkdir()
    assert await world.kept() == []


async def test_a_rejection_that_cannot_be_recorded_is_put_off(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire = await world.inside()

    async def refuse(spool: Spool, change: Change) -> None:
        raise SpoolError("secret detail")

    with monkeypatch.context() as patch:
        patch.setattr(Spool, "apply", refuse)
        assert (await wire.say(f"MAIL FROM:<{BINH}>")).short == BROKEN
        said = await wire.envelope(AN, "ai.do@gmail.com", BINH)
        assert [s.short for s in said] == ["250 2.1.0", BROKEN, "250 2.1.5"]
        secret = plain(AN, BINH, subject="MẬT: 1/KH-UBND")
        assert (await wire.data(secret)).short == BROKEN
    assert world.files() == []


async def test_a_key_that_cannot_be_read_puts_off_what_it_would_sign(world: World) -> None:
    (world.data_dir / "r1.pem").unlink()
    wire = await world.inside()
    await wire.envelope(AN, BINH)
    assert (await wire.data(plain(AN, BINH))).short == BROKEN
    assert world.files() == []
    outside = await world.outside()
    assert (await outside.mail(STRANGER, AN, message=MESSAGE)).code == 250, "mail that we do not sign"


# Clients that leave


@pytest.mark.parametrize("way", ["close", "reset"])
@pytest.mark.parametrize("kind", ["mx", "submissions"])
async def test_leaving_inside_data_leaves_nothing(open_world: OpenWorld, kind: str, way: str) -> None:
    world = await open_world(smtp={"memory_body_bytes": 4096})
    for size in (10, 3000, 100_000, 2_000_000):
        wire = await (world.outside() if kind == "mx" else world.inside())
        reverse_path = STRANGER if kind == "mx" else AN
        await wire.envelope(reverse_path, BINH)
        await wire.say("DATA")
        await wire.send(plain(reverse_path, BINH, text="x\r\n") + b"line\r\n" * (size // 6))
        if size > 1_000_000:
            await eventually(world.files, "the file of a large body")
        wire.reset() if way == "reset" else wire.writer.close()
        await eventually(lambda: not world.node.sessions and not world.node.tasks, "the session's end")
    await eventually(lambda: not world.files(), "the body to be gone")
    assert await world.kept() == []
    assert await world.events() == []
    assert world.count("internal_errors") == 0
    assert world.reserved == 0


async def test_leaving_while_the_file_is_written_leaves_nothing(
    open_world: OpenWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread that writes is at work when the connection goes."""
    import threading

    from mailgov.store.spool import BodyWriter

    world = await open_world(smtp={"memory_body_bytes": 4096})
    started, go_on = threading.Event(), threading.Event()
    flush = BodyWriter._flush

    def slow(writer: BodyWriter) -> None:
        started.set()
        assert go_on.wait(20)
        flush(writer)

    monkeypatch.setattr(BodyWriter, "_flush", slow)
    wire = await world.outside()
    await wire.envelope(STRANGER, AN)
    await wire.say("DATA")
    await wire.send(LARGE[:60_000])  # within what is read ahead: a paused reader would not see the reset
    await eventually(started.is_set)
    wire.reset()
    await eventually(lambda: not world.node.sessions)
    go_on.set()
    await eventually(lambda: not world.node.tasks)
    world.node.executor.submit(lambda: None).result(20)
    await eventually(lambda: not world.files(), "the body to be gone")


@pytest.mark.parametrize("way", ["close", "half"])
@pytest.mark.parametrize("message", [MESSAGE, LARGE, LARGE * 10], ids=["small", "large", "huge"])
async def test_leaving_right_after_the_final_dot_loses_nothing(
    open_world: OpenWorld, message: bytes, way: str
) -> None:
    world = await open_world(smtp={"memory_body_bytes": 65_536})
    wire = await world.outside()
    await wire.envelope(STRANGER, AN)
    await wire.say("DATA")
    await wire.send(stuffed(message))
    if way == "half":
        wire.writer.write_eof()
        assert (await wire.reply()).code == 250
    else:
        wire.writer.close()
    await eventually(lambda: world.offered, "the message to be kept and offered")
    assert await world.bytes_of(world.offered[0]) == message
    await eventually(lambda: not world.node.sessions)
    assert world.count("internal_errors") == 0


async def test_leaving_inside_tls_right_after_the_final_dot_loses_nothing(world: World) -> None:
    wire = await world.inside()
    await wire.envelope(AN, BINH)
    await wire.say("DATA")
    await wire.send(stuffed(plain(AN, BINH) + b"line of a large body\r\n" * 20_000))
    wire.writer.close()
    await eventually(lambda: world.offered, "the message to be kept and offered")


async def test_a_whole_session_with_its_half_closed_is_answered(world: World) -> None:
    """As `nc -N` sends a prepared file: everything at once, then the end of input."""
    wire = await world.connect("mx")
    await wire.send(
        f"EHLO client.test\r\nMAIL FROM:<{STRANGER}>\r\nRCPT TO:<{AN}>\r\nDATA\r\n".encode()
        + stuffed(LARGE)
        + b"QUIT\r\n"
    )
    wire.writer.write_eof()
    assert (await wire.reply(plain=True)).code == 250
    assert [(await wire.reply()).code for _ in range(5)] == [250, 250, 354, 250, 221]
    assert await wire.closed()
    assert len(world.offered) == 1


async def test_the_end_of_input_without_quit_ends_the_session(world: World) -> None:
    wire = await world.outside()
    await wire.send(b"NOOP\r\nNOOP half a command")
    wire.writer.write_eof()
    assert (await wire.reply()).code == 250
    with pytest.raises(Closed):
        await wire.reply()
    await eventually(lambda: not world.node.sessions)
    assert world.count("internal_errors") == 0


@pytest.mark.parametrize("started", [b"NOOP", b"X" * 100_000, b"MAIL FROM:<" + b"x" * 300_000])
async def test_leaving_inside_a_command_line_ends_the_session(world: World, started: bytes) -> None:
    wire = await world.outside()
    await wire.send(started)
    wire.writer.write_eof()
    assert await wire.to_the_end() == []
    await eventually(lambda: not world.node.sessions)
    assert world.count("internal_errors") == 0


async def test_leaving_while_the_policy_asks_the_dns(world: World, dns_server: object) -> None:
    from tests.support.dns_server import DnsServer

    assert isinstance(dns_server, DnsServer)
    dns_server.silence("cham.example")
    wire = await world.inside()
    await wire.say(f"MAIL FROM:<{AN}>")
    await wire.send(b"RCPT TO:<x@cham.example>\r\n")
    await eventually(lambda: dns_server.asked("cham.example", "MX"))
    wire.reset()
    await eventually(lambda: not world.node.sessions)
    assert world.count("internal_errors") == 0


async def test_nothing_is_said_to_the_loop_about_clients_that_leave(world: World) -> None:
    """An exception that nobody retrieves would fill the log with tracebacks."""
    import gc

    told: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    for act in ("before", "data", "error"):
        wire = await world.outside()
        if act == "data":
            await wire.envelope(STRANGER, AN)
            await wire.say("DATA")
            await wire.send(LARGE)
        elif act == "error":
            await wire.send(b"EXPN x\r\n" * 100)
        wire.reset()
        await eventually(lambda: not world.node.sessions and not world.node.tasks)
    gc.collect()
    await asyncio.sleep(0)
    assert told == []


async def test_a_session_that_ends_leaves_nothing_for_the_garbage_collector(world: World) -> None:
    """It would hold a message's bytes until then, and be looked at again and again."""
    import gc
    import weakref

    ended: list[weakref.ref[object]] = []
    gc.disable()
    try:
        for act in ("quit", "leave", "reset", "tls"):
            wire = await world.outside()
            ended += [weakref.ref(one) for one in world.node.connections]
            if act == "tls":
                await wire.starttls(world.client_tls)
                await wire.say("EHLO client.example")
            assert (await wire.mail(STRANGER, AN, message=MESSAGE)).code == 250
            if act == "quit":
                await wire.say("QUIT")
            if act == "reset":
                wire.reset()
            else:
                wire.writer.close()
            await eventually(lambda: not world.node.sessions and not world.node.tasks)
        assert len(ended) == 4
        await eventually(lambda: all(one() is None for one in ended), "the sessions to be gone")
    finally:
        gc.enable()
