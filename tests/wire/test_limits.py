"""What a client may not do for ever, and what it hears then."""

from __future__ import annotations

import asyncio
import secrets
import socket
import tracemalloc
from typing import Any, cast

import pytest

from mailgov.mail.reply import Reply
from mailgov.relay import accept
from mailgov.relay.session import replies
from mailgov.settings import SmtpSettings
from tests.support.messages import plain
from tests.support.relay_node import AN
from tests.wire.client import Wire, eventually, stuffed
from tests.wire.conftest import OpenWorld, World

STRANGER = "khach@example.org"
MESSAGE = plain(STRANGER, AN)


# Command lines


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"NOOP " + b"x" * 505, 250),
        (b"NOOP " + b"x" * 508, 500),
        (b"EHLO " + b"x" * 600, 500),
        (b"RCPT TO:<annv@caobang.gov.vn>" + b" " * 2020, 500),
        (b"MAIL FROM:<" + b"x" * 3000 + b"@example.org>", 500),
        (b"X" * 513, 500),
        (b"X" * 70_000, 500),
        (b"NOOP " + b"x" * 70_000, 500),
    ],
)
async def test_a_command_line_has_512_octets_with_its_end(world: World, line: bytes, code: int) -> None:
    """RFC 5321 4.5.3.1.4; MAIL and RCPT have more."""
    wire = await world.outside()
    assert (await wire.say(line)).code == code
    assert await wire.alive()


async def test_mail_may_be_longer_by_its_extensions(world: World) -> None:
    wire = await world.outside()
    reverse_path = f"{'x' * 60}@{'.'.join(['y' * 60] * 3)}.example"
    assert (
        await wire.say(f"MAIL FROM:<{reverse_path}> SIZE=1000 BODY=8BITMIME SMTPUTF8" + " " * 300)
    ).code == 250


async def test_a_line_that_never_ends_costs_no_memory(world: World) -> None:
    wire = await world.outside()
    chunk = b"x" * 65_536
    tracemalloc.start()
    try:
        for _ in range(320):  # 20 MB
            await wire.send(chunk)
        await world.taken_in(wire)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * 1024 * 1024
    await wire.send(b"\r\n")
    assert (await wire.reply()).code == 500
    assert await wire.alive()


@pytest.mark.parametrize(
    "line",
    [
        b"\x00",
        b"NO\x00OP",
        b"NOOP \x00\x01\x02",
        b"\x00" * 100,
        b"\xff\xfe\xfd",
        b"NOOP \xff\xfe",
        b"M\xc3\xa1IL FROM:<>",
        b"EHLO \x00\x1b[31m",
        b"EHLO \xe1\xbb\x87",
        b"MAIL FROM:<\x00@example.org>",
        b"MAIL FROM:<a\x00b@example.org>",
        b"RCPT TO:<\xff>",
        b"\x1b[31mRED",
        b"RED\rGREEN",
        b"NOOP\rMAIL FROM:<>",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"HELP \x85",
        b"VRFY \x00",
        b"AUTH \x00",
        b"STARTTLS\x00",
        b"\t\t\t",
        b"DATA\x00",
    ],
)
async def test_odd_octets_get_one_clean_reply(world: World, line: bytes) -> None:
    wire = await world.outside()
    await wire.send(line + b"\r\n")
    said = await wire.reply(plain=line[:4] == b"EHLO" and line[-1:] != b"")
    assert said.code // 100 in {2, 5}
    assert said.text.isprintable(), "nothing of it comes back"
    assert await wire.alive()
    assert world.count("internal_errors") == 0


async def test_bare_lf_ends_a_command_line_too(world: World) -> None:
    """Nothing can be smuggled by it: an answer to each, in order."""
    wire = await world.outside()
    await wire.send(b"NOOP\nRSET\n\nNOOP\r\n")
    assert [(await wire.reply()).code for _ in range(4)] == [250, 250, 500, 250]


async def test_data_opened_by_a_bare_lf_ends_as_always(world: World) -> None:
    wire = await world.outside()
    await wire.envelope(STRANGER, AN)
    await wire.send(b"DATA\n")
    assert (await wire.reply()).code == 354
    await wire.send(stuffed(MESSAGE))
    assert (await wire.reply()).code == 250
    assert await world.bytes_of(world.offered[0]) == MESSAGE


# Errors


@pytest.mark.parametrize(
    "command", ["XYZZY", "RSET now", "MAIL FROM:<>x", "RCPT TO:<x>", "DATA", "EXPN x", ""]
)
async def test_too_many_errors_end_the_session_with_421(open_world: OpenWorld, command: str) -> None:
    world = await open_world(smtp={"error_limit": 8})
    wire = await world.outside()
    for _ in range(7):
        assert (await wire.say(command)).code >= 500
    assert await wire.alive()
    assert (await wire.say(command)).code >= 500
    assert (await wire.reply()).short == "421 4.7.0"
    assert await wire.closed()
    await eventually(lambda: world.node.sessions == 0)
    assert world.count("refused_errors") == 1


async def test_what_is_pipelined_behind_the_last_error_is_not_run(open_world: OpenWorld) -> None:
    world = await open_world(smtp={"error_limit": 2})
    wire = await world.outside()
    more = f"MAIL FROM:<{STRANGER}>\r\nRCPT TO:<{AN}>\r\nDATA\r\n".encode() + stuffed(MESSAGE)
    await wire.send(b"EXPN x\r\n" * 2 + more)
    assert [(await wire.reply()).code for _ in range(3)] == [502, 502, 421]
    assert await wire.closed()
    assert world.offered == []


async def test_unknown_recipients_count_as_errors(open_world: OpenWorld) -> None:
    world = await open_world(smtp={"error_limit": 5})
    wire = await world.outside()
    await wire.say(f"MAIL FROM:<{STRANGER}>")
    for number in range(5):
        assert (await wire.say(f"RCPT TO:<thu{number}@caobang.gov.vn>")).code == 550
    assert (await wire.reply()).short == "421 4.7.0"


# Commands that bring no message nearer


@pytest.mark.parametrize(
    "command", ["NOOP", "RSET", "VRFY x", "HELP", "EHLO x", "HELO x", f"RCPT TO:<{AN}>", "noop x"]
)
async def test_commands_without_a_message_end_the_session_with_421(
    open_world: OpenWorld, command: str
) -> None:
    world = await open_world(smtp={"junk_command_limit": 8})
    wire = await world.outside()  # EHLO is the first of them
    await wire.say(f"MAIL FROM:<{STRANGER}>")
    await wire.say(f"RCPT TO:<{AN}>")
    assert [said.code for said in await wire.pipeline(*[command] * 7)] == [
        {"VRFY": 252, "HELP": 214}.get(command[:4], 250)
    ] * 7
    more = f"MAIL FROM:<{STRANGER}>\r\nRCPT TO:<{AN}>\r\nDATA\r\n".encode() + stuffed(MESSAGE)
    await wire.send(f"{command}\r\n".encode() + more)
    assert (await wire.reply()).short == "421 4.7.0"
    assert await wire.closed()
    await eventually(lambda: world.node.sessions == 0)
    assert world.offered == []
    assert world.count("refused_junk_commands") == 1


async def test_a_message_taken_in_starts_the_count_anew(open_world: OpenWorld) -> None:
    world = await open_world(smtp={"junk_command_limit": 4})
    wire = await world.outside()
    for _ in range(3):
        for _ in range(3):
            assert (await wire.say("NOOP")).code == 250
        assert (await wire.mail(STRANGER, AN, message=MESSAGE)).code == 250
    for _ in range(4):
        assert (await wire.say("RSET")).code == 250
    assert (await wire.mail(STRANGER, AN, message=b"bare\nLF\r\n")).code == 554
    assert (await wire.say("RSET")).short == "421 4.7.0"


async def test_a_long_list_of_recipients_is_no_junk(world: World) -> None:
    wire = await world.inside()
    await wire.say(f"MAIL FROM:<{AN}>")
    for number in range(150):
        assert (await wire.say(f"RCPT TO:<n{number}@example.org>")).code == 250
    assert await wire.alive()


async def test_who_pipelines_leaves_the_others_their_turn(open_world: OpenWorld) -> None:
    world = await open_world(smtp={"junk_command_limit": 100_000})
    flooder, other = await world.outside(), await world.outside()
    (session,) = [s for s in world.node.connections if s.transport.get_extra_info("peername") ==
                  flooder.writer.get_extra_info("sockname")]  # fmt: skip
    flood = 10_000
    await flooder.send(b"NOOP\r\n" * flood)
    answered: list[bytes] = []
    send = session._send

    async def counting(lines: bytes) -> None:
        answered.append(lines)
        await send(lines)

    session._send = counting
    await eventually(lambda: answered, "the flood")
    assert await other.alive()
    assert len(answered) < flood // 10


# Sessions


async def test_a_trusted_listener_serves_its_networks_alone(open_world: OpenWorld) -> None:
    world = await open_world(networks=("10.0.0.0/8", "2001:db8::/32"))
    wire = await world.connect("trusted", greeted=False)
    assert (await wire.reply()).short == "554 5.7.1"
    assert await wire.closed()
    assert world.node.sessions == 0
    assert world.count("refused_not_trusted") == 1


async def test_who_is_turned_away_and_talks_on_is_not_heard(open_world: OpenWorld) -> None:
    world = await open_world(networks=("10.0.0.0/8",))
    wire = await world.connect("trusted", greeted=False)
    await wire.send(b"EHLO x\r\nMAIL FROM:<scanner@caobang.gov.vn>\r\n" * 100)
    said = [reply.code for reply in await wire.to_the_end()]
    assert said in ([554], [])  # the kernel may drop the line when it resets the connection


# Draining


async def test_a_draining_worker_takes_nothing_new(world: World) -> None:
    wire = await world.outside()
    world.node.draining = True
    late = await world.connect("mx", greeted=False)
    assert (await late.reply()).short == "421 4.3.2"
    assert await late.closed()
    assert (await wire.say(f"MAIL FROM:<{STRANGER}>")).short == "421 4.3.2"


async def test_a_message_under_way_may_end_when_the_worker_drains(world: World) -> None:
    idle, busy = await world.outside(), await world.outside()
    await busy.envelope(STRANGER, AN)
    assert (await busy.say("DATA")).code == 354
    await busy.send(MESSAGE[:50])
    world.node.draining = True
    for session in list(world.node.connections):
        session.drain_session()
    assert (await idle.reply()).short == "421 4.3.2"
    assert await idle.closed()
    await busy.send(stuffed(MESSAGE)[50:])
    assert (await busy.reply()).short == "250 2.0.0"
    assert (await busy.reply()).short == "421 4.3.2"
    assert await busy.closed()
    assert len(world.offered) == 1


# Silence


async def test_a_message_may_wait_less_than_a_command(open_world: OpenWorld) -> None:
    """RFC 5321 4.5.3.2: 3 minutes for each piece of data, 5 for a command."""
    assert (SmtpSettings().idle_timeout_s, SmtpSettings().data_timeout_s) == (300, 180)
    world = await open_world(smtp={"idle_timeout_s": 0.3, "data_timeout_s": 60.0})
    wire = await world.outside()
    await wire.envelope(STRANGER, AN)
    await wire.say("DATA")
    for line in (b"From: <a@x.test>\r\n", b"\r\n", b"x\r\n", b".\r\n"):
        await asyncio.sleep(0.2)
        await wire.send(line)
    assert (await wire.reply()).code == 250
    assert (await wire.reply()).short == "421 4.4.2", "a command's time counts again"


@pytest.mark.parametrize("by", ["data", "bdat"])
async def test_our_own_slowness_is_not_the_clients_silence(
    open_world: OpenWorld, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    """Told 421 it would send the message again, although it was taken (RFC 5321 4.5.3.2.6, 6.1)."""
    take_in = accept.take_in

    async def slowly(*given: Any) -> Reply:
        await asyncio.sleep(0.5)
        return await take_in(*given)

    monkeypatch.setattr(accept, "take_in", slowly)
    world = await open_world(smtp={"idle_timeout_s": 0.2, "data_timeout_s": 0.2})
    wire = await world.outside()
    await wire.envelope(STRANGER, AN)
    said = await (wire.data(MESSAGE) if by == "data" else wire.bdat(MESSAGE, last=True))
    assert said.short == "250 2.0.0"
    assert (await wire.reply()).short == "421 4.4.2", "then it is the client's turn again"
    assert len(world.offered) == 1


async def test_a_silent_client_is_told_and_let_go(open_world: OpenWorld) -> None:
    world = await open_world(smtp={"idle_timeout_s": 0.2})
    wire = await world.outside()
    assert (await wire.reply()).short == "421 4.4.2"
    assert await wire.closed()
    await eventually(lambda: world.node.sessions == 0)


async def test_a_client_that_falls_silent_inside_data_leaves_nothing(open_world: OpenWorld) -> None:
    world = await open_world(smtp={"data_timeout_s": 0.2, "memory_body_bytes": 4096})
    wire = await world.outside()
    await wire.envelope(STRANGER, AN)
    await wire.say("DATA")
    await wire.send(b"Subject: x\r\n\r\n" + b"line\r\n" * 20_000)
    assert [reply.short for reply in await wire.to_the_end()] == ["421 4.4.2"]
    await eventually(lambda: world.node.sessions == 0 and not world.files())


async def test_a_client_that_never_reads_is_let_go(open_world: OpenWorld) -> None:
    """Its replies pile up, so a polite close would wait for it as long as it likes."""
    world = await open_world(smtp={"idle_timeout_s": 0.3})
    wire = await world.outside()
    (session,) = world.node.connections
    session.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    cast(asyncio.ReadTransport, wire.writer.transport).pause_reading()
    flood = b"HELP\r\n" * 10_000

    async def talk() -> None:
        while True:
            await wire.send(flood)

    talking = asyncio.ensure_future(talk())
    try:
        await eventually(lambda: world.node.sessions == 0, "the end of the session")
    finally:
        talking.cancel()
        await asyncio.gather(talking, return_exceptions=True)


@pytest.mark.parametrize("kind", ["submission", "submissions"])
@pytest.mark.parametrize("end", ["quit", "errors", "silence", "drain"])
async def test_who_never_closes_tls_gives_his_place_back(
    open_world: OpenWorld, monkeypatch: pytest.MonkeyPatch, kind: str, end: str
) -> None:
    """Its last reply is on the way, but close_notify stays unanswered: TLS would wait 30 s for it."""
    monkeypatch.setattr(replies, "CLOSING_S", 0.1)
    world = await open_world(smtp={"error_limit": 1, "idle_timeout_s": 0.3 if end == "silence" else 60.0})
    wire = await world.connect(kind)
    await wire.ehlo()
    if kind == "submission":
        await wire.starttls(world.client_tls)
        await wire.ehlo()
    cast(asyncio.ReadTransport, wire.writer.transport).pause_reading()
    if end in ("quit", "errors"):
        await wire.send({"quit": b"QUIT\r\n", "errors": b"EXPN x\r\n"}[end])
    if end == "drain":
        for session in list(world.node.connections):
            session.drain_session()
    await eventually(lambda: world.node.sessions == 0, "the end of the session")
    counted = world.node.counters.values
    refused = {name: counted[name] for name in counted if "refused" in name and counted[name]}
    assert refused == {"errors": {"refused_errors": 1}, "silence": {"refused_timeout": 1}}.get(end, {})
    assert world.count("internal_errors") == 0


async def test_a_flood_of_guesses_keeps_nobody_else_waiting(world: World) -> None:
    guessing = [await world.connect("submissions") for _ in range(48)]
    await asyncio.gather(*(wire.ehlo() for wire in guessing))
    good = await world.connect("submissions", source="127.0.0.2")
    await good.ehlo()
    guesses = [asyncio.ensure_future(wire.sign_in(f"ai{n}", "falsch")) for n, wire in enumerate(guessing)]
    await asyncio.wait(guesses, return_when=asyncio.FIRST_COMPLETED)
    # An account that has not signed in for a while: its password is to be checked, not remembered.
    assert (await good.sign_in(AN, "falsch")).short == "535 5.7.8"
    assert sum(guess.done() for guess in guesses) < 24
    assert {guess.short for guess in await asyncio.gather(*guesses)} == {"535 5.7.8"}


async def test_a_flood_of_guesses_does_not_fill_the_log(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailgov.relay.session.sign_in.REFUSED_SIGN_INS_LOGGED", 3)
    wire = await world.connect("submissions")
    await wire.ehlo()
    for _ in range(15):
        assert (await wire.sign_in(f"ai{secrets.token_hex(4)}", "falsch")).short == "535 5.7.8"
    assert 3 <= capsys.readouterr().out.count("sign-in refused") <= 6, "another minute may have begun"
    assert world.count("refused_bad_sign_in") == 15


async def test_many_sessions_at_once(world: World) -> None:
    async def one(number: int) -> str:
        wire: Wire = await world.outside()
        return (await wire.mail(STRANGER, AN, message=MESSAGE + b"%d\r\n" % number)).short

    assert set(await asyncio.gather(*(one(number) for number in range(50)))) == {"250 2.0.0"}
    assert len({message.queue_id for message in world.offered}) == 50
    assert world.reserved == 0
