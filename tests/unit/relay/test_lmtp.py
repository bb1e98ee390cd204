"""Mail handed on by LMTP (RFC 2033): a reply for each recipient, from Dovecot, smtp-sink and worse."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mailgov.relay.client import Connection
from mailgov.relay.content import Content
from mailgov.relay.outgoing import Envelope
from mailgov.relay.route import Hop, Manner
from mailgov.settings import DeliverySettings
from tests.support import dovecot_lmtp
from tests.support.dns_server import DnsServer
from tests.support.programs import needs
from tests.support.relay_node import AN, BINH, DOMAIN
from tests.support.sink import Sink
from tests.support.smtp_sink import smtp_sink
from tests.unit.relay.conftest import queued
from tests.unit.relay.test_client import Scripted
from tests.unit.relay.test_scheduler import eventually, put, running, states

LHLO = (b"LHLO us.vn\r\n", b"250-mx\r\n250-8BITMIME\r\n250 PIPELINING\r\n")
DATA = b"Subject: x\r\n\r\nbody\r\n"
THREE = Envelope("a@b.vn", ("a@x.vn", "b@x.vn", "c@x.vn"), smtputf8=False, eight_bit=False)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as executor:
        yield executor


async def say_to(script: Scripted, pool: ThreadPoolExecutor) -> list[str]:
    server = await asyncio.start_server(script.serve, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        hop = Hop("store.vn", host, port, Manner(lmtp=True))
        settings = DeliverySettings(command_timeout_s=5, data_timeout_s=5)
        made = await Connection.open(hop, settings, "us.vn", pool)
        replies = await made.send(THREE, Content(DATA, size_bytes=len(DATA)))
        await made.close()
        await script.ended()
    return [reply.line() for reply in replies]


async def test_each_recipient_that_was_taken_has_a_reply_of_its_own(pool: ThreadPoolExecutor) -> None:
    script = Scripted(
        LHLO,
        (b"DATA\r\n", b"250 ok\r\n250 ok\r\n550 5.1.1 nobody\r\n250 ok\r\n354 go\r\n"),
        (b"\r\n.\r\n", b"250 2.0.0 saved\r\n452 4.2.2 full\r\n"),
        (b"QUIT\r\n", b"221 bye\r\n"),
    )
    assert await say_to(script, pool) == ["250 2.0.0 saved", "550 5.1.1 nobody", "452 4.2.2 full"]


async def test_who_has_his_answer_is_not_asked_for_again_when_the_rest_is_cut_off(
    pool: ThreadPoolExecutor,
) -> None:
    class Leaving(Scripted):
        async def answer(self, writer: asyncio.StreamWriter, answer: bytes) -> None:
            await super().answer(writer, answer)
            if answer.endswith(b"saved\r\n"):
                writer.write_eof()

    script = Leaving(
        LHLO,
        (b"DATA\r\n", b"250 ok\r\n" * 4 + b"354 go\r\n"),
        (b"\r\n.\r\n", b"250 2.0.0 saved\r\n"),
    )
    said = await say_to(script, pool)
    assert said[0] == "250 2.0.0 saved"
    assert [line[:9] for line in said[1:]] == ["451 4.4.2", "451 4.4.2"]


@needs("smtp-sink")
async def test_smtp_sink_as_an_lmtp_server(tmp_path: Path, pool: ThreadPoolExecutor) -> None:
    with smtp_sink(tmp_path, options=["-L"]) as store:
        hop = Hop("store.vn", "127.0.0.1", store.port, Manner(lmtp=True))
        made = await Connection.open(hop, DeliverySettings(), "us.vn", pool)
        for _ in range(2):
            replies = await made.send(THREE, Content(DATA, size_bytes=len(DATA)))
            assert [reply.code for reply in replies] == [250, 250, 250]
        await made.close()
        assert len(store.wait_for(2)) == 2


@dovecot_lmtp.NEEDED
@needs("dovecot")
@pytest.mark.parametrize("over", ["tcp", "unix"])
async def test_a_domain_of_ours_whose_mailboxes_dovecot_keeps(
    tmp_path: Path, dns_server: DnsServer, sink: Sink, over: str
) -> None:
    """One transaction for three mailboxes: one takes it, one is full, one is not there."""
    with dovecot_lmtp.running_store([AN], full=[BINH]) as store:
        route = f"lmtp:{store.socket if over == 'unix' else store.address}"
        async with running(tmp_path, dns_server, sink, routes={DOMAIN: route}) as (node, scheduler):
            gone = f"gone@{DOMAIN}"
            message = queued(AN, BINH, gone, reverse_path="")
            await put(node, message, local=(AN, BINH, gone))
            await eventually(lambda: store.inbox(AN) and not scheduler._in_flight, "the delivery")
            assert set((await states(node)).items()) == {
                (("01Q", 0), "delivered"),
                (("01Q", 1), "bounced"),
                (("01Q", 2), "bounced"),
            }
            (kept,) = store.inbox(AN)
            assert kept.endswith(b"\nbody\n")
            assert not (tmp_path / "mail").exists(), "no Maildir of ours"
