"""What a session says, and what it counts: replies, errors, junk, the end of patience."""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import NoReturn, Self, cast

import structlog
from aiosmtpd.smtp import SMTP, TLSSetupException

from mailgov.mail.reply import INTERNAL_ERROR, MailError, Reply
from mailgov.relay.data import DataSink
from mailgov.relay.door import Place
from mailgov.relay.listener import Listener
from mailgov.relay.node import Node
from mailgov.relay.tls import handshake_trouble
from mailgov.relay.transaction import Transaction
from mailgov.store.entries import AccountEntry

log = structlog.get_logger()

CLOSING_S = 5.0
"""How long a client may take to read the last reply, and to end TLS, before the connection is cut."""
SERVICE_CLOSING = Reply(421, "4.3.2", "Service closing, please try again later")
TOO_MANY_ERRORS = Reply(421, "4.7.0", "Too many errors")
TOO_MUCH_JUNK = Reply(421, "4.7.0", "Too many commands without a message")
OTHER_PROTOCOL = Reply(421, "4.7.0", "This is SMTP")
WEB_WORDS = frozenset(
    {"CONNECT", "DELETE", "GET", "HEAD", "HOST:", "OPTIONS", "PATCH", "POST", "PRI", "PUT", "TRACE"}
)
"""How a web client's request begins: a page elsewhere can make an official's browser send one to us from
where he sits, with a whole SMTP session in its body (Postfix: smtpd_forbidden_commands)."""
_ENHANCED = re.compile(rb"[245]\d\d[ -][245]\.\d{1,3}\.\d{1,3}[ \r]?")
_STARTTLS = b"220 Ready to start TLS"
_ENHANCED_CLASSES, _NEGATIVE, _BARE = (b"2", b"4", b"5"), (b"4", b"5"), (b"220",)
_DEFAULT_ENHANCED = {b"250": b"2.0.0", b"221": b"2.0.0", b"252": b"2.5.0", b"500": b"5.5.2", b"501": b"5.5.4"}


class _NoHandler:
    """aiosmtpd's hooks are not used: its commands are overridden themselves."""

    def __dir__(self) -> list[str]:
        return []


_NO_HANDLER = _NoHandler()


class Replies(SMTP):
    """A session's state, its replies and its counters. Limits are the node's."""

    line_length_limit = 65_536
    """The reader's bound, beyond which the transport pauses; commands have their own."""

    def __init__(self, node: Node, listener: Listener, loop: asyncio.AbstractEventLoop) -> None:
        """A pattern of the sessions that `like` makes: aiosmtpd's constructor takes its time."""
        smtp = node.settings.smtp
        super().__init__(
            _NO_HANDLER,
            data_size_limit=smtp.size_limit_bytes,
            enable_SMTPUTF8=True,
            hostname=node.settings.hostname,
            ident="ESMTP",
            tls_context=listener.tls_context,
            timeout=smtp.idle_timeout_s,
            auth_exclude_mechanism=("PLAIN", "LOGIN"),
            loop=loop,
        )
        self._known_commands = frozenset(self._smtp_methods)
        self._smtp_methods = {}  # of this session alone; `_obey` finds each other's
        self._node, self._listener = node, listener
        self._begin(None, None)

    @classmethod
    def like(cls, pattern: Self, place: Place | None = None, client: str | None = None) -> Self:
        """A session of the pattern's listener."""
        made = cls.__new__(cls)
        made.__dict__.update(pattern.__dict__)
        loop = pattern.loop
        asyncio.StreamReaderProtocol.__init__(
            made,
            asyncio.StreamReader(limit=made.line_length_limit, loop=loop),
            client_connected_cb=made._cb_client_connected,
            loop=loop,
        )
        made._begin(place, client)
        return made

    def _begin(self, place: Place | None, client: str | None) -> None:
        self._account: AccountEntry | None = None
        self._transaction: Transaction | None = None
        self._sink: DataSink | None = None
        """A message that comes by BDAT and has not ended."""
        self._receiving: DataSink | None = None
        """The message whose bytes or whose end are being taken in at this moment."""
        self._swallowed = 0
        """Octets of chunks that nobody waited for."""
        self._messages = 0
        """MAIL commands, as RFC 9422 counts them."""
        self._place, self._client = place, client
        self._errors = self._junk = 0
        self._turned_away = False
        self._talks = asyncio.Event()
        """Set once the client has said anything, or may."""
        self._begun = False
        """The client has said something."""
        self._in_data = False
        self._over = False

    async def push(self, status: str | bytes) -> None:
        """Send a reply, with an enhanced code where aiosmtpd gave none (RFC 2034 4)."""
        if self._over:
            raise asyncio.CancelledError
        line = status.encode() if isinstance(status, str) else status
        if line == _STARTTLS:  # the greeting alone bears no code (RFC 2034 4)
            line = line[:3] + b" 2.0.0" + line[3:]
        if line[:3] not in _BARE and line[:1] in _ENHANCED_CLASSES and not _ENHANCED.match(line):
            code = _DEFAULT_ENHANCED.get(line[:3], line[:1] + b".5.1")
            line = line[:3] + b" " + code + line[3:]
        await self._send(line + b"\r\n")
        if line[:1] in _NEGATIVE:
            await self._count_error()

    async def _send(self, lines: bytes) -> None:
        """Raises ConnectionResetError once nobody is there."""
        transport = cast(asyncio.WriteTransport | None, self.transport)
        if transport is None:
            raise ConnectionResetError
        transport.write(lines)
        if self._paused or self._connection_lost or transport.is_closing():  # type: ignore[attr-defined]  # FlowControlMixin's
            await self._writer.drain()
        if self._reader._buffer and lines[:3] not in _BARE:  # type: ignore[attr-defined]  # nothing else tells
            # Neither this nor reading waits while commands are pipelined: other sessions would stand still.
            # Behind the 220 of STARTTLS the handshake comes, which must not be read before TLS is there.
            await asyncio.sleep(0)

    async def _reply(self, reply: Reply) -> None:
        """As `push`; a reply of ours has its enhanced code."""
        if self._over:
            raise asyncio.CancelledError
        await self._send(f"{reply.line()}\r\n".encode())
        if reply.code >= 400:
            await self._count_error()

    async def _count_error(self) -> None:
        self._errors += 1
        if self._errors >= self._node.settings.smtp.error_limit:
            await self._last_word(TOO_MANY_ERRORS, "errors")

    async def _count_junk(self) -> None:
        """Count a command that brings no message nearer."""
        self._junk += 1
        if self._junk > self._node.settings.smtp.junk_command_limit:
            await self._last_word(TOO_MUCH_JUNK, "junk_commands")

    async def handle_exception(self, error: Exception) -> str:
        """Whatever broke inside, the mail may be good: 451 4.3.0, and the cause in the log.

        A transaction that is open stays so: its other recipients may be good too.
        """
        if isinstance(error, MailError):
            return error.reply.line()
        # aiosmtpd says 500 and the exception's text where this raises: it must not.
        with contextlib.suppress(Exception):
            if isinstance(error, EOFError):  # the end of input
                self._end()
            if isinstance(error, TLSSetupException):
                self._refused("tls_handshake", cause=handshake_trouble(error.__cause__))
            else:
                self._node.counters.add("internal_errors")
                log.error("session error", error=type(error).__name__, exc_info=error)
        return INTERNAL_ERROR.line()

    def _refused(self, reason: str, *, logged: bool = True, **more: object) -> None:
        """Count a refusal; `logged` is False where the caller logs it, `more` goes into the line."""
        node, known = self._node, {**self._known, **more} if logged else None
        node.counters.refuse(node.clock.now_ms(), self._listener.kind, self._client_address, reason, known)

    @property
    def _known(self) -> dict[str, object]:
        """What the client said of itself until now."""
        if self._transaction is not None:
            return self._transaction.incoming.told
        return {
            "account": self._account.address if self._account else None,
            "helo": self.session.host_name if self.session is not None else None,
        }

    @property
    def _client_address(self) -> str:
        """The client's IP address: behind a proxy the one that it names, everywhere."""
        return self._client or "unknown"

    async def _last_word(self, reply: Reply, reason: str) -> NoReturn:
        """Count why, say the reply, and end the session."""
        self._refused(reason)
        await self._send(reply.line().encode() + b"\r\n")
        self._end()

    def _close(self) -> None:
        """Say nothing more, run nothing more; close once what was said is read, or soon anyway."""
        self._over = True
        transport = cast(asyncio.WriteTransport | None, self.transport)
        if transport is not None:
            encrypted = self._original_transport is not None or transport.get_extra_info("sslcontext")
            transport.close()
            # A client that does not answer close_notify would keep its place for as long as TLS waits: 30 s.
            if encrypted or transport.get_write_buffer_size():
                self._reset_timeout(CLOSING_S)

    def _end(self) -> NoReturn:
        """End the session from inside a command: nothing pipelined behind it is run."""
        self._close()
        raise asyncio.CancelledError

    @property
    def _tls(self) -> str | None:
        """The connection's TLS version and cipher suite, or None."""
        transport = self.transport
        tls = transport.get_extra_info("ssl_object") if transport is not None else None
        if tls is None:
            return None
        cipher = tls.cipher()
        return f"{tls.version()} {cipher[0] if cipher else ''}".strip()

    def _tell_malformed(self, said: str, reply: Reply) -> None:
        """MAIL and RCPT that cannot be read, or not now, leave a line too; no counter."""
        node = self._node
        node.counters.refusals.tell(
            node.clock.now_ms(),
            self._listener.kind,
            self._client_address,
            "envelope",
            {**self._known, "said": said, "reply": reply.line()},
        )

    async def _unknown(self, command: str) -> None:
        """Any other command; what it was called does not come back."""
        if command in WEB_WORDS:
            await self._last_word(OTHER_PROTOCOL, "other_protocol")
        await self.push("500 5.5.2 Command not recognized")
