"""The beginning of a session with a next hop: the connection, its greeting, EHLO, HELO or LHLO."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from typing import cast

import aiosmtplib

from mailgov.mail.reply import MailError, Reply
from mailgov.mail.text import one_line
from mailgov.relay.exchange import Exchange
from mailgov.relay.route import Hop
from mailgov.settings import DeliverySettings

WORDS_LIMIT = 1000
"""Characters of a next hop's words that are kept where it turns us away."""
NEVER = 521
_NO_EHLO = frozenset({500, 501, 502, 504, 550})
"""What servers that know HELO alone have said to EHLO (RFC 5321 4.1.1.1, 3.2)."""


def spoken(error: Exception) -> str:
    """What became of a connection, in words that an official may be shown."""
    if isinstance(error, TimeoutError):  # aiosmtplib's are of this kind
        return "no answer in time"
    if isinstance(error, (aiosmtplib.SMTPServerDisconnected, ConnectionResetError, BrokenPipeError)):
        return "the other side hung up"
    if (failed := tls_failure(error)) is not None:
        if isinstance(failed, ssl.SSLCertVerificationError):
            return "its certificate is not good"
        return f"no TLS: {(failed.reason or 'it failed').replace('_', ' ').lower()}"
    if isinstance(error, OSError) and error.errno is not None:
        return os.strerror(error.errno).lower()
    return type(error).__name__


def tls_failure(error: BaseException | None) -> ssl.SSLError | None:
    """The handshake's failure that an error is, or was made of by aiosmtplib."""
    found = error if isinstance(error, ssl.SSLError) else getattr(error, "__cause__", None)
    return found if isinstance(found, ssl.SSLError) else None


async def connect(
    hop: Hop, settings: DeliverySettings, hostname: str, *, tls: ssl.SSLContext | None = None
) -> aiosmtplib.SMTP:
    """Connect and say hello; with `tls` the handshake comes first (RFC 8314 3.3).

    Raises MailError 4xx, and 550 5.3.2 where the host says that it never takes mail (521, RFC 7504 3).
    """
    client: aiosmtplib.SMTP | None = None
    sock = _socket(hop)
    try:
        await _reach(sock, hop, settings.connect_timeout_s)
        client = aiosmtplib.SMTP(
            hostname=hop.host,
            sock=sock,
            start_tls=False,
            use_tls=tls is not None,
            tls_context=tls,
            local_hostname=hostname,
            timeout=settings.command_timeout_s,
        )
        await client.connect()
        if client.protocol is not None and client.transport is not None:
            client.protocol.__class__ = Exchange  # aiosmtplib has no way to be given another one
            client.transport.set_protocol(client.protocol)  # uvloop keeps the methods that it found before
        await hello(client, hop, settings, hostname)
    except aiosmtplib.SMTPResponseException as error:  # SMTPHeloError is one
        _close(sock, client)
        raise MailError(_turned_away(hop, error)) from error
    except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
        _close(sock, client)
        reason = spoken(error)
        raise MailError(Reply(451, "4.4.1", f"No connection to {hop.host} ({reason})"), str(error)) from error
    except asyncio.CancelledError:
        _close(sock, client)
        raise
    return client


def _turned_away(hop: Hop, error: aiosmtplib.SMTPResponseException) -> Reply:
    """Another host may take the mail, and this one later: a 5xx here is about us or the host's state, no
    mailbox's (RFC 5321 3.1; Postfix's smtp_skip_5xx_greeting). Only 521 is for good.
    """
    said = f"{hop.host} turned us away: {error.code} {one_line(str(error.message), WORDS_LIMIT)}"
    return Reply(550, "5.3.2", said) if error.code == NEVER else Reply(451, "4.4.0", said)


async def hello(client: aiosmtplib.SMTP, hop: Hop, settings: DeliverySettings, hostname: str) -> None:
    """LHLO (RFC 2033 4.1), or EHLO and, where the server does not know it, HELO. Raises SMTPException."""
    if hop.manner.lmtp:
        response = await client.execute_command(
            b"LHLO", hostname.encode("ascii"), timeout=settings.command_timeout_s
        )
        if response.code != 250:
            raise aiosmtplib.SMTPHeloError(response.code, response.message)
        client.last_ehlo_response = response
        return
    try:
        await client.ehlo(timeout=settings.command_timeout_s)
    except aiosmtplib.SMTPHeloError as error:
        if error.code not in _NO_EHLO:
            raise
        await client.helo(timeout=settings.command_timeout_s)


async def _reach(sock: socket.socket, hop: Hop, timeout_s: float) -> None:
    place = hop.address if hop.unix else (hop.address, hop.port)
    try:
        async with asyncio.timeout(timeout_s):
            await asyncio.get_running_loop().sock_connect(sock, place)
    except OSError:  # TimeoutError is one
        if hop.reach is not None:
            hop.reach.failed(hop.address)
        raise
    if hop.reach is not None:
        hop.reach.reached(hop.address)


def _socket(hop: Hop) -> socket.socket:
    if hop.unix:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    else:
        family = socket.AF_INET6 if ":" in hop.address else socket.AF_INET
        # Named TCP, or asyncio does not know to switch Nagle's algorithm off: 40 ms for each message.
        sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setblocking(False)
    return sock


def let_go(client: aiosmtplib.SMTP) -> None:
    """End a session that came to nothing, without the goodbyes of TLS, which the other side can make last."""
    transport = client.transport
    client.close()
    if transport is not None:
        cast(asyncio.WriteTransport, transport).abort()


def _close(sock: socket.socket, client: aiosmtplib.SMTP | None) -> None:
    if client is not None:
        let_go(client)
    sock.close()
