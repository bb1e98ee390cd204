"""The outside world's mail server: keeps the exact bytes it gets, and misbehaves as it is told."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from types import TracebackType
from typing import Literal

from tests.support.loop_thread import LoopThread
from tests.support.processes import free_port, wait_until

Phase = Literal["connect", "helo", "starttls", "auth", "mail", "rcpt", "data", "eod", "rset", "quit"]

EXTENSIONS = ("PIPELINING", "8BITMIME", "SMTPUTF8", "SIZE 104857600", "DSN", "ENHANCEDSTATUSCODES")
ACCEPT: dict[Phase, str] = {
    "connect": "220 sink.test ESMTP",
    "starttls": "220 2.0.0 go on",
    "auth": "235 2.7.0 welcome",
    "mail": "250 2.1.0 ok",
    "rcpt": "250 2.1.5 ok",
    "data": "354 go on",
    "eod": "250 2.0.0 kept",
    "rset": "250 2.0.0 ok",
    "quit": "221 2.0.0 bye",
}


class Act(Enum):
    """What may happen instead of a reply."""

    DROP = "close the connection"
    RESET = "close it with RST"
    HANG = "say nothing until the sink stops"
    KEEP_AND_DROP = "at the end of data: keep the message, then close without a reply"


Reaction = str | bytes | Act
"""A reply line without its CRLF, raw bytes to send as they are, or an Act."""


@dataclass(frozen=True, slots=True)
class Received:
    """One message as it came: `data` with CRLF line ends, dots unstuffed, without the final dot."""

    reverse_path: str
    recipients: tuple[str, ...]
    data: bytes
    helo: str
    tls: bool
    mail_parameters: tuple[str, ...]
    rcpt_parameters: tuple[tuple[str, ...], ...]
    at: float
    """`time.monotonic()` when the final dot had come."""

    @property
    def header(self) -> bytes:
        """The header block, its last CRLF included."""
        return self.data.partition(b"\r\n\r\n")[0] + b"\r\n"

    @property
    def body(self) -> bytes:
        """All after the first empty line."""
        return self.data.partition(b"\r\n\r\n")[2]


@dataclass
class _Rule:
    phase: Phase
    reaction: Reaction
    times: int | None
    when: Callable[[str], bool]


@dataclass
class _Session:
    """One connection's state; `buffer` holds what was read and not yet used."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    buffer: bytearray = field(default_factory=bytearray)
    helo: str = ""
    tls: bool = False
    reverse_path: str | None = None
    mail_parameters: tuple[str, ...] = ()
    recipients: list[str] = field(default_factory=list)
    rcpt_parameters: list[tuple[str, ...]] = field(default_factory=list)

    def reset(self) -> None:
        self.reverse_path, self.mail_parameters = None, ()
        self.recipients, self.rcpt_parameters = [], []

    def received(self, data: bytes) -> Received:
        """The transaction so far with its data, as it is kept."""
        return Received(
            reverse_path=self.reverse_path or "",
            recipients=tuple(self.recipients),
            data=data,
            helo=self.helo,
            tls=self.tls,
            mail_parameters=self.mail_parameters,
            rcpt_parameters=tuple(self.rcpt_parameters),
            at=time.monotonic(),
        )

    async def until(self, marker: bytes) -> bytes:
        """Bytes up to and including the marker; EOFError when the peer leaves first."""
        start = 0
        while (at := self.buffer.find(marker, start)) < 0:
            start = max(0, len(self.buffer) - len(marker) + 1)
            chunk = await self.reader.read(262_144)
            if not chunk:
                raise EOFError
            self.buffer += chunk
        taken = bytes(self.buffer[: at + len(marker)])
        del self.buffer[: at + len(marker)]
        return taken


class _Gone(Exception):
    """The connection ends here."""


class Sink:
    """An SMTP server on loopback, in a thread.

    `messages` holds what was accepted. `on` scripts reactions; rules are tried in the order
    they were added, the first that fits is used. `commands` lists every command line seen.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int | None = None,
        extensions: Sequence[str] = EXTENSIONS,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`tls` is the context that STARTTLS, then offered, uses."""
        self.host = host
        self.port = port or free_port(host)
        self.extensions = tuple(extensions)
        self.tls = tls
        self.messages: list[Received] = []
        self.commands: list[str] = []
        self.connections = 0
        self._rules: list[_Rule] = []
        self._lock = threading.Lock()
        self._thread: LoopThread | None = None
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    # What the tests say and ask

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    def on(
        self,
        phase: Phase,
        reaction: Reaction,
        *,
        times: int | None = None,
        when: Callable[[str], bool] = lambda argument: True,
    ) -> None:
        """React so at `phase`, `times` times or always, where `when` holds.

        `when` sees the address at mail and rcpt, the message's text (latin-1) at eod, else "".
        """
        with self._lock:
            self._rules.append(_Rule(phase, reaction, times, when))

    def behave(self) -> None:
        """Forget every rule: accept everything again."""
        with self._lock:
            self._rules.clear()

    def wait_for(self, count: int, *, timeout_s: float = 20.0) -> list[Received]:
        """The messages, once there are `count` of them at least."""
        wait_until(
            lambda: len(self.messages) >= count,
            timeout_s=timeout_s,
            what=f"message {count} at the sink, which has {len(self.messages)}",
        )
        return list(self.messages)

    def wait_match(self, fits: Callable[[Received], bool], *, timeout_s: float = 20.0) -> Received:
        """The first message that fits."""
        found = wait_until(
            lambda: [message for message in list(self.messages) if fits(message)],
            timeout_s=timeout_s,
            what="a message that fits at the sink",
        )
        return found[0]

    # What peers see

    def _scripted(self, phase: Phase, argument: str = "") -> Reaction | None:
        """The first rule's reaction, used up by this call, or None where no rule fits."""
        with self._lock:
            for rule in self._rules:
                if rule.phase == phase and rule.times != 0 and rule.when(argument):
                    if rule.times is not None:
                        rule.times -= 1
                    return rule.reaction
        return None

    async def _react(self, session: _Session, phase: Phase, argument: str = "") -> bool:
        return await self._say(session, self._scripted(phase, argument) or ACCEPT[phase])

    async def _say(self, session: _Session, reaction: Reaction) -> bool:
        """Do it; True when it was a positive reply. Raises _Gone where the connection ends."""
        if reaction is Act.HANG:
            await asyncio.Event().wait()
        if reaction is Act.RESET:
            session.writer.transport.abort()
        if isinstance(reaction, Act):
            raise _Gone
        session.writer.write(reaction if isinstance(reaction, bytes) else f"{reaction}\r\n".encode())
        await session.writer.drain()
        if _code(reaction) == "421":
            raise _Gone
        return _positive(reaction)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        try:
            with contextlib.closing(writer), contextlib.suppress(_Gone, EOFError, OSError):
                await self._session(_Session(reader, writer))
        finally:
            self._writers.discard(writer)

    async def _session(self, session: _Session) -> None:
        await self._react(session, "connect")
        while True:
            line = (await session.until(b"\r\n"))[:-2].decode("utf-8", "surrogateescape")
            self.commands.append(line)
            await self._command(session, line)

    async def _command(self, session: _Session, line: str) -> None:
        verb = line.split(" ", 1)[0].upper()
        match verb:
            case "EHLO" | "HELO":
                await self._hello(session, verb, line[5:])
            case "MAIL" | "RCPT":
                await self._path(session, verb, line)
            case "DATA":
                await self._data(session)
            case "STARTTLS" if self.tls is not None:
                await self._starttls(session, self.tls)
            case "AUTH":
                await self._auth(session, line.split())
            case "RSET":
                session.reset()
                await self._react(session, "rset")
            case "NOOP":
                await self._say(session, "250 2.0.0 ok")
            case "QUIT":
                await self._react(session, "quit")
                raise _Gone
            case _:
                await self._say(session, "502 5.5.1 unknown command")

    async def _hello(self, session: _Session, verb: str, name: str) -> None:
        session.helo = name
        session.reset()
        lines = ["sink.test"]
        if verb == "EHLO":
            lines += self.extensions
            if self.tls is not None and not session.tls:
                lines.append("STARTTLS")
        reply = "".join(f"250-{text}\r\n" for text in lines[:-1]) + f"250 {lines[-1]}\r\n"
        await self._say(session, self._scripted("helo", name) or reply.encode())

    async def _starttls(self, session: _Session, context: ssl.SSLContext) -> None:
        if await self._react(session, "starttls"):
            session.buffer.clear()
            await session.writer.start_tls(context)
            session.tls = True

    async def _auth(self, session: _Session, words: list[str]) -> None:
        """Take any credentials; RFC 4954 4: they may come with the command or after a 334."""
        prompts = {"PLAIN": [b"334 \r\n"], "LOGIN": [b"334 VXNlcm5hbWU6\r\n", b"334 UGFzc3dvcmQ6\r\n"]}
        for prompt in prompts.get(words[1].upper(), [])[len(words) - 2 :]:
            await self._say(session, prompt)
            await session.until(b"\r\n")
        await self._react(session, "auth")

    async def _path(self, session: _Session, verb: str, line: str) -> None:
        path, _, rest = line.partition(":")[2].strip().partition(">")
        address, parameters = path.lstrip("<"), tuple(rest.split())
        if verb == "MAIL" and session.reverse_path is not None:
            await self._say(session, "503 5.5.1 nested MAIL command")
        elif verb == "MAIL":
            if await self._react(session, "mail", address):
                session.reverse_path, session.mail_parameters = address, parameters
        elif session.reverse_path is None:
            await self._say(session, "503 5.5.1 MAIL first")
        elif await self._react(session, "rcpt", address):
            session.recipients.append(address)
            session.rcpt_parameters.append(parameters)

    async def _data(self, session: _Session) -> None:
        if not session.recipients:
            await self._say(session, "554 5.5.1 no valid recipients")
            return
        if not await self._react(session, "data"):
            return
        # The CRLF of the DATA command itself starts the first line: an empty message ends at once.
        session.buffer[:0] = b"\r\n"
        stuffed = (await session.until(b"\r\n.\r\n"))[2:-3]
        data = stuffed.replace(b"\r\n.", b"\r\n")
        message = session.received(data[1:] if data.startswith(b".") else data)
        session.reset()
        reaction = self._scripted("eod", data.decode("latin-1")) or ACCEPT["eod"]
        # Kept before the reply leaves, so that whoever saw the reply finds the message.
        if reaction is Act.KEEP_AND_DROP or (not isinstance(reaction, Act) and _positive(reaction)):
            self.messages.append(message)
        await self._say(session, reaction)

    # Its life

    async def _open(self) -> None:
        self._server = await asyncio.start_server(self._connection, self.host, self.port, backlog=512)

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
        for writer in self._writers:
            writer.transport.abort()  # a peer that does not read would keep it open

    def start(self) -> Sink:
        """Listen; a stopped sink may start again on the same port, with what it kept."""
        self._thread = LoopThread("test sink")
        self._thread.run(self._open())
        return self

    def stop(self) -> None:
        """Close the port and every connection."""
        if self._thread is not None:
            self._thread.run(self._close())
            self._thread.close()
            self._thread = None

    def __enter__(self) -> Sink:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _code(reaction: str | bytes) -> str:
    return (reaction[:3] if isinstance(reaction, str) else reaction[:3].decode("latin-1")).strip()


def _positive(reaction: str | bytes) -> bool:
    return _code(reaction)[:1] in {"2", "3"}
