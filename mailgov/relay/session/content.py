"""DATA (RFC 5321 4.1.1.4): the message itself."""

from __future__ import annotations

import asyncio

from mailgov.mail.reply import Reply
from mailgov.relay.data import DataSink, receive
from mailgov.relay.session.envelope import Envelope

TOO_MUCH_DATA = Reply(421, "4.7.0", "Too much data after the message was refused")


class Content(Envelope):
    """Takes the message in."""

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
                await self._last_word(TOO_MUCH_DATA, "stopped_data")
            self._end()
        if self._node.draining:
            self.drain_session()
