"""MAIL and RCPT (RFC 5321 4.1.1.2, 4.1.1.3)."""

from __future__ import annotations

from mailgov.mail.reply import MailError, Reply
from mailgov.mail.text import one_line
from mailgov.relay import auth
from mailgov.relay.edits import Trace
from mailgov.relay.notify import RecipientWishes
from mailgov.relay.path import parse_mailbox, parse_path
from mailgov.relay.session.replies import SERVICE_CLOSING
from mailgov.relay.session.sign_in import SignIn
from mailgov.relay.transaction import MailParameters, Peer, Transaction

HELO_CHARACTERS = 255
TOO_MANY_MESSAGES = Reply(421, "4.7.0", "Too many messages in one session, please go on in another one")


class Envelope(SignIn):
    """Opens a transaction and adds its recipients."""

    async def smtp_MAIL(self, arg: str | None) -> None:
        if await self.check_helo_needed():
            return
        if self._transaction is not None:
            await self.push("503 5.5.1 Nested MAIL command")
            return
        self._messages += 1
        if self._messages > self._node.settings.smtp.session_message_limit:
            await self._last_word(TOO_MANY_MESSAGES, "session_messages")
        refusal = self._may_send()
        if refusal is not None:
            await self._reply(refusal)
            return
        path, given = parse_path(arg, "FROM:")
        reverse_path = str(parse_mailbox(path, status="5.1.7")) if path else ""
        parameters = MailParameters.read(given)
        if parameters.size_bytes > self._node.settings.smtp.size_limit_bytes:
            self._refused("size")
            raise MailError(Reply(552, "5.3.4", "Message too big"))
        if parameters.requiretls and self._tls is None:
            raise MailError(Reply(530, "5.7.10", "REQUIRETLS is for sessions inside TLS (RFC 8689)"))
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
        address = self._client_address
        # Any octets may come in it, and it goes into records, facts and fields.
        helo = one_line(str(self.session.host_name or ""), HELO_CHARACTERS)
        trace = Trace(helo, address, protocol, tls, authenticated)
        return Peer(listener.kind, address, account, authenticated, trace)

    async def smtp_RCPT(self, arg: str | None) -> None:
        if await self.check_helo_needed():
            return
        if self._transaction is None:
            await self.push("503 5.5.1 Need MAIL command")
            return
        if self._sink is not None:
            await self.push("503 5.5.1 The message has begun")
            return
        path, given = parse_path(arg, "TO:")
        wishes = RecipientWishes.read(given, smtputf8=self._transaction.incoming.smtputf8)
        if path.lower() == "postmaster":  # RFC 5321 4.5.1: without a domain, in any case
            path = f"postmaster@{min(self._node.directory.snapshot.domains, default=self.hostname)}"
        address = parse_mailbox(path)
        if not address.ascii and not self._transaction.incoming.smtputf8:
            raise MailError(Reply(553, "5.6.7", "Address needs SMTPUTF8"))
        before = len(self._transaction.incoming.recipients)
        reply = await self._transaction.rcpt(address, wishes)
        if reply.positive and len(self._transaction.incoming.recipients) == before:
            await self._count_junk()
        await self._reply(reply)
