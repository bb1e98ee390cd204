"""The SMTP server: aiosmtpd's session and command loop, with our own commands where it falls short.

Overridden: EHLO (what is advertised is what works), AUTH, MAIL, RCPT, DATA (read in chunks
into the spool), errors (451 and no traceback), limits.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable
from typing import NoReturn, cast

import structlog
from aiosmtpd.smtp import SMTP, TLSSetupException

from mailgov.mail.reply import INTERNAL_ERROR, MailError, Reply
from mailgov.relay import auth
from mailgov.relay.data import DataSink, receive
from mailgov.relay.door import Full, Place
from mailgov.relay.edits import Trace
from mailgov.relay.listener import COMMAND_LENGTHS, Commands, Listener, address_of, inside
from mailgov.relay.node import Node
from mailgov.relay.path import parse_mailbox, parse_path
from mailgov.relay.transaction import MailParameters, Peer, Transaction
from mailgov.store.snapshot import AccountEntry

log = structlog.get_logger()

CLOSING_S = 5.0
"""How long a client may take to read the last reply before the connection is cut."""
REFUSED_SIGN_INS_LOGGED = 60
"""In a minute; a flood of guesses must not fill the log: the door's counters have them all."""
SERVICE_CLOSING = Reply(421, "4.3.2", "Service closing, please try again later")
TOO_MANY_ERRORS = Reply(421, "4.7.0", "Too many errors")
TOO_MUCH_JUNK = Reply(421, "4.7.0", "Too many commands without a message")
TOO_MUCH_DATA = Reply(421, "4.7.0", "Too much data after the message was refused")
TIMEOUT = Reply(421, "4.4.2", "Nothing heard for too long")
NO_TRUST = Reply(554, "5.7.1", "This listener does not serve your address")
_ENHANCED = re.compile(rb"[245]\d\d[ -][245]\.\d{1,3}\.\d{1,3}[ \r]?")
_ENHANCED_CLASSES, _NEGATIVE, _BARE = (b"2", b"4", b"5"), (b"4", b"5"), (b"220",)
_DEFAULT_ENHANCED = {b"250": b"2.0.0", b"221": b"2.0.0", b"252": b"2.5.0", b"500": b"5.5.2", b"501": b"5.5.4"}


class _NoHandler:
    """aiosmtpd's hooks are not used: its commands are overridden themselves."""

    def __dir__(self) -> list[str]:
        return []


_NO_HANDLER = _NoHandler()


class RelayServer(SMTP):
    """One SMTP session of `listener`. Counters and limits are the node's."""

    line_length_limit = 65_536
    """The reader's bound, beyond which the transport pauses; commands have their own."""

    def __init__(
        self, node: Node, listener: Listener, loop: asyncio.AbstractEventLoop, place: Place | None = None
    ) -> None:
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
        self.command_size_limits = COMMAND_LENGTHS
        self._smtp_methods = Commands(self._smtp_methods, self._unknown)
        self._node, self._listener = node, listener
        self._account: AccountEntry | None = None
        self._transaction: Transaction | None = None
        self._place = place
        self._errors = self._junk = 0
        self._turned_away = False
        self._in_data = False
        self._over = False

    def __dir__(self) -> list[str]:
        """The commands alone: aiosmtpd looks through all members of each new session for them."""
        return _COMMANDS

    # --- the connection -------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transaction = None
        if self._original_transport is not None:  # the TLS side of STARTTLS (RFC 3207 4.2)
            self._account = None
            super().connection_made(transport)
            return
        reply = self._turn_away(transport)
        if reply is not None:
            self._turned_away = True
            cast(asyncio.WriteTransport, transport).write(reply.line().encode() + b"\r\n")
            transport.close()
            return
        self._node.connections.add(self)
        super().connection_made(transport)

    def _turn_away(self, transport: asyncio.BaseTransport) -> Reply | None:
        """Take a place. What this connection is told instead of a greeting, or None."""
        node, listener = self._node, self._listener
        if node.draining:
            return SERVICE_CLOSING
        address = address_of(transport)
        if listener.kind == "trusted" and not inside(address, listener.trusted_networks):
            node.counters.refuse(node.clock.now_ms(), listener.kind, address, "not_trusted")
            return NO_TRUST
        try:
            self._place = self._place or node.door.enter(listener.kind, address)
        except Full as full:
            node.counters.refuse(node.clock.now_ms(), listener.kind, address, full.reason)
            return full.reply
        return None

    def connection_lost(self, error: Exception | None) -> None:
        self._node.connections.discard(self)
        if self._place is not None:
            self._place.leave()
        if self.session is not None:  # there was a session
            super().connection_lost(error)

    def eof_received(self) -> bool | None:
        """The end of input. What came before it is still answered; then the session ends."""
        if self._turned_away:
            return None
        asyncio.StreamReaderProtocol.eof_received(self)  # aiosmtpd would cancel what is under way
        return self._tls is None  # inside TLS no connection stays half open

    def data_received(self, data: bytes) -> None:
        if not self._turned_away:
            super().data_received(data)

    def drain_session(self) -> None:
        """The worker is stopping: say so unless a message is under way, which may end first."""
        if not self._in_data and self.transport is not None:
            self._writer.write(SERVICE_CLOSING.line().encode() + b"\r\n")
            self._close()

    def _timeout_cb(self) -> None:
        """The client has been silent for too long; one that does not even read is cut off."""
        if self.transport is None:
            return
        transport = cast(asyncio.WriteTransport, self.transport)
        if self._over or transport.get_write_buffer_size():
            transport.abort()
            return
        self._refused("timeout")
        self._writer.write(TIMEOUT.line().encode() + b"\r\n")
        self._close()

    def _close(self) -> None:
        """Say nothing more, run nothing more; close once what was said is read, or soon anyway."""
        self._over = True
        if self.transport is not None:
            self.transport.close()
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

    # --- replies --------------------------------------------------------------------------

    async def push(self, status: str | bytes) -> None:
        """Send a reply, with an enhanced code where aiosmtpd gave none (RFC 2034 4)."""
        if self._over:
            raise asyncio.CancelledError
        line = status.encode() if isinstance(status, str) else status
        if line[:3] not in _BARE and line[:1] in _ENHANCED_CLASSES and not _ENHANCED.match(line):
            code = _DEFAULT_ENHANCED.get(line[:3], line[:1] + b".5.1")
            line = line[:3] + b" " + code + line[3:]
        await self._send(line + b"\r\n")
        if line[:1] in _NEGATIVE:
            await self._count_error()

    async def _send(self, lines: bytes) -> None:
        self._writer.write(lines)
        await self._writer.drain()
        if lines[:3] not in _BARE:
            # Neither this nor reading waits while commands are pipelined: other sessions would stand still.
            # Behind the 220 of STARTTLS the handshake comes, which must not be read before TLS is there.
            await asyncio.sleep(0)

    async def _reply(self, reply: Reply) -> None:
        await self.push(reply.line())

    async def _count_error(self) -> None:
        self._errors += 1
        if self._errors >= self._node.settings.smtp.error_limit:
            self._refused("errors")
            await self._send(TOO_MANY_ERRORS.line().encode() + b"\r\n")
            self._end()

    async def _count_junk(self) -> None:
        """Count a command that brings no message nearer."""
        self._junk += 1
        if self._junk > self._node.settings.smtp.junk_command_limit:
            self._refused("junk_commands")
            await self._send(TOO_MUCH_JUNK.line().encode() + b"\r\n")
            self._end()

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
                self._refused("tls_handshake")
            else:
                self._node.counters.add("internal_errors")
                log.error("session error", error=type(error).__name__, exc_info=error)
        return INTERNAL_ERROR.line()

    def _refused(self, reason: str) -> None:
        node = self._node
        address = address_of(self.transport) if self.transport is not None else "unknown"
        node.counters.refuse(node.clock.now_ms(), self._listener.kind, address, reason)

    # --- commands -------------------------------------------------------------------------

    def _set_rset_state(self) -> None:
        super()._set_rset_state()  # type: ignore[no-untyped-call]  # aiosmtpd leaves it untyped
        self._transaction = None

    async def smtp_EHLO(self, hostname: str) -> None:
        await self._count_junk()
        if not hostname:
            await self.push("501 5.5.4 Syntax: EHLO hostname")
            return
        self._set_rset_state()
        assert self.session is not None  # set by connection_made
        self.session.extended_smtp, self.session.host_name = True, hostname
        lines = [self.hostname, "PIPELINING", f"SIZE {self.data_size_limit}", "8BITMIME", "SMTPUTF8"]
        if self.tls_context and self._tls is None:
            lines.append("STARTTLS")
        if self._listener.authenticates and self._tls is not None:
            lines.append(f"AUTH {' '.join(auth.MECHANISMS)}")
        lines.append("ENHANCEDSTATUSCODES")
        reply = "".join(f"250-{line}\r\n" for line in lines[:-1]) + f"250 {lines[-1]}\r\n"
        await self._send(reply.encode())

    async def smtp_HELO(self, hostname: str) -> None:
        await self._count_junk()
        if not hostname:
            await self.push("501 5.5.4 Syntax: HELO hostname")
            return
        self._set_rset_state()
        assert self.session is not None  # set by connection_made
        self.session.extended_smtp, self.session.host_name = False, hostname
        await self._send(f"250 {self.hostname}\r\n".encode())

    async def smtp_STARTTLS(self, arg: str) -> None:
        if self._tls is not None:
            await self.push("503 5.5.1 TLS is active already")
        elif not self.tls_context:
            await self.push("502 5.5.1 STARTTLS is not offered here")
        else:
            await super().smtp_STARTTLS(arg)

    async def smtp_NOOP(self, arg: str) -> None:
        await self._count_junk()
        await self.push("250 2.0.0 OK")

    async def smtp_RSET(self, arg: str) -> None:
        await self._count_junk()
        await super().smtp_RSET(arg)

    async def smtp_VRFY(self, arg: str) -> None:
        await self._count_junk()
        await self.push("252 2.5.0 Send some mail and see" if arg else "501 5.5.4 Syntax: VRFY <address>")

    async def smtp_HELP(self, arg: str) -> None:
        await self._count_junk()
        await self.push("214 2.0.0 See RFC 5321")

    async def _unknown(self, arg: str | None) -> None:
        """Any other command; what it was called does not come back."""
        await self.push("500 5.5.2 Command not recognized")

    async def smtp_AUTH(self, arg: str) -> None:
        if await self.check_helo_needed("EHLO"):
            return
        if not self._listener.authenticates or self._tls is None:
            self._refused("auth_without_tls")
            await self.push("538 5.7.11 Encryption required, and a listener that authenticates")
        elif self._account is not None:
            await self.push("503 5.5.1 Already authenticated")
        elif self._transaction is not None:
            await self.push("503 5.5.1 AUTH is not allowed inside a mail transaction")
        else:
            try:
                await self._sign_in(await auth.read_credentials(arg or "", self._challenge))
            except MailError as error:
                if error.reply == auth.NOT_NOW:
                    self._refused("sign_in_put_off")
                await self._reply(error.reply)

    async def _challenge(self, text: str) -> bytes:
        """Send a challenge (base64 already) and read its answer, bounded (RFC 4954 4)."""
        await self._send(f"334 {text}\r\n".encode())
        too_long = False
        while True:
            try:
                line = await self._reader.readuntil()
            except asyncio.LimitOverrunError as error:
                too_long = True
                await self._reader.read(error.consumed)
                continue
            if too_long or len(line) > COMMAND_LENGTHS["AUTH"]:
                raise MailError(Reply(500, "5.5.6", "Authentication exchange line is too long"))
            return auth.decode_base64(line.rstrip(b"\r\n").decode("ascii", "replace"))

    async def _sign_in(self, credentials: auth.Credentials) -> None:
        node = self._node
        peer = address_of(self.transport) if self.transport is not None else "unknown"
        judged = await auth.sign_in_from(node, node.gate, credentials, peer)
        account = judged.account
        if account is None:
            self._refused("bad_sign_in")
            if node.counters.within(node.clock.now_ms(), "sign-in refused", REFUSED_SIGN_INS_LOGGED):
                log.warning("sign-in refused", name=credentials.name, client=peer, reason=judged.refusal)
            await self._reply(auth.WRONG)
            return
        try:
            if self._place is not None:
                self._place.sign_in(account.address)
        except Full as full:
            self._refused(full.reason)
            await self._send(full.reply.line().encode() + b"\r\n")
            self._end()
        self._account = account
        node.counters.add("sign_ins")
        node.sign_ins.note(account.address, "submission", node.clock.now_ms())
        log.info("signed in", account=account.address, listener=self._listener.kind)
        await self._reply(auth.SIGNED_IN)

    async def smtp_MAIL(self, arg: str | None) -> None:
        if await self.check_helo_needed():
            return
        if self._transaction is not None:
            await self.push("503 5.5.1 Nested MAIL command")
            return
        refusal = self._may_send()
        if refusal is not None:
            await self._reply(refusal)
            return
        path, given = parse_path(arg, "FROM:")
        reverse_path = str(parse_mailbox(path)) if path else ""
        parameters = MailParameters.read(given)
        if parameters.size_bytes > self._node.settings.smtp.size_limit_bytes:
            self._refused("size")
            raise MailError(Reply(552, "5.3.4", "Message too big"))
        if not parameters.smtputf8 and not reverse_path.isascii():
            raise MailError(Reply(550, "5.6.7", "Address needs SMTPUTF8"))
        peer = self._peer()
        if self._listener.kind == "trusted" and peer.account is None:
            raise MailError(Reply(451, "4.3.0", "The listener's account is not at hand"), "trusted account")
        transaction = Transaction(self._node, peer, reverse_path, parameters)
        reply = await transaction.mail()
        if reply.positive:
            self._transaction = transaction
        await self._reply(reply)

    def _may_send(self) -> Reply | None:
        if self._node.draining:
            return SERVICE_CLOSING
        if not self._listener.authenticates:
            return None
        if self._tls is None:
            self._refused("no_tls")
            return Reply(530, "5.7.0", "Must issue a STARTTLS command first")
        if self._account is None:
            self._refused("no_auth")
            return Reply(530, "5.7.0", "Authentication required")
        snapshot = self._node.directory.snapshot
        current = snapshot.account(self._account.address)
        if current is None or auth.closed_to(snapshot, current):  # while the session was open
            return Reply(535, "5.7.8", "The account is no longer valid")
        self._account = current
        return None

    def _peer(self) -> Peer:
        node, listener, tls = self._node, self._listener, self._tls
        assert self.session is not None  # set by connection_made
        assert self.transport is not None  # as above
        account = self._account
        if listener.kind == "trusted":
            account = node.directory.snapshot.account((listener.trusted_account or "").lower())
            if account is not None and account.suspended:
                account = None
        authenticated = self._account is not None
        # RFC 3848's names: S for TLS, A for AUTH.
        protocol = "ESMTP" if self.session.extended_smtp else "SMTP"
        if self.session.extended_smtp:
            protocol += ("S" if tls else "") + ("A" if authenticated else "")
        address = address_of(self.transport)
        trace = Trace(str(self.session.host_name or ""), address, protocol, tls, authenticated)
        return Peer(listener.kind, address, account, authenticated, trace)

    async def smtp_RCPT(self, arg: str | None) -> None:
        if await self.check_helo_needed():
            return
        if self._transaction is None:
            await self.push("503 5.5.1 Need MAIL command")
            return
        path, given = parse_path(arg, "TO:")
        if given:
            raise MailError(Reply(555, "5.5.4", "RCPT parameter not recognized or not implemented"))
        if path.lower() == "postmaster":  # RFC 5321 4.5.1: without a domain, in any case
            path = f"postmaster@{min(self._node.directory.snapshot.domains, default=self.hostname)}"
        address = parse_mailbox(path)
        if not address.ascii and not self._transaction.incoming.smtputf8:
            raise MailError(Reply(553, "5.6.7", "Address needs SMTPUTF8"))
        before = len(self._transaction.incoming.recipients)
        reply = await self._transaction.rcpt(address)
        if reply.positive and len(self._transaction.incoming.recipients) == before:
            await self._count_junk()
        await self._reply(reply)

    async def smtp_DATA(self, arg: str | None) -> None:
        transaction = self._transaction
        if await self.check_helo_needed():
            return
        if transaction is None or not transaction.has_recipients:
            await self.push(f"503 5.5.1 Need {'MAIL' if transaction is None else 'RCPT'} command")
            return
        if arg:
            await self.push("501 5.5.4 Syntax: DATA")
            return
        self._in_data, self._transaction = True, None
        try:
            await self._send(b"354 End data with <CR><LF>.<CR><LF>\r\n")
            work = receive(self._reader, DataSink(self._node, transaction.incoming), self._heard)
            # A client that leaves after the end of data does not take its message along.
            received = await asyncio.shield(self._node.keep(work))
            if received.reply is not None:
                self._junk = 0 if received.reply.positive else self._junk
                await self._reply(received.reply)
        finally:
            self._in_data = False
        if not received.ended:
            if received.reply is not None:  # the refusal is for the message, this one for the session
                self._refused("stopped_data")
                await self._send(TOO_MUCH_DATA.line().encode() + b"\r\n")
            self._end()
        if self._node.draining:
            self.drain_session()

    def _heard(self) -> None:
        if self.transport is not None and not self._over:
            self._reset_timeout()


_COMMANDS = [name for name in dir(RelayServer) if name.startswith("smtp_")]


def factory(node: Node, listener: Listener, place: Place | None = None) -> Callable[[], RelayServer]:
    """What makes the session of a connection; `place` is one that it has been given already."""
    loop = asyncio.get_running_loop()
    return lambda: RelayServer(node, listener, loop, place)
