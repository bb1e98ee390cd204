"""The load generator: so many messages a second, and for each what it heard."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from tests.support.loop_thread import LoopThread
from tests.support.messages import headers

SESSION_S = 30.0
"""A session that lasts longer is given up: its server was killed under it."""
SESSIONS = 300
"""So many at once; while the door is shut, the messages behind them are not offered."""
ID_FIELD = "X-Campaign"


class Heard(Enum):
    """How a message ended for who sent it."""

    NOTHING = "the session broke before the end of data: it must not arrive"
    UNKNOWN = "the end of data was sent and no reply came: it may arrive, to all recipients or to none"
    ACCEPTED = "250 at the end of data: it must arrive"
    REFUSED = "a code of 400 or more: it must not arrive"


@dataclass(slots=True)
class Sent:
    """One message of the load; `digest` is the SHA-256 of the `size` octets that were sent."""

    id: str
    reverse_path: str
    recipients: tuple[str, ...]
    size: int
    digest: bytes
    heard: Heard = Heard.NOTHING


@dataclass(frozen=True, slots=True)
class Source:
    """Where a part of the load comes from: a port, a reverse-path, and whom it may write to."""

    port: int
    reverse_path: str
    recipients: Sequence[str]


class Load:
    """`start`, then `stop`; `sent` holds all that was tried."""

    def __init__(self, sources: Sequence[Source], *, rate: float, seed: int) -> None:
        self._sources, self._rate, self._chance = sources, rate, random.Random(seed)
        self._run_id = f"{self._chance.getrandbits(32):08x}"
        self.sent: list[Sent] = []
        self._thread = LoopThread("load")
        self._sessions: set[asyncio.Task[None]] = set()
        self._offering: asyncio.Future[None] | None = None

    def start(self) -> None:
        self._thread.run(self._begin())

    def stop(self) -> None:
        """Offer nothing more, and wait for the sessions that are open."""
        self._thread.run(self._end(), timeout_s=SESSION_S + 10)
        self._thread.close()

    async def _begin(self) -> None:
        self._offering = asyncio.ensure_future(self._offer())

    async def _end(self) -> None:
        if self._offering is not None:
            self._offering.cancel()
            await asyncio.wait([self._offering])
        if self._sessions:
            await asyncio.wait(set(self._sessions))

    async def _offer(self) -> None:
        loop = asyncio.get_running_loop()
        begin, number = loop.time(), 0
        while True:
            number += 1
            await asyncio.sleep(max(0.0, begin + number / self._rate - loop.time()))
            if len(self._sessions) < SESSIONS:
                task = asyncio.ensure_future(self._send(*self._message(number)))
                self._sessions.add(task)
                task.add_done_callback(self._sessions.discard)

    def _message(self, number: int) -> tuple[Source, Sent, bytes]:
        """Of 2 to 40 KB, to one to three recipients; some lines begin with a dot."""
        chance = self._chance
        source = chance.choice(self._sources)
        count = min(chance.randint(1, 3), len(source.recipients))
        recipients = tuple(chance.sample(list(source.recipients), count))
        name = f"{self._run_id}-{number}"
        octets = chance.randbytes(chance.randint(1_500, 30_000))
        lines = base64.encodebytes(octets).replace(b"\n", b"\r\n").replace(b"\r\nA", b"\r\n.")
        head = headers(source.reverse_path, recipients[0], f"Campaign {number}", f"{ID_FIELD}: {name}")
        data = head + b"\r\n" + lines
        sent = Sent(name, source.reverse_path, recipients, len(data), hashlib.sha256(data).digest())
        self.sent.append(sent)
        return source, sent, data

    async def _send(self, source: Source, sent: Sent, data: bytes) -> None:
        with contextlib.suppress(OSError, EOFError, ValueError, TimeoutError):
            async with asyncio.timeout(SESSION_S):
                await _session(source.port, sent, data)


async def _session(port: int, sent: Sent, data: bytes) -> None:
    """One message over a connection of its own; `sent.heard` is right wherever this breaks off."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def reply() -> int:
        while True:
            line = await reader.readuntil(b"\r\n")
            if line[3:4] == b" ":
                return int(line[:3])

    async def say(text: str) -> int:
        writer.write(text.encode() + b"\r\n")
        return await reply()

    with contextlib.closing(writer):
        if await reply() != 220 or await say("EHLO load.test") != 250:
            return
        envelope = [f"MAIL FROM:<{sent.reverse_path}>", *(f"RCPT TO:<{to}>" for to in sent.recipients)]
        for line in envelope:
            if await say(line) != 250:
                sent.heard = Heard.REFUSED
                return
        if await say("DATA") != 354:
            sent.heard = Heard.REFUSED
            return
        stuffed = data.replace(b"\r\n.", b"\r\n..")
        writer.write(stuffed[: len(stuffed) // 2])
        await writer.drain()
        sent.heard = Heard.UNKNOWN
        writer.write(stuffed[len(stuffed) // 2 :] + b".\r\n")
        await writer.drain()
        sent.heard = Heard.ACCEPTED if await reply() == 250 else Heard.REFUSED
        await say("QUIT")
