"""Mail out over SMTP: aiosmtplib's connection, our envelope and streamed data.

TLS is opportunistic (RFC 7435): used where offered, whatever the certificate; a handshake
that fails is followed by a connection in the clear.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import aiosmtplib
import structlog
from aiosmtplib.protocol import SMTPProtocol
from aiosmtplib.response import SMTPResponse

from mailgov.mail.reply import MailError, Reply
from mailgov.mail.text import one_line
from mailgov.relay.content import Content
from mailgov.relay.route import Hop
from mailgov.settings import DeliverySettings

log = structlog.get_logger()

REPLY_LENGTH_LIMIT = 1000
"""Octets of a next hop's words that are kept: enough for people, bounded against floods."""
LARGE_BYTES = 262_144
_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})\s+")


def _positive(response: SMTPResponse) -> bool:
    """By the first digit alone (RFC 5321 4.2.1): a 252 to RCPT takes the recipient, not yet the message."""
    return 200 <= response.code <= 299


@dataclass(frozen=True, slots=True)
class Envelope:
    """What one mail transaction out carries."""

    reverse_path: str
    recipients: tuple[str, ...]
    smtputf8: bool
    eight_bit: bool


def reply_of(response: SMTPResponse) -> Reply:
    """The next hop's reply, bounded and on one line; anything unusual counts as temporary.

    A 3xx where a transaction ends is unusual: it neither takes the mail nor refuses it.
    """
    code = response.code if 200 <= response.code <= 299 or 400 <= response.code <= 599 else 451
    text = one_line(response.message, 2 * REPLY_LENGTH_LIMIT)
    match = _ENHANCED.match(text)
    enhanced = match[1] if match and match[1][0] == str(code)[0] else f"{code // 100}.0.0"
    return Reply(code, enhanced, (text[match.end() :] if match else text)[:REPLY_LENGTH_LIMIT])


class _Protocol(SMTPProtocol):
    """Takes a reply whose lines differ in their code for none (RFC 5321 4.2.1): half of it refuses."""

    def _read_response_from_buffer(self) -> SMTPResponse | None:
        before = bytes(self._buffer)
        response = super()._read_response_from_buffer()
        if response is not None:
            lines = before[: len(before) - len(self._buffer)].splitlines()
            if len({line[:3] for line in lines}) > 1:
                raise aiosmtplib.SMTPResponseException(451, f"contradicts itself: {response.message}")
        return response


class Stale(Exception):
    """The next hop has ended a session that was kept open; nothing of the transaction was said."""


class Connection:
    """One session with a next hop, ready for transactions one after another."""

    def __init__(
        self, hop: Hop, client: aiosmtplib.SMTP, settings: DeliverySettings, executor: Executor
    ) -> None:
        self.hop = hop
        self._client, self._settings, self._executor = client, settings, executor
        self.broken = False
        self._used = False
        # StreamWriter is how asyncio lets others wait for a transport; it lives as long as we do.
        self._writer = asyncio.StreamWriter(
            client.transport,  # type: ignore[arg-type]  # connected: not None
            client.protocol,  # type: ignore[arg-type]  # aiosmtplib's protocol has the flow control asked for
            None,
            asyncio.get_running_loop(),
        )

    @classmethod
    async def open(
        cls, hop: Hop, settings: DeliverySettings, hostname: str, executor: Executor
    ) -> Connection:
        """Connect, greet, and encrypt where offered. Raises MailError 4xx."""
        for tls in (True, False):
            client = await _connect(hop, settings, hostname)
            if not tls or not client.supports_extension("starttls"):
                return cls(hop, client, settings, executor)
            try:
                await client.starttls(
                    server_hostname=hop.host, tls_context=_OPPORTUNISTIC, timeout=settings.connect_timeout_s
                )
                await client.ehlo(timeout=settings.command_timeout_s)
            except (aiosmtplib.SMTPException, ssl.SSLError, OSError, TimeoutError) as error:
                log.info("TLS failed, going on in the clear", host=hop.host, error=str(error))
                client.close()
            else:
                return cls(hop, client, settings, executor)
        raise AssertionError("unreachable")

    async def send(self, envelope: Envelope, content: Content) -> list[Reply]:
        """One transaction; a reply for each recipient, in order.

        Of the peer's faults only Stale is raised: a session that had served before ended, as any
        next hop may end one between transactions (RFC 5321 3.8), and a new one is in order.
        """
        count = len(envelope.recipients)
        try:
            unfit = self._unfit(envelope, content)
            if unfit is not None:
                return [unfit] * count
            return await self._transaction(envelope, content)
        except MailError as error:
            return [error.reply] * count
        except aiosmtplib.SMTPResponseException as error:
            self.broken = True
            return [reply_of(SMTPResponse(451, f"4.5.0 unexpected reply: {error.message}"))] * count
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            self.broken = True
            return [
                Reply(451, "4.4.2", f"The connection to {self.hop.host} broke: {type(error).__name__}")
            ] * count
        except asyncio.CancelledError:  # nobody knows where the session stands: no QUIT is waited for
            self.broken = True
            raise

    def _unfit(self, envelope: Envelope, content: Content) -> Reply | None:
        """What the next hop says beforehand that it cannot take."""
        client = self._client
        if envelope.smtputf8 and not client.supports_extension("smtputf8"):
            return Reply(553, "5.6.7", f"{self.hop.host} does not take internationalized addresses")
        limit = client.esmtp_extensions.get("size", "")
        if limit.isdigit() and 0 < int(limit) < content.size_bytes:
            return Reply(552, "5.3.4", f"{self.hop.host} takes {limit} octets at most")
        return None

    async def _transaction(self, envelope: Envelope, content: Content) -> list[Reply]:
        client = self._client
        response = await self._begin(self._mail_argument(envelope, content))
        if not _positive(response):
            await self._reset()
            return [reply_of(response)] * len(envelope.recipients)
        replies: list[Reply | None] = []
        for recipient in envelope.recipients:
            response = await self._command(b"RCPT", f"TO:<{recipient}>".encode())
            replies.append(None if _positive(response) else reply_of(response))
        if all(reply is not None for reply in replies):
            await self._reset()
            return [reply for reply in replies if reply is not None]
        response = await client.execute_command(b"DATA", timeout=self._settings.command_timeout_s)
        if response.code == 354:
            async for chunk in _dotted(content, self._executor):
                self._writer.write(chunk)
                async with asyncio.timeout(self._settings.command_timeout_s):  # RFC 5321 4.5.3.2.5
                    await self._writer.drain()
            assert client.protocol is not None  # a lost connection raised before
            response = await client.protocol.read_response(timeout=self._settings.data_timeout_s)
        elif response.code < 400:
            self.broken = True
            response = SMTPResponse(451, "4.5.0 unexpected reply to DATA")
        final = reply_of(response)
        return [final if reply is None else reply for reply in replies]

    async def _begin(self, argument: bytes) -> SMTPResponse:
        """The reply to MAIL; raises Stale where an earlier transaction's session has ended."""
        used, self._used = self._used, True
        try:
            response = await self._command(b"MAIL", argument)
        except aiosmtplib.SMTPServerDisconnected:
            if not used:
                raise
            self.broken = True
            raise Stale from None
        if response.code == 421:
            self.broken = True
            if used:
                raise Stale
        return response

    def _mail_argument(self, envelope: Envelope, content: Content) -> bytes:
        words = [f"FROM:<{envelope.reverse_path}>"]
        supports = self._client.supports_extension
        if supports("size"):
            words.append(f"SIZE={content.size_bytes}")
        if envelope.eight_bit and supports("8bitmime"):
            words.append("BODY=8BITMIME")
        if envelope.smtputf8:
            words.append("SMTPUTF8")
        return " ".join(words).encode()

    async def _command(self, name: bytes, argument: bytes) -> SMTPResponse:
        try:
            return await self._client.execute_command(
                name, argument, timeout=self._settings.command_timeout_s
            )
        except ValueError as error:  # a control character: such an address cannot be said in SMTP
            raise MailError(
                Reply(553, "5.1.3", "The address cannot be written in SMTP"), str(error)
            ) from None

    async def _reset(self) -> None:
        response = await self._client.execute_command(b"RSET", timeout=self._settings.command_timeout_s)
        self.broken = self.broken or response.code != 250

    async def close(self) -> None:
        """QUIT where the session still works; never raises."""
        try:
            if not self.broken:
                await self._client.execute_command(b"QUIT", timeout=5.0)
        except (aiosmtplib.SMTPException, OSError, TimeoutError):
            pass
        finally:
            self._client.close()


async def first_connection(
    hops: Sequence[Hop], settings: DeliverySettings, hostname: str, executor: Executor
) -> Connection:
    """The first hop that greets us; raises the last MailError when none does."""
    last = MailError(Reply(451, "4.4.1", "No mail host to try"))
    for hop in hops:
        try:
            return await Connection.open(hop, settings, hostname, executor)
        except MailError as error:
            last = error
    raise last


def _permissive() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


_OPPORTUNISTIC = _permissive()


async def _connect(hop: Hop, settings: DeliverySettings, hostname: str) -> aiosmtplib.SMTP:
    family = socket.AF_INET6 if ":" in hop.address else socket.AF_INET
    # Named TCP, or asyncio does not know to switch Nagle's algorithm off: 40 ms for each message.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setblocking(False)
    client: aiosmtplib.SMTP | None = None
    try:
        async with asyncio.timeout(settings.connect_timeout_s):
            await asyncio.get_running_loop().sock_connect(sock, (hop.address, hop.port))
        client = aiosmtplib.SMTP(
            hostname=hop.host,
            sock=sock,
            start_tls=False,
            local_hostname=hostname,
            timeout=settings.command_timeout_s,
        )
        await client.connect()
        if client.protocol is not None:  # aiosmtplib has no way to be given another one
            client.protocol.__class__ = _Protocol
        if client.is_ehlo_or_helo_needed:
            await client.ehlo()
    except (aiosmtplib.SMTPResponseException, aiosmtplib.SMTPHeloError) as error:
        _close(sock, client)
        text = " ".join(str(error.message).split())[:REPLY_LENGTH_LIMIT]
        raise MailError(Reply(451, "4.4.0", f"{hop.host} turned us away: {error.code} {text}")) from error
    except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
        _close(sock, client)
        reason = type(error).__name__
        raise MailError(Reply(451, "4.4.1", f"No connection to {hop.host} ({reason})"), str(error)) from error
    except asyncio.CancelledError:
        _close(sock, client)
        raise
    return client


def _close(sock: socket.socket, client: aiosmtplib.SMTP | None) -> None:
    if client is not None:
        client.close()
    sock.close()


async def _dotted(content: Content, executor: Executor) -> AsyncIterator[bytes]:
    """The message with its dots doubled (RFC 5321 4.5.2) and the end of data; line ends are CRLF already."""
    before = b"\r\n"
    async for chunk in content.chunks(executor):
        joined = before[-2:] + chunk
        # The last two octets stay behind: a line may begin in the next chunk.
        stuffed = joined.replace(b"\r\n.", b"\r\n..")
        yield stuffed[2:]
        before = joined
    yield b".\r\n" if before.endswith(b"\r\n") else b"\r\n.\r\n"
