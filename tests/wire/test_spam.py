"""Spam, told by a real rspamd while the message comes in; and what becomes of mail while rspamd is away."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import descendants, free_port, wait_until
from tests.support.programs import needs
from tests.support.relay_node import AN, BINH
from tests.support.rspamd import LIKELY, SPAM, RunningRspamd, running_rspamd
from tests.wire import scanned
from tests.wire.conftest import OpenWorld
from tests.wire.scanned import STRANGER

pytestmark = needs("rspamd")


@pytest.fixture(scope="module")
def rspamd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRspamd]:
    with running_rspamd(tmp_path_factory.mktemp("r")) as running:
        yield running


def letter(text: str, author: str = STRANGER, *, before: int = 0) -> bytes:
    """The text has a part of its own, since rspamd looks for test patterns in short texts."""
    part = b"Content-Type: text/plain\r\n\r\n" + text.encode() + b"\r\n"
    return scanned.letter(part, author, before=before)


@pytest.mark.parametrize("before", [0, 300_000])
@pytest.mark.parametrize(
    ("text", "word", "score"), [("Kinh gui", "ham", 0.0), (LIKELY, "likely", 6.0), (SPAM, "spam", 15.0)]
)
async def test_what_rspamd_would_reject_is_refused_and_all_is_recorded(
    open_world: OpenWorld, rspamd: RunningRspamd, text: str, word: str, score: float, before: int
) -> None:
    world = await open_world(rspamd={"url": rspamd.url})
    wire = await world.outside()
    said = await wire.mail(STRANGER, BINH, message=letter(text, before=before))
    assert said.short == ("550 5.7.1" if word == "spam" else "250 2.0.0")
    assert ("rule spam; " in said.text) == (word == "spam")
    (event,) = await world.events()
    assert (event.verdict == "rejected") == (word == "spam")
    assert (event.spam, event.spam_score, event.malware) == (word, score, None)
    assert world.count(f"spam_{word}") == 1
    assert await wire.alive()


FORGED = b"X-Spam-Status: No, score=-9\r\nx-spam : no\r\nX-SPAM-FLAG: NO\r\nX-Spam-Notes: keep\r\n"


@pytest.mark.parametrize(("text", "marked"), [("Kinh gui", False), (LIKELY, True)])
async def test_what_is_likely_spam_bears_marks_and_nobody_elses_stay(
    open_world: OpenWorld, rspamd: RunningRspamd, text: str, marked: bool
) -> None:
    world = await open_world(rspamd={"url": rspamd.url})
    wire = await world.outside()
    assert (await wire.mail(STRANGER, BINH, message=FORGED + letter(text))).code == 250
    leaving = await world.leaving(world.offered[0])
    head = leaving.partition(b"\r\n\r\n")[0].split(b"\r\n")
    marks = [line for line in head if line.lower().startswith(b"x-spam")]
    ours = [b"X-Spam: Yes", b"X-Spam-Flag: YES", b"X-Spam-Status: Yes, score=6.00"]
    assert marks == [*(ours if marked else []), b"X-Spam-Notes: keep"]
    inside = await world.inside()
    assert (await inside.mail(AN, BINH, message=FORGED + letter(text, AN))).code == 250
    assert FORGED in await world.leaving(world.offered[1]), "our own people's mail was not asked about"


async def test_without_rspamd_nothing_is_taken_out(open_world: OpenWorld) -> None:
    world = await open_world()
    assert (await (await world.outside()).mail(STRANGER, BINH, message=FORGED + letter("x"))).code == 250
    assert FORGED in await world.leaving(world.offered[0])


async def test_rspamd_is_told_the_envelope(open_world: OpenWorld, rspamd: RunningRspamd) -> None:
    world = await open_world(rspamd={"url": rspamd.url, "sources": ["mx", "submission"]})
    wire = await world.inside()
    assert (await wire.mail(AN, BINH, message=letter("Kinh gui", AN))).code == 250
    (event,) = await world.events()
    assert event.spam == "ham"
    wait_until(lambda: f"qid: <{event.queue_id}>" in rspamd.program.output(), what="rspamd's log")
    (line,) = [line for line in rspamd.program.output().splitlines() if f"qid: <{event.queue_id}>" in line]
    for told in ("ip: 127.0.0.1", f"user: {AN}", f"from: <{AN}>", f"rcpts: <{BINH}>"):
        assert told in line


async def test_only_strangers_mail_is_asked_about(open_world: OpenWorld, rspamd: RunningRspamd) -> None:
    world = await open_world(rspamd={"url": rspamd.url})
    assert (await (await world.inside()).mail(AN, BINH, message=letter(SPAM, AN))).code == 250
    assert [(event.spam, event.spam_score) for event in await world.events()] == [(None, None)]


async def test_actions_are_chosen_and_large_mail_is_not_sent(
    open_world: OpenWorld, rspamd: RunningRspamd
) -> None:
    section = {"url": rspamd.url, "spam": ["add header"], "likely": [], "size_limit_bytes": 65_536}
    world = await open_world(rspamd=section)
    wire = await world.outside()
    assert (await wire.mail(STRANGER, BINH, message=letter(LIKELY))).code == 550
    assert (await wire.mail(STRANGER, BINH, message=letter(LIKELY, before=100_000))).code == 250
    assert [event.spam for event in await world.events()] == ["spam", "unchecked"]


@pytest.mark.parametrize("failure", ["accept", "defer"])
async def test_an_rspamd_that_is_not_there(open_world: OpenWorld, failure: str) -> None:
    world = await open_world(rspamd={"url": f"http://127.0.0.1:{free_port()}", "failure": failure})
    said = await (await world.outside()).mail(STRANGER, BINH, message=letter(SPAM))
    assert said.short == ("250 2.0.0" if failure == "accept" else "451 4.7.1")
    assert [event.spam for event in await world.events()] == (["unchecked"] if failure == "accept" else [])
    assert world.count("spam_unchecked" if failure == "accept" else "spam_deferred") == 1
    assert failure == "accept" or world.files() == []


async def test_an_rspamd_that_hangs_costs_its_time_to_few(open_world: OpenWorld, tmp_path: Path) -> None:
    folder = tmp_path / "r"
    folder.mkdir()
    with running_rspamd(folder) as rspamd:
        section = {"url": rspamd.url, "timeout_s": 0.5, "retry_s": 0.3}
        world = await open_world(rspamd=section, smtp={"error_limit": 10_000})
        wire = await world.outside()
        stopped = [rspamd.program.pid, *descendants(rspamd.program.pid)]
        _signal(stopped, signal.SIGSTOP)
        for _ in range(3):
            assert (await wire.mail(STRANGER, BINH, message=letter(SPAM))).code == 250
        began = time.monotonic()
        assert (await wire.mail(STRANGER, BINH, message=letter(SPAM))).code == 250
        assert time.monotonic() - began < 0.4, "known to be away: nobody waits"
        _signal(stopped, signal.SIGCONT)
        async with asyncio.timeout(10):
            while (await wire.mail(STRANGER, BINH, message=letter(SPAM))).code != 550:
                pass
        assert {event.spam for event in await world.events()} == {"unchecked", "spam"}


def _signal(pids: list[int], number: int) -> None:
    for pid in pids:
        os.kill(pid, number)


OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"rac\r\n\r\n",
        b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
        OK + b"Content-Length: 2\r\n\r\n{}",
        OK + b'Content-Length: 30\r\n\r\n{"action":"reject","score":NaN',
        OK + b'\r\n{"action":"reject","score":NaN}',
        OK + b'\r\n{"action":["reject"],"score":1}',
        OK + b"\r\n" + b"[" * 100_000,
        OK + b"\r\n" + b" " * 300_000 + b'{"action":"reject","score":15}',
        OK + b"X: " + b"y" * 100_000,
    ],
    ids=range(10),
)
async def test_odd_answers_are_no_verdict(open_world: OpenWorld, answer: bytes) -> None:
    """No real rspamd can be made to give them."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while b"Kinh gui\r\n" not in await reader.read(65_536):
            pass
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        world = await open_world(rspamd={"url": f"http://127.0.0.1:{port}/", "timeout_s": 2.0})
        await (await world.outside()).mail(STRANGER, BINH, message=letter("Kinh gui"))
        assert [(event.spam, event.spam_score) for event in await world.events()] == [("unchecked", None)]


async def test_what_a_stranger_writes_ends_no_field_and_the_password_goes_along(
    open_world: OpenWorld, tmp_path: Path
) -> None:
    asked = bytearray()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while b"Kinh gui\r\n" not in asked:
            asked.extend(await reader.read(65_536))
        writer.write(OK + b'Content-Length: 33\r\n\r\n{"action":"no action","score":-3}')
        writer.close()

    (tmp_path / "secret").write_text("mat-khau\n")
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        section = {"url": f"http://127.0.0.1:{port}", "password_file": str(tmp_path / "secret")}
        world = await open_world(rspamd=section)
        wire = await world.connect("mx")
        await wire.say("EHLO [x]")
        await wire.mail("", BINH, message=letter("Kinh gui"))
    head = bytes(asked).partition(b"\r\n\r\n")[0].split(b"\r\n")
    assert head[0] == b"POST /checkv2 HTTP/1.1"
    assert {b"Password: mat-khau", b"From: <>", b"Rcpt: <" + BINH.encode() + b">", b"IP: 127.0.0.1"} <= set(
        head
    )
    (event,) = await world.events()
    assert (event.spam, event.spam_score) == ("ham", -3.0)
