"""AUTH (RFC 4954): inside TLS alone, on the listeners that authenticate."""

from __future__ import annotations

import asyncio

import structlog

from mailgov.mail.reply import MailError, Reply
from mailgov.relay import auth
from mailgov.relay.door import Full
from mailgov.relay.listener import COMMAND_LENGTHS
from mailgov.relay.session.greeting import Greeting

log = structlog.get_logger()

REFUSED_SIGN_INS_LOGGED = 60
"""In a minute; a flood of guesses must not fill the log: the door's counters have them all."""


class SignIn(Greeting):
    """Who a session acts for."""

    async def smtp_AUTH(self, arg: str) -> None:
        if await self.check_helo_needed("EHLO"):
            return
        if not self._listener.authenticates:
            self._refused("auth_not_here")
            await self.push("502 5.5.1 AUTH is not offered here")
        elif self._tls is None:
            self._refused("auth_without_tls")
            await self.push("538 5.7.11 Encryption required: STARTTLS first")
        elif self._account is not None:
            await self.push("503 5.5.1 Already authenticated")
        elif self._transaction is not None:
            await self.push("503 5.5.1 AUTH is not allowed inside a mail transaction")
        else:
            name = None
            try:
                credentials = await auth.read_credentials(arg or "", self._challenge)
                name = credentials.name
                await self._sign_in(credentials)
            except MailError as error:
                if error.reply == auth.NOT_NOW:
                    self._refused("sign_in_put_off", name=name)
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
        peer = self._client_address
        judged = await auth.sign_in_from(node, node.gate, credentials, peer)
        account = judged.account
        if account is None:
            self._refused("bad_sign_in", logged=False)
            if node.counters.within(node.clock.now_ms(), "sign-in refused", REFUSED_SIGN_INS_LOGGED):
                log.warning("sign-in refused", name=credentials.name, client=peer, reason=judged.refusal)
            await self._reply(auth.WRONG)
            return
        try:
            if self._place is not None:
                self._place.sign_in(account.address)
        except Full as full:
            await self._last_word(full.reply, full.reason)
        self._account = account
        node.counters.add("sign_ins")
        node.sign_ins.note(account.address, "submission", node.clock.now_ms())
        log.info("signed in", account=account.address, listener=self._listener.kind, client=peer)
        await self._reply(auth.SIGNED_IN)
