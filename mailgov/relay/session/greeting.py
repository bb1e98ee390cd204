"""EHLO, HELO and the small commands: what is advertised is what works."""

from __future__ import annotations

from mailgov.relay import auth
from mailgov.relay.session.connection import Connection


class Greeting(Connection):
    """Commands that need no transaction."""

    async def smtp_EHLO(self, hostname: str) -> None:
        await self._count_junk()
        if not hostname:
            await self.push("501 5.5.4 Syntax: EHLO hostname")
            return
        self._set_rset_state()
        assert self.session is not None  # set by connection_made
        self.session.extended_smtp, self.session.host_name = True, hostname
        lines = [
            self.hostname,
            "PIPELINING",
            f"SIZE {self.data_size_limit}",
            "8BITMIME",
            "SMTPUTF8",
            "CHUNKING",
            "DSN",
        ]
        if self.tls_context and self._tls is None:
            lines.append("STARTTLS")
        if self._tls is not None:  # RFC 8689 2: inside TLS alone
            lines.append("REQUIRETLS")
        if self._listener.authenticates and self._tls is not None:
            lines.append(f"AUTH {' '.join(auth.MECHANISMS)}")
        smtp = self._node.settings.smtp
        lines.append(
            f"LIMITS RCPTMAX={smtp.recipient_limit} MAILMAX={smtp.session_message_limit}"
        )  # RFC 9422
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

    async def smtp_QUIT(self, arg: str) -> None:
        """Without the exception and its frames that aiosmtpd makes of the end of each session."""
        if arg:
            await self.push("501 5.5.4 Syntax: QUIT")
            return
        await self.push("221 2.0.0 Bye")
        self._close()

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
