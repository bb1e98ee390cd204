"""A client that says bytes and reads replies, and holds every reply against RFC 5321 and RFC 2034."""

from __future__ import annotations

import asyncio
import base64
import re
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

REPLY_OCTETS = 512  # RFC 5321 4.5.3.1.5
WAIT_S = 20.0
_LINE = re.compile(rb"(\d{3})([ -])([ -~\x80-\xff]*)\r\n\Z")
_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3}) (.*)\Z")


@dataclass(frozen=True, slots=True)
class Said:
    """One reply: `enhanced` is "" where none stands, `lines` the texts behind the codes."""

    code: int
    enhanced: str
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        return " ".join(self.lines)

    @property
    def short(self) -> str:
        """Code and enhanced code, such as `550 5.1.1`."""
        return f"{self.code} {self.enhanced}".strip()


class Closed(EOFError):
    """The server closed the connection; `rest` is what it had said of an unfinished line."""


class Wire:
    """One connection. `say` and `send` write, `reply` reads; nothing is checked before it is sent."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.greeting: Said | None = None
        self.sent = 0

    @classmethod
    async def connect(
        cls, port: int, *, tls: ssl.SSLContext | None = None, greeted: bool = True, source: str = "127.0.0.1"
    ) -> Wire:
        """Connect on loopback, from `source`; `greeted` reads the greeting, which must be a 220."""
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=tls, server_hostname="localhost" if tls else None, local_addr=(source, 0)
        )
        wire = cls(reader, writer)
        if greeted:
            wire.greeting = await wire.reply(plain=True)
            assert wire.greeting.code == 220, wire.greeting
        return wire

    async def send(self, data: bytes) -> None:
        """Raw bytes."""
        self.writer.write(data)
        self.sent += len(data)
        await self.writer.drain()

    async def reply(self, *, plain: bool = False) -> Said:
        """The next reply. Each has an enhanced code of its class (RFC 2034 4) unless `plain`.

        Raises Closed where the server has closed the connection instead.
        """
        async with asyncio.timeout(WAIT_S):
            return await self._reply(plain)

    async def _reply(self, plain: bool) -> Said:
        lines: list[str] = []
        while True:
            try:
                line = await self.reader.readuntil(b"\r\n")
            except (asyncio.IncompleteReadError, ConnectionResetError) as error:
                rest = getattr(error, "partial", b"")
                raise Closed(f"closed after {rest!r}") from None
            match = _LINE.match(line)
            assert match, f"not a reply line: {line!r}"
            assert len(line) <= REPLY_OCTETS, line
            lines.append(match[3].decode())
            if match[2] == b" ":
                break
        code = int(match[1])
        if plain or code in {220, 334, 354}:
            return Said(code, "", tuple(lines))
        found = _ENHANCED.match(lines[0])
        assert found, f"no enhanced status code (RFC 2034 4): {code} {lines}"
        assert found[1][0] == str(code)[0], f"{code} with {found[1]}"
        return Said(code, found[1], (found[2], *lines[1:]))

    async def say(self, line: str | bytes) -> Said:
        """A command line, CRLF added, and the reply to it."""
        octets = line.encode("utf-8", "surrogateescape") if isinstance(line, str) else line
        await self.send(octets + b"\r\n")
        return await self.reply(plain=octets[:4].upper() in {b"EHLO", b"HELO"})

    async def pipeline(self, *lines: str) -> list[Said]:
        """Command lines in one write, and the replies to them all."""
        await self.send(b"".join(line.encode() + b"\r\n" for line in lines))
        return [await self.reply(plain=line[:4].upper() in {"EHLO", "HELO"}) for line in lines]

    async def ehlo(self) -> set[str]:
        """Say EHLO; the extensions advertised, as they stand there."""
        said = await self.say("EHLO client.test")
        assert said.code == 250, said
        return set(said.lines[1:])

    async def starttls(self, context: ssl.SSLContext) -> None:
        """STARTTLS and the handshake; EHLO is to follow."""
        said = await self.say("STARTTLS")
        assert (said.code, said.text) == (220, "2.0.0 Ready to start TLS"), said
        await self.handshake(context)

    async def handshake(self, context: ssl.SSLContext) -> None:
        async with asyncio.timeout(WAIT_S):
            await self.writer.start_tls(context, server_hostname="localhost")

    async def sign_in(self, name: str, password: str) -> Said:
        response = base64.b64encode(f"\0{name}\0{password}".encode()).decode()
        return await self.say(f"AUTH PLAIN {response}")

    async def envelope(self, reverse_path: str, *recipients: str, parameters: str = "") -> list[Said]:
        """MAIL and RCPT, one after the other; the replies."""
        said = [await self.say(f"MAIL FROM:<{reverse_path}>{parameters and ' ' + parameters}")]
        return said + [await self.say(f"RCPT TO:<{recipient}>") for recipient in recipients]

    async def data(self, message: bytes) -> Said:
        """DATA with `message` (dots doubled here), and the reply to its end."""
        said = await self.say("DATA")
        assert said.code == 354, said
        await self.send(stuffed(message))
        return await self.reply()

    async def bdat(self, piece: bytes, *, last: bool = False) -> Said:
        """A chunk (RFC 3030), and the reply to it."""
        await self.send(b"BDAT %d%s\r\n%s" % (len(piece), b" LAST" if last else b"", piece))
        return await self.reply()

    async def mail(self, reverse_path: str, *recipients: str, message: bytes, parameters: str = "") -> Said:
        """A whole transaction whose envelope is accepted; the reply to the end of data."""
        replies = await self.envelope(reverse_path, *recipients, parameters=parameters)
        assert all(reply.code == 250 for reply in replies), replies
        return await self.data(message)

    async def to_the_end(self) -> list[Said]:
        """The replies up to where the server closes the connection."""
        said: list[Said] = []
        while True:
            try:
                said.append(await self.reply())
            except Closed:
                return said

    async def closed(self) -> bool:
        """Wait for the server's end of the connection; True when nothing more was said before it."""
        async with asyncio.timeout(WAIT_S):
            try:
                return await self.reader.read() == b""
            except ConnectionResetError:
                return True

    async def alive(self) -> bool:
        """Does the session go on?"""
        return (await self.say("NOOP")).code == 250

    def reset(self) -> None:
        """Close with RST."""
        sock: socket.socket = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.writer.transport.abort()

    async def close(self) -> None:
        self.writer.transport.abort()

    async def __aenter__(self) -> Wire:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def stuffed(message: bytes) -> bytes:
    """A message that ends with CRLF, with its dots doubled, and the end of data."""
    return (b"\r\n" + message).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n"


async def eventually(condition: Callable[[], object], what: str = "the condition") -> None:
    """Return once the condition holds; TimeoutError that names `what` otherwise."""
    try:
        async with asyncio.timeout(WAIT_S):
            while not condition():  # noqa: ASYNC110 - files and counters tell no event
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise TimeoutError(f"waited {WAIT_S:g} s for {what}") from None
