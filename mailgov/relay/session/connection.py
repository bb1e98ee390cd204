"""How a session begins and ends: its place, the end of input, silence, the worker's drain."""

from __future__ import annotations

import asyncio
from typing import cast

from mailgov.mail.reply import Reply
from mailgov.relay.door import TOO_MANY_SESSIONS, Full
from mailgov.relay.listener import address_of, inside
from mailgov.relay.session.commands import CommandLoop
from mailgov.relay.session.replies import OTHER_PROTOCOL, SERVICE_CLOSING

TIMEOUT = Reply(421, "4.4.2", "Nothing heard for too long")
EARLY = Reply(554, "5.5.1", "The greeting comes first (RFC 5321 4.3.1)")
HANDSHAKE = b"\x16\x03"
"""How TLS begins (RFC 8446 5.1)."""
NO_TRUST = Reply(554, "5.7.1", "This listener does not serve your address")


class Connection(CommandLoop):
    """The connection of a session, from its first moment to its last."""

    _gone = False
    """The connection is lost and the session's task has ended."""

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
        self._client_connected_cb = None
        assert self._handler_coroutine is not None  # begun just now
        self._handler_coroutine.add_done_callback(self._handled)
        assert self._place is not None  # taken by _turn_away
        self._place.make_way = self._make_way

    def _make_way(self) -> bool:
        """The room is full. True when this session, which has brought nothing for long, ends for another.

        Our own people stay, and so does a message that comes at a modem's pace or is being decided on.
        """
        receiving = self._receiving or self._sink
        if self._account is not None or self._over or self.transport is None:
            return False
        if self._shakes_hands:
            self._give_up_handshake()
            return True
        if receiving is not None and (receiving.deciding or receiving.keeps_pace):
            return False
        self._refused("made_way")
        self._writer.write(TOO_MANY_SESSIONS.line().encode() + b"\r\n")
        self._close()
        return True

    def _turn_away(self, transport: asyncio.BaseTransport) -> Reply | None:
        """Take a place. What this connection is told instead of a greeting, or None."""
        node, listener = self._node, self._listener
        if node.draining:
            return SERVICE_CLOSING
        address = self._client = self._client or address_of(transport)
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
        if self._gone:
            return
        self._node.connections.discard(self)
        if self._place is not None:
            self._place.leave()
        if not self._in_data:  # otherwise what reads the message sees the end itself
            self._drop_message()
        if self.session is None:  # there was none
            return
        if self._in_data:
            self._lost_in_data(error)
        else:
            super().connection_lost(error)
        if self._handler_coroutine is not None and self._handler_coroutine.done():
            self._let_go()

    def _handled(self, _task: asyncio.Task[None]) -> None:
        """The session's task is over, before its connection or after it."""
        if self.transport is None and not self._gone:
            self._let_go()

    def _let_go(self) -> None:
        """All is over: nothing here names the session itself, so it goes at once and needs no collector."""
        self._gone = True
        self._handler_coroutine = None
        del self._writer

    def _lost_in_data(self, error: Exception | None) -> None:
        """A client that leaves after the end of data does not take its message along.

        As aiosmtpd does it, but for the session's task, which is not cancelled: it ends by itself, and the
        worker's stop waits for it.
        """
        handler, timer, clear = self._handler_coroutine, self._timeout_handle, self._original_transport
        assert handler is not None  # it and the timer are set by connection_made
        assert timer is not None
        timer.cancel()
        if clear is not None:
            clear.close()
        asyncio.StreamReaderProtocol.connection_lost(self, error)
        self.transport = None
        self._node.tasks.add(handler)
        handler.add_done_callback(self._node.tasks.discard)

    def eof_received(self) -> bool | None:
        """The end of input. What came before it is still answered; then the session ends."""
        if self._turned_away:
            return None
        self._talks.set()
        asyncio.StreamReaderProtocol.eof_received(self)  # aiosmtpd would cancel what is under way
        # Inside TLS no connection stays half open. What STARTTLS put there cannot be asked once it is closed.
        return self._original_transport is None and self._tls is None

    async def _handle_client(self) -> None:
        """The greeting and the commands; who talks before the greeting does not get it."""
        smtp = self._node.settings.smtp
        delayed = smtp.greeting_delay_s > 0 and self._listener.kind == "mx"
        if delayed and not self._node.door.unlimited(self._client_address):
            try:
                async with asyncio.timeout(smtp.greeting_delay_s):
                    await self._talks.wait()
            except TimeoutError:
                pass
            else:
                if not self._reader.at_eof():
                    self._refused("early_talker")
                    self._writer.write(EARLY.line().encode() + b"\r\n")
                self._close()
                return
        self._talks.set()
        await self._run_commands()

    def data_received(self, data: bytes) -> None:
        if self._turned_away:
            return
        first, self._begun = not self._begun, True
        if first and data.startswith(HANDSHAKE) and self._tls is None:
            self._other_protocol()
            return
        if not self._talks.is_set():
            self._talks.set()
        self._reader.feed_data(data)

    def _other_protocol(self) -> None:
        """A TLS handshake in clear: whom the client took us for may have filled it with lines of commands."""
        self._refused("other_protocol")
        self._writer.write(OTHER_PROTOCOL.line().encode() + b"\r\n")
        self._close()

    def drain_session(self) -> None:
        """The worker is stopping: say so unless a message is under way, which may end first."""
        if self._shakes_hands:
            self._give_up_handshake()
        elif not self._over and not self._in_data and self._sink is None and self.transport is not None:
            self._writer.write(SERVICE_CLOSING.line().encode() + b"\r\n")
            self._close()

    def _timeout_cb(self) -> None:
        """The client has been silent for too long; one that does not even read is cut off."""
        if self.transport is None:
            return
        if self._over:
            # Once it is closed, what STARTTLS put there can be asked nothing, and aborts nothing.
            cast(asyncio.WriteTransport, self._original_transport or self.transport).abort()
            return
        if self._shakes_hands:
            self._give_up_handshake()
            return
        if self._receiving is not None and self._receiving.deciding:
            # Told 421 now, the client would send again what is about to be taken.
            self._reset_timeout()
            return
        transport = cast(asyncio.WriteTransport, self.transport)
        if transport.get_write_buffer_size():
            transport.abort()
            return
        self._refused("timeout")
        self._writer.write(TIMEOUT.line().encode() + b"\r\n")
        self._close()

    @property
    def _shakes_hands(self) -> bool:
        """STARTTLS was answered, and TLS is not there yet."""
        return self.transport is not None and self._original_transport is not None and self._tls is None

    def _give_up_handshake(self) -> None:
        """End the session here: the TLS layer tells of a lost connection only whom it told of a made one."""
        self._refused("tls_handshake")
        self._over = True
        original = cast(asyncio.WriteTransport, self._original_transport)
        original.abort()
        self.connection_lost(None)

    def _heard(self) -> None:
        """A piece of a message came (RFC 5321 4.5.3.2.5)."""
        if self.transport is not None and not self._over:
            self._reset_timeout(self._node.settings.smtp.data_timeout_s)

    def _awaits_command(self) -> None:
        """From now on the time limit is that of a command."""
        if self.transport is not None and not self._over:
            self._reset_timeout()

    def _set_rset_state(self) -> None:
        super()._set_rset_state()  # type: ignore[no-untyped-call]  # aiosmtpd leaves it untyped
        self._transaction = None
        self._drop_message()

    def _drop_message(self) -> None:
        """Leave nothing of a message that came by BDAT and did not end."""
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.abandon()
