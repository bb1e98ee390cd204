"""Signing in at a next hop (RFC 4954): over TLS whose certificate was checked, with a password out of a file.

The server's own words are not passed on: they may hold what was said to it.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from concurrent.futures import Executor
from functools import lru_cache
from pathlib import Path

import aiosmtplib
import structlog

from mailgov.mail.reply import MailError, Reply
from mailgov.relay.opening import connect, hello, let_go, spoken, tls_failure
from mailgov.relay.route import Hop
from mailgov.settings import DeliveryLogin, DeliverySettings

log = structlog.get_logger()

MECHANISMS = ("plain", "login")
_UNSAFE = re.compile("[\x00-\x1f\x7f]")


def password_of(login: DeliveryLogin) -> str:
    """The password out of its file, without the line's end. Raises OSError and ValueError."""
    password = login.password_file.read_text(encoding="utf-8").rstrip("\r\n")
    if not password or _UNSAFE.search(password):
        raise ValueError(f"{login.password_file} holds no password on one line")
    return password


def checking(authorities: Path | None) -> ssl.SSLContext:
    """TLS that believes these authorities alone, or the system's; the name is checked too. Raises OSError.

    Kept until the file is another one.
    """
    return _context(authorities, authorities.stat().st_mtime_ns if authorities else 0)


@lru_cache(maxsize=32)
def _context(authorities: Path | None, _changed_ns: int) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(authorities) if authorities else None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


async def signed_in(
    hop: Hop, settings: DeliverySettings, hostname: str, executor: Executor
) -> aiosmtplib.SMTP:
    """A session in which the hop's login was taken. Raises MailError 4xx: what is wrong is ours to mend.

    The password's file is read each time, so that a new one needs no restart.
    """
    login = hop.manner.login
    assert login is not None
    loop = asyncio.get_running_loop()
    try:
        password = await loop.run_in_executor(executor, password_of, login)
        context = await loop.run_in_executor(executor, checking, login.ca_file)
    except (OSError, ValueError) as error:
        log.error("next hop's login cannot be read", host=hop.host, error=str(error))
        raise MailError(Reply(451, "4.3.5", f"Our login at {hop.host} cannot be read"), str(error)) from error
    try:
        client = await connect(hop, settings, hostname, tls=context if hop.manner.tls_first else None)
    except MailError as error:
        if tls_failure(error.__cause__) is not None:
            _tell(hop, error.reply.text, error.cause)
        raise
    try:
        if not hop.manner.tls_first:
            await _encrypt(client, hop, settings, hostname, context)
        await _say(client, hop, login.user, password, settings.command_timeout_s)
    except BaseException:
        let_go(client)
        raise
    return client


def _tell(hop: Hop, why: str, error: str = "") -> None:
    """For the log: it is for us to mend."""
    log.error("next hop gets no password", host=hop.host, why=why, error=error)


def _unsafe(hop: Hop, why: str, error: str = "") -> MailError:
    _tell(hop, why, error)
    return MailError(Reply(451, "4.7.0", why), error)


async def _encrypt(
    client: aiosmtplib.SMTP, hop: Hop, settings: DeliverySettings, hostname: str, context: ssl.SSLContext
) -> None:
    if not client.supports_extension("starttls"):
        raise _unsafe(hop, f"{hop.host} offers no TLS, without which no password is sent")
    try:
        await client.starttls(
            server_hostname=hop.host, tls_context=context, timeout=settings.connect_timeout_s
        )
        await hello(client, hop, settings, hostname)
    except ssl.SSLCertVerificationError as error:
        told = f"The certificate of {hop.host} is not good: no password is sent"
        raise _unsafe(hop, told, str(error)) from error
    except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
        told = f"No TLS with {hop.host} ({type(error).__name__}): no password is sent"
        raise _unsafe(hop, told, str(error)) from error


async def _say(client: aiosmtplib.SMTP, hop: Hop, user: str, password: str, timeout_s: float) -> None:
    offered = client.supported_auth_methods
    say = next((getattr(client, f"auth_{name}") for name in MECHANISMS if name in offered), None)
    if say is None:
        raise MailError(Reply(451, "4.7.0", f"{hop.host} offers neither AUTH PLAIN nor AUTH LOGIN"))
    try:
        await say(user.encode(), password.encode(), timeout=timeout_s)
    except aiosmtplib.SMTPResponseException as error:
        log.error("next hop refuses our login", host=hop.host, user=user, code=error.code)
        raise MailError(Reply(451, "4.7.8", f"{hop.host} refuses our login ({error.code})")) from None
    except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
        reason = spoken(error)
        raise MailError(Reply(451, "4.4.2", f"The connection to {hop.host} broke: {reason}")) from None
