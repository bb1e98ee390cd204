"""Mail out over SMTP, against a server that misbehaves as it is told."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from aiosmtplib.response import SMTPResponse

from mailgov.mail.reply import MailError, Reply
from mailgov.relay.answer import REPLY_LENGTH_LIMIT, reply_of
from mailgov.relay.client import Connection, Stale
from mailgov.relay.content import Content
from mailgov.relay.exchange import Exchange
from mailgov.relay.first_hop import first_connection
from mailgov.relay.outgoing import Envelope
from mailgov.relay.route import Hop
from mailgov.settings import DeliverySettings
from tests.support.certificates import make_certificate
from tests.support.processes import free_port, wait_until
from tests.support.sink import EXTENSIONS, Act, Phase, Sink

HOST = "mx.example.org"
DATA = b"Subject: x\r\n\r\n.\r\n..two dots\r\nplain\r\n.last\r\n"
ONE = Envelope("annv@caobang.gov.vn", ("a@example.org",), smtputf8=False, eight_bit=False)
TWO = Envelope("annv@caobang.gov.vn", ("a@example.org", "b@example.org"), smtputf8=False, eight_bit=False)
QUICK: dict[str, Any] = {"connect_timeout_s": 0.5, "command_timeout_s": 0.5, "data_timeout_s": 0.5}


@pytest.fixture(scope="module")
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as executor:
        yield executor


def content(data: bytes = DATA) -> Content:
    return Content(data, size_bytes=len(data))


async def opened(sink: Sink, pool: ThreadPoolExecutor, **delivery: Any) -> Connection:
    settings = DeliverySettings.model_validate(delivery)
    return await Connection.open(Hop(HOST, sink.host, sink.port), settings, "mail.caobang.gov.vn", pool)


@pytest.fixture
async def connection(sink: Sink, pool: ThreadPoolExecutor) -> AsyncIterator[Connection]:
    made = await opened(sink, pool)
    yield made
    await made.close()


# What is said and what arrives


async def test_a_message_arrives_byte_for_byte(sink: Sink, connection: Connection) -> None:
    (reply,) = await connection.send(ONE, content())
    assert reply.line() == "250 2.0.0 kept"
    (received,) = sink.messages
    assert (received.reverse_path, received.recipients, received.data) == (
        ONE.reverse_path,
        ONE.recipients,
        DATA,
    )
    assert received.helo == "mail.caobang.gov.vn"
    assert received.mail_parameters == (f"SIZE={len(DATA)}",)


@pytest.mark.parametrize(
    "data",
    [
        b".\r\n",
        b"",
        b"\r\n.\r\n",
        b"Subject: x\r\n\r\n" + b".\r\n" * 50_000,
        b"Subject: x\r\n\r\n" + b"\x00\xff" * 100 + b"\r\n",
    ],
)
async def test_dots_and_odd_bodies(sink: Sink, connection: Connection, data: bytes) -> None:
    (reply,) = await connection.send(ONE, content(data))
    assert reply.positive
    assert sink.messages[0].data == data


async def test_head_and_file_are_one_message(sink: Sink, connection: Connection, tmp_path: Path) -> None:
    file = tmp_path / "body"
    file.write_bytes(b"cut off" + b"\r\n.x\r\n" * 200_000)
    (reply,) = await connection.send(ONE, Content(b"Subject: x\r\n\r\nend", file, 7, 18 + 1_200_000))
    assert reply.positive
    assert sink.messages[0].data == b"Subject: x\r\n\r\nend" + b"\r\n.x\r\n" * 200_000


async def test_a_last_line_without_its_end_is_ended(sink: Sink, connection: Connection) -> None:
    assert (await connection.send(ONE, content(b"Subject: x\r\n\r\nno end")))[0].positive
    assert sink.messages[0].data == b"Subject: x\r\n\r\nno end\r\n"


async def test_many_messages_on_one_connection(sink: Sink, connection: Connection) -> None:
    for _ in range(5):
        assert (await connection.send(ONE, content()))[0].positive
    assert (len(sink.messages), sink.connections) == (5, 1)


@pytest.mark.parametrize("extensions", [("PIPELINING",), ()], ids=["pipelined", "one by one"])
async def test_after_a_refused_data_the_next_message_is_a_transaction_of_its_own(
    pool: ThreadPoolExecutor, extensions: tuple[str, ...]
) -> None:
    """The next hop keeps the transaction open until RSET, and says 503 to a nested MAIL, as Postfix does."""
    with Sink(extensions=extensions) as sink:
        connection = await opened(sink, pool)
        sink.on("data", "451 4.3.0 not now", times=1)
        assert [r.line() for r in await connection.send(TWO, content())] == ["451 4.3.0 not now"] * 2
        assert (await connection.send(ONE, content()))[0].line() == "250 2.0.0 kept"
        await connection.close()
        assert [m.recipients for m in sink.messages] == [ONE.recipients]
        assert sink.connections == 1


async def test_a_session_that_ends_at_data_keeps_each_recipients_reply(pool: ThreadPoolExecutor) -> None:
    script = Scripted(EHLO, (b"DATA\r\n", b"250 ok\r\n250 ok\r\n550 5.1.1 no\r\n421 4.3.2 closing\r\n"))
    assert await say_to(script, pool) == ["421 4.3.2 closing", "550 5.1.1 no"]


@pytest.mark.parametrize(
    ("phase", "said", "heard"),
    [
        ("rcpt", "550 5.1.1 nobody", True),
        ("mail", "421 4.3.2 later", True),
        ("eod", "250 2.0.0 kept", True),
        ("eod", Act.DROP, False),
        ("mail", "this is no reply", False),
    ],
)
async def test_words_of_ours_are_told_from_the_next_hops(
    sink: Sink, connection: Connection, phase: Phase, said: str | Act, heard: bool
) -> None:
    """A report must not lay in the next hop's mouth what it never said (RFC 3464 2.3.6)."""
    sink.on(phase, said)
    assert [reply.heard for reply in await connection.send(ONE, content())] == [heard]


async def test_each_recipient_has_its_own_reply(sink: Sink, connection: Connection) -> None:
    sink.on("rcpt", "550 5.1.1 nobody", when=lambda address: address.startswith("a@"))
    assert [r.line() for r in await connection.send(TWO, content())] == ["550 5.1.1 nobody", "250 2.0.0 kept"]
    assert sink.messages[0].recipients == ("b@example.org",)


async def test_parameters_are_said_where_they_are_understood(pool: ThreadPoolExecutor) -> None:
    envelope = Envelope("ä@example.vn", ("b@example.org",), smtputf8=True, eight_bit=True)
    with Sink(extensions=("SMTPUTF8", "8BITMIME")) as sink:
        made = await opened(sink, pool)
        assert (await made.send(envelope, content()))[0].positive
        await made.close()
        assert sink.messages[0].mail_parameters == ("BODY=8BITMIME", "SMTPUTF8")
        assert sink.messages[0].reverse_path == "ä@example.vn"
    with Sink(extensions=()) as sink:
        made = await opened(sink, pool)
        assert (await made.send(envelope, content()))[0].line().startswith("553 5.6.7 ")
        plain = Envelope("a@example.vn", ("b@example.org",), smtputf8=False, eight_bit=True)
        assert (await made.send(plain, content()))[0].positive, "announced, but not there"
        assert sink.messages[0].mail_parameters == ()
        eight = content("Subject: x\r\n\r\nxin chào\r\n".encode())
        (reply,) = await made.send(plain, eight)
        assert reply.line().startswith("554 5.6.3 ")
        assert not reply.heard
        assert len(sink.messages) == 1, "nothing is sent in a form that the next hop did not ask for"
        await made.close()


async def test_a_size_that_is_too_much_is_not_even_tried(pool: ThreadPoolExecutor) -> None:
    with Sink(extensions=("SIZE 40",)) as sink:
        made = await opened(sink, pool)
        assert (await made.send(TWO, content()))[0].line().startswith("552 5.3.4 ")
        assert (await made.send(ONE, content(b"Subject: x\r\n\r\nshort\r\n")))[0].positive
        await made.close()
        assert not any("SIZE=47" in command for command in sink.commands)


@pytest.mark.parametrize(
    "said", ["SIZE \u00b2", "SIZE \u0663", f"SIZE {'9' * 5000}", "SIZE -1", "SIZE 40 \u0663", "SIZE x"]
)
async def test_a_size_that_is_no_number_of_octets_bounds_nothing(pool: ThreadPoolExecutor, said: str) -> None:
    with Sink(extensions=(said,)) as sink:
        made = await opened(sink, pool)
        assert (await made.send(ONE, content()))[0].positive
        await made.close()


async def test_an_address_with_a_control_character_cannot_be_said(sink: Sink, connection: Connection) -> None:
    for evil in ("a\r\nRCPT TO:<victim@example.org>@x.org", "a\x00@x.org"):
        envelope = Envelope("annv@caobang.gov.vn", (evil,), smtputf8=False, eight_bit=False)
        (reply,) = await connection.send(envelope, content())
        assert reply.code in {451, 553}
    assert not any("victim" in command for command in sink.commands)


# What a next hop may answer

REPLIES: list[tuple[Phase, str | Act, str]] = [
    ("mail", "550 5.7.1 no", "550 5.7.1 no"),
    ("mail", "451 4.3.0 later", "451 4.3.0 later"),
    ("mail", "354 odd", "451 4.0.0 odd"),
    ("rcpt", "550 no", "550 5.0.0 no"),
    ("rcpt", "452 4.2.2 full", "452 4.2.2 full"),
    ("rcpt", "354 odd", "451 4.0.0 odd"),
    ("data", "554 5.5.1 no", "554 5.5.1 no"),
    ("data", "451 4.3.0 later", "451 4.3.0 later"),
    ("data", "250 odd", "451 4.5.0 unexpected reply to DATA"),
    ("eod", "554 5.6.0 spam", "554 5.6.0 spam"),
    ("eod", "451 4.7.1 greylisted", "451 4.7.1 greylisted"),
    ("eod", "354 odd", "451 4.0.0 odd"),
    ("eod", "150 odd", "451 4.0.0 odd"),
    ("eod", "250 kept", "250 2.0.0 kept"),
    ("eod", "252 5.1.1 liar", "252 2.0.0 liar"),
    ("eod", "550-5.7.1 one\r\n550-5.7.1 two\r\n550 5.7.1 three", "550 5.7.1 one 5.7.1 two 5.7.1 three"),
    ("mail", Act.DROP, "451 4.4.2"),
    ("rcpt", Act.RESET, "451 4.4.2"),
    ("data", Act.DROP, "451 4.4.2"),
    ("eod", Act.DROP, "451 4.4.2"),
    ("eod", Act.KEEP_AND_DROP, "451 4.4.2"),
    ("mail", "this is no reply", "451 4."),
]


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize(("phase", "said", "heard"), REPLIES, ids=range(len(REPLIES)))
async def test_what_is_made_of_a_reply(
    pool: ThreadPoolExecutor, phase: Phase, said: str | Act, heard: str, pipelining: bool
) -> None:
    with Sink(extensions=[one for one in EXTENSIONS if pipelining or one != "PIPELINING"]) as sink:
        made = await opened(sink, pool, **QUICK)
        sink.on(phase, said)
        replies = [reply.line() for reply in await made.send(TWO, content())]
        assert len(replies) == 2
        for reply in replies:
            assert reply.startswith(heard), reply
        if heard.startswith(("250", "252")):
            assert len(sink.messages) == 1
        await made.close()


class Scripted:
    """A next hop that says what it is told whenever it hears so much, and writes down each piece it hears."""

    def __init__(self, *answers: tuple[bytes, bytes], hang_up: bool = False) -> None:
        self.heard: list[bytes] = []
        self.answers, self.hang_up = answers, hang_up
        self._ended = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(b"220 mx ESMTP\r\n")
            for until, answer in self.answers:
                self.heard.append(await reader.readuntil(until))
                await self.answer(writer, answer)
            while not self.hang_up and await reader.readline() not in (b"", b"QUIT\r\n"):
                pass
        finally:
            self._ended.set()
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def answer(self, writer: asyncio.StreamWriter, answer: bytes) -> None:
        writer.write(answer)

    async def ended(self) -> None:
        await asyncio.wait_for(self._ended.wait(), 5)


EHLO = (b"EHLO mail.caobang.gov.vn\r\n", b"250-mx\r\n250 PIPELINING\r\n")


async def say_to(
    script: Scripted, pool: ThreadPoolExecutor, timeout_s: float = 5.0, message: Content | None = None
) -> list[str]:
    server = await asyncio.start_server(script.serve, "127.0.0.1", 0)
    async with server:
        hop = Hop(HOST, *server.sockets[0].getsockname())
        settings = DeliverySettings.model_validate({"command_timeout_s": timeout_s})
        made = await Connection.open(hop, settings, "mail.caobang.gov.vn", pool)
        said = [reply.line() for reply in await made.send(TWO, message or content())]
        await made.close()
        await script.ended()
    return said


async def test_a_whole_envelope_is_one_group(pool: ThreadPoolExecutor) -> None:
    script = Scripted(
        EHLO,
        (b"DATA\r\n", b"250 ok\r\n250 ok\r\n550 5.1.1 no\r\n354 go\r\n"),
        (b"\r\n.\r\n", b"250 2.0.0 kept\r\n"),
    )
    assert await say_to(script, pool) == ["250 2.0.0 kept", "550 5.1.1 no"]
    assert script.heard[1] == (
        b"MAIL FROM:<annv@caobang.gov.vn>\r\nRCPT TO:<a@example.org>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n"
    )


async def test_data_that_is_taken_for_nobody_is_ended_empty(pool: ThreadPoolExecutor) -> None:
    """RFC 2920 3.1: a server may say 354 although it has refused every recipient."""
    script = Scripted(
        EHLO,
        (b"DATA\r\n", b"250 ok\r\n550 5.1.1 a\r\n550 5.1.1 b\r\n354 go\r\n"),
        (b".\r\nRSET\r\n", b"554 5.5.1 no recipients\r\n250 ok\r\n"),
    )
    assert await say_to(script, pool) == ["550 5.1.1 a", "550 5.1.1 b"]
    assert script.heard[2] == b".\r\nRSET\r\n"


async def test_a_reply_before_the_end_of_the_message_counts(pool: ThreadPoolExecutor) -> None:
    script = Scripted(
        EHLO,
        (b"DATA\r\n", b"250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n"),
        (b".last\r\n", b"452 4.3.1 no room\r\n"),
    )
    assert await say_to(script, pool) == ["452 4.3.1 no room"] * 2


async def test_replies_may_come_octet_by_octet_and_each_is_waited_for(pool: ThreadPoolExecutor) -> None:
    class Slow(Scripted):
        async def answer(self, writer: asyncio.StreamWriter, answer: bytes) -> None:
            for octet in answer:
                writer.write(bytes([octet]))
                if b"354" in answer:  # together longer than one reply may take, each well within it
                    await asyncio.sleep(0.03)

    script = Slow(
        EHLO,
        (b"DATA\r\n", b"250-ok\r\n250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n"),
        (b"\r\n.\r\n", b"250 2.0.0 kept\r\n"),
    )
    assert await say_to(script, pool, timeout_s=1.0) == ["250 2.0.0 kept"] * 2


async def two_messages(script: Scripted, pool: ThreadPoolExecutor) -> list[str]:
    """What became of two messages in one session, with a moment between them; a Stale one is told as such."""
    server = await asyncio.start_server(script.serve, "127.0.0.1", 0)
    async with server:
        hop = Hop(HOST, *server.sockets[0].getsockname())
        settings = DeliverySettings.model_validate(QUICK | {"command_timeout_s": 5})
        made = await Connection.open(hop, settings, "mail.caobang.gov.vn", pool)
        heard = []
        for _ in range(2):
            try:
                heard += [reply.line() for reply in await made.send(ONE, content())]
            except Stale:
                heard.append("stale")
            if script.hang_up:
                await asyncio.to_thread(wait_until, lambda: not made._client.is_connected)
        await made.close()
        await script.ended()
    return heard


ENVELOPE = (b"DATA\r\n", b"250 ok\r\n250 ok\r\n354 go\r\n")


@pytest.mark.parametrize("final", ["550 5.7.1 spam", "250 2.0.0 kept"])
async def test_what_one_message_was_told_is_nothing_to_the_next_when_the_session_ended(
    pool: ThreadPoolExecutor, final: str
) -> None:
    script = Scripted(EHLO, ENVELOPE, (b"\r\n.\r\n", f"{final}\r\n".encode()), hang_up=True)
    assert await two_messages(script, pool) == [final, "stale"]


async def test_a_session_out_of_step_serves_no_other_message(pool: ThreadPoolExecutor) -> None:
    """A reply too many would be taken for the answer to the next command."""
    script = Scripted(EHLO, ENVELOPE, (b"\r\n.\r\n", b"250 2.0.0 kept\r\n250 2.0.0 kept\r\n"))
    assert await two_messages(script, pool) == ["250 2.0.0 kept", "stale"]


async def test_taken_before_it_was_sent_is_not_delivered(pool: ThreadPoolExecutor) -> None:
    script = Scripted(EHLO, (b"DATA\r\n", b"250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n250 2.0.0 kept\r\n"))
    for line in await say_to(script, pool):
        assert line.startswith("451 4.")
    script = Scripted(
        EHLO,
        (b"DATA\r\n", b"250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n"),
        (b".last\r\n", b"250 2.0.0 kept\r\n"),
    )
    slow = Pausing(DATA, Path("read in pieces"), size_bytes=len(DATA))
    for line in await say_to(script, pool, message=slow):
        assert line.startswith("451 4.5.0 ")


class Pausing(Content):
    """Content after which nothing comes for a moment: what is said in it comes before the end."""

    async def chunks(self, executor: Executor) -> AsyncIterator[bytes]:
        yield DATA
        yield b"more\r\n"
        await asyncio.sleep(0.1)


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        (b"250 ok\r\n550 5.1.1 a\r\n550 5.1.1 b\r\n554 5.5.1 none\r\n", ["550 5.1.1 a", "550 5.1.1 b"]),
        (b"250 ok\r\n550 5.1.1 a\r\n550 5.1.1 b\r\n354 go\r\n", ["550 5.1.1 a", "550 5.1.1 b"]),
        (b"250 ok\r\n550 5.1.1 a\r\n550 5.1.1 b\r\n", ["550 5.1.1 a", "550 5.1.1 b"]),
        (b"250 ok\r\n550 5.1.1 a\r\n", ["550 5.1.1 a", "451 4.4.2 "]),
        (b"250 ok\r\n250 ok\r\n550 5.1.1 b\r\n", ["451 4.4.2 ", "550 5.1.1 b"]),
        (b"550 5.7.1 no\r\n503 5.5.1 no\r\n", ["550 5.7.1 no"] * 2),
    ],
)
async def test_a_refusal_stays_one_when_the_next_hop_hangs_up_on_it(
    pool: ThreadPoolExecutor, said: bytes, heard: list[str]
) -> None:
    """It would be tried for days, and its author told of a broken connection."""
    script = Scripted(EHLO, (b"DATA\r\n", said), hang_up=True)
    for line, beginning in zip(await say_to(script, pool), heard, strict=True):
        assert line.startswith(beginning)


async def test_a_refusal_stays_one_when_the_next_hop_falls_silent(pool: ThreadPoolExecutor) -> None:
    """Without pipelining too, where nothing more is said: a late reply would be taken for another's."""
    script = Scripted(EHLO, (b"DATA\r\n", b"250 ok\r\n550 5.1.1 a\r\n"))
    first, second = await say_to(script, pool, timeout_s=0.3)
    assert first == "550 5.1.1 a"
    assert second.startswith("451 4.4.2 ")
    plain = Scripted((EHLO[0], b"250 mx\r\n"), (b"\r\n", b"250 ok\r\n"), (b"\r\n", b"550 5.1.1 a\r\n"))
    first, second = await say_to(plain, pool, timeout_s=0.3)
    assert first == "550 5.1.1 a"
    assert second.startswith("451 4.4.2 ")


async def test_a_reply_in_drops_is_waited_for_no_longer_than_any(pool: ThreadPoolExecutor) -> None:
    class Dripping(Scripted):
        async def answer(self, writer: asyncio.StreamWriter, answer: bytes) -> None:
            for octet in answer:
                writer.write(bytes([octet]))
                if b"drip" in answer:
                    await asyncio.sleep(0.05)

    script = Dripping(EHLO, (b"DATA\r\n", b"250-" + b"drip" * 5 + b"\r\n"))
    for line in await say_to(script, pool, timeout_s=0.3):
        assert line.startswith("451 4.4.2 ")
        assert "no answer in time" in line


async def test_time_that_the_envelope_took_is_none_of_the_message_s(pool: ThreadPoolExecutor) -> None:
    class Slow(Scripted):
        async def answer(self, writer: asyncio.StreamWriter, answer: bytes) -> None:
            for line in answer.splitlines(keepends=True):
                if b"ok" in answer:
                    await asyncio.sleep(0.2)
                writer.write(line)

    class Long(Content):
        async def chunks(self, executor: Executor) -> AsyncIterator[bytes]:
            for _ in range(8):
                yield b"x\r\n"
                await asyncio.sleep(0.1)

    script = Slow(
        EHLO,
        (b"DATA\r\n", b"250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n"),
        (b"\r\n.\r\n", b"250 2.0.0 kept\r\n"),
    )
    long = Long(b"", Path("read in pieces"), size_bytes=24)
    assert await say_to(script, pool, timeout_s=0.5, message=long) == ["250 2.0.0 kept"] * 2


class Open(asyncio.Transport):
    def is_closing(self) -> bool:
        return False


async def test_short_lines_without_end_cost_no_time() -> None:
    """Read from the reply's first line on at each octet, five kilobytes kept the loop for half a minute."""
    protocol = Exchange(asyncio.get_running_loop())
    protocol.connection_made(Open())
    protocol.expect(1)
    began = time.process_time()
    protocol.data_received(b"250-\n" * 12_000)
    for octet in b"250-\n" * 1_000:
        protocol.data_received(bytes([octet]))
    assert time.process_time() - began < 1
    protocol.data_received(b"250 end\r\n")
    (reply,) = await protocol.answers(1)
    assert (reply.code, reply.message.strip()) == (250, "end")


@pytest.mark.parametrize("phase", ["mail", "rcpt"])
@pytest.mark.parametrize("said", ["251 2.1.5 will forward", "252 2.1.5 cannot verify", "200 fine"])
async def test_any_2xx_goes_on_and_delivers_nothing_by_itself(
    sink: Sink, connection: Connection, phase: Phase, said: str
) -> None:
    """A message that was never sent must not count as delivered."""
    sink.on(phase, said)
    assert [reply.line() for reply in await connection.send(TWO, content())] == ["250 2.0.0 kept"] * 2
    assert len(sink.messages) == 1


@pytest.mark.parametrize("phase", ["mail", "rcpt", "data", "eod"])
async def test_a_next_hop_that_says_nothing_is_waited_for_so_long(
    sink: Sink, pool: ThreadPoolExecutor, phase: Phase
) -> None:
    made = await opened(sink, pool, connect_timeout_s=5, command_timeout_s=0.2, data_timeout_s=0.2)
    sink.on(phase, Act.HANG)
    (reply,) = await made.send(ONE, content())
    assert reply.line().startswith("451 4.4.2 ")
    assert made.broken
    await made.close()


async def test_a_flood_of_words_is_bounded(sink: Sink, pool: ThreadPoolExecutor) -> None:
    made = await opened(sink, pool, **QUICK)
    sink.on("eod", "550 5.7.1 " + "x" * 7000)
    (reply,) = await made.send(ONE, content())
    assert reply.line() == f"550 5.7.1 {'x' * REPLY_LENGTH_LIMIT}"
    await made.close()


async def test_endless_lines_of_a_reply_are_cut_off(sink: Sink, pool: ThreadPoolExecutor) -> None:
    made = await opened(sink, pool, **QUICK)
    sink.on("mail", b"250-more\r\n" * 100_000)
    (reply,) = await made.send(ONE, content())
    assert reply.transient
    assert made.broken
    await made.close()


@pytest.mark.parametrize(
    ("code", "text", "line"),
    [
        (250, "2.0.0 Ok: queued as 1", "250 2.0.0 Ok: queued as 1"),
        (550, "5.1.1 <a@b>: no such\nuser\there", "550 5.1.1 <a@b>: no such user here"),
        (550, "no code", "550 5.0.0 no code"),
        (550, "4.1.1 wrong class", "550 5.0.0 wrong class"),
        (421, "", "421 4.0.0 "),
        (-1, "x", "451 4.0.0 x"),
        (600, "x", "451 4.0.0 x"),
        (99, "x", "451 4.0.0 x"),
        (399, "x", "451 4.0.0 x"),
        (550, "\udcff", "550 5.0.0 \ufffd"),
        (550, "5.1.1  two   blanks ", "550 5.1.1 two blanks"),
    ],
)
def test_replies_are_one_bounded_line(code: int, text: str, line: str) -> None:
    assert reply_of(SMTPResponse(code, text)).line() == line


@pytest.mark.parametrize(
    "said", [b"550-5.7.1 a\r\n250 ok\r\n", b"250-ok\r\n550 5.7.1 no\r\n", b"250-a\r\n251-b\r\n250 c\r\n"]
)
async def test_a_reply_that_contradicts_itself_is_no_answer(
    sink: Sink, connection: Connection, said: bytes
) -> None:
    sink.on("eod", said)
    (reply,) = await connection.send(ONE, content())
    assert reply.line().startswith("451 4.5.0 unexpected reply: contradicts itself")
    assert connection.broken


async def test_a_reply_of_several_lines_is_one(sink: Sink, connection: Connection) -> None:
    sink.on("eod", b"250-2.0.0 kept\r\n250 2.0.0 really\r\n")
    (reply,) = await connection.send(ONE, content())
    assert (reply.code, connection.broken) == (250, False)


def test_what_steers_a_terminal_is_not_kept_of_a_reply() -> None:
    hostile = "5.1.1 \x1b]0;pwn\x07 \x9b31m RED \u202eRLO \udc80 end"
    assert reply_of(SMTPResponse(550, hostile)).line() == "550 5.1.1 ]0;pwn 31m RED RLO \ufffd end"


# Connecting


async def test_the_first_hop_that_greets_is_taken(sink: Sink, pool: ThreadPoolExecutor) -> None:
    settings = DeliverySettings.model_validate(QUICK)
    hops = [Hop("dead.example.org", "127.0.0.1", free_port()), Hop(HOST, sink.host, sink.port)]
    made = await first_connection(hops, settings, "us.vn", pool)
    assert made.hop.host == HOST
    await made.close()
    with pytest.raises(MailError) as caught:
        await first_connection(hops[:1], settings, "us.vn", pool)
    assert caught.value.reply.line().startswith("451 4.4.1 No connection to dead.example.org")
    with pytest.raises(MailError):
        await first_connection([], settings, "us.vn", pool)


async def test_hosts_that_take_their_time_are_not_tried_for_ever(
    sink: Sink, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailgov.relay.first_hop.OPENING_S", 0.3)
    sink.on("connect", Act.HANG)
    settings = DeliverySettings.model_validate({**QUICK, "command_timeout_s": 0.2})
    with pytest.raises(MailError):
        await first_connection([Hop(HOST, sink.host, sink.port)] * 20, settings, "us.vn", pool)
    assert sink.connections <= 3


@pytest.mark.parametrize(
    ("phase", "said", "heard"),
    [
        ("connect", "554 5.7.1 go away", "451 4.4.0 mx.example.org turned us away: 554 5.7.1 go away"),
        ("connect", "421 4.3.2 busy", "451 4.4.0 mx.example.org turned us away: 421 4.3.2 busy"),
        ("connect", Act.DROP, "451 4.4."),
        ("connect", Act.HANG, "451 4.4."),
        ("connect", "garbage", "451 4.4."),
        ("helo", Act.DROP, "451 4.4."),
        ("helo", "550 5.7.1 not you", "451 4.4.0 mx.example.org turned us away: 550"),
        ("connect", b"554 kh\xf4ng\r\n", "451 4.4.0 mx.example.org turned us away: 554 kh\ufffdng"),
        ("helo", b"421 \x1b[2J\xe2\x80\xaex\x00\r\n", "451 4.4.0 mx.example.org turned us away: 421 [2Jx"),
    ],
)
async def test_a_greeting_that_is_none_may_be_one_later(
    sink: Sink, pool: ThreadPoolExecutor, phase: Phase, said: str | bytes | Act, heard: str
) -> None:
    sink.on(phase, said)
    with pytest.raises(MailError) as caught:
        await opened(sink, pool, **QUICK)
    assert caught.value.reply.line().startswith(heard), caught.value.reply
    assert caught.value.reply.transient


async def test_a_host_that_never_takes_mail_is_believed_where_no_other_may(
    sink: Sink, pool: ThreadPoolExecutor
) -> None:
    """RFC 7504 3: 521. Another host is tried; mail goes back at once only where all have said so."""
    settings = DeliverySettings.model_validate(QUICK)
    with Sink() as other:
        sink.on("connect", "521 5.3.2 mx.example.org does not accept mail")
        hops = [Hop(HOST, sink.host, sink.port), Hop("mx2.example.org", other.host, other.port)]
        made = await first_connection(hops, settings, "us.vn", pool)
        assert made.hop.host == "mx2.example.org"
        await made.close()
        for said, heard in (
            ("521 5.3.2 no", "550 5.3.2 mx"),
            ("554 5.3.2 no", "451 4.4.0 mx2.example.org turned us away: 554"),
            ("421 4.3.2 busy", "451 4.4.0 mx2.example.org turned us away: 421"),
        ):
            other.behave()
            other.on("connect", said)
            for turn in (hops, hops[::-1]):
                with pytest.raises(MailError) as caught:
                    await first_connection(turn, settings, "us.vn", pool)
                assert caught.value.reply.line().startswith(heard)


# TLS (RFC 7435)


def server_tls(folder: Path, name: str = "other.name") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*make_certificate(folder, name))
    return context


async def test_tls_is_used_where_offered_whatever_the_certificate(
    pool: ThreadPoolExecutor, tmp_path: Path
) -> None:
    with Sink(tls=server_tls(tmp_path)) as sink:
        made = await opened(sink, pool)
        assert (await made.send(ONE, content()))[0].positive
        await made.close()
        assert sink.messages[0].tls
        assert [command[:4] for command in sink.commands].count("EHLO") == 2, "EHLO again inside"


@pytest.mark.parametrize("said", ["454 4.7.0 not now", "501 5.5.4 no", Act.DROP, Act.RESET])
async def test_a_handshake_that_fails_is_followed_by_the_clear(
    pool: ThreadPoolExecutor, tmp_path: Path, said: str | bytes | Act
) -> None:
    with Sink(tls=server_tls(tmp_path)) as sink:
        sink.on("starttls", said)
        made = await opened(sink, pool, connect_timeout_s=2, command_timeout_s=2)
        assert (await made.send(ONE, content()))[0].positive
        await made.close()
        assert not sink.messages[0].tls


async def test_a_server_that_turns_down_every_handshake(pool: ThreadPoolExecutor, tmp_path: Path) -> None:
    context = server_tls(tmp_path)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED  # of the client, who has none
    with Sink(tls=context) as sink:
        made = await opened(sink, pool, connect_timeout_s=2, command_timeout_s=2)
        assert (await made.send(ONE, content()))[0].positive
        await made.close()
        assert not sink.messages[0].tls


@pytest.mark.parametrize("said", [Act.HANG, b"221 2.0.0 bye\r\n"], ids=["silent", "never closes"])
async def test_a_host_that_does_not_end_its_session_keeps_no_descriptor(
    pool: ThreadPoolExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: bytes | Act
) -> None:
    """The end of TLS waits half a minute for the other side: hundreds of descriptors past any limit."""
    monkeypatch.setattr("mailgov.relay.client.QUIT_S", 0.1)
    seen, ended = asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 h\r\n")
        await reader.readline()
        writer.write(b"250-h\r\n250 STARTTLS\r\n")
        await reader.readline()
        writer.write(b"220 go\r\n")
        await writer.start_tls(server_tls(tmp_path))
        await reader.readline()
        writer.write(b"250 h\r\n")
        await reader.readline()
        if isinstance(said, bytes):
            writer.write(said)
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # what closes is not noticed
        await seen.wait()
        writer.transport.abort()
        ended.set()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        hop = Hop(HOST, *server.sockets[0].getsockname())
        made = await Connection.open(hop, DeliverySettings(), "mail.caobang.gov.vn", pool)
        ours = made._writer.get_extra_info("socket")
        await made.close()
        async with asyncio.timeout(5):
            while ours.fileno() >= 0:  # noqa: ASYNC110 - a socket tells no event
                await asyncio.sleep(0.01)
        seen.set()
        await ended.wait()


async def test_closing_twice_or_when_the_peer_is_gone_is_quiet(sink: Sink, pool: ThreadPoolExecutor) -> None:
    made = await opened(sink, pool)
    sink.stop()
    await asyncio.wait_for(made.close(), 20)
    await asyncio.wait_for(made.close(), 20)
    assert (await made.send(ONE, content()))[0] == Reply(
        451, "4.4.2", "The connection to mx.example.org broke: the other side hung up"
    )
