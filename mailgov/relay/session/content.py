"""DATA (RFC 5321 4.1.1.4) and BDAT (RFC 3030): the message itself."""

from __future__ import annotations

from mailgov.mail.reply import Reply
from mailgov.relay.chunks import Chunk, read_chunk, receive_chunk
from mailgov.relay.data import TOO_BIG, DataSink, receive
from mailgov.relay.session.envelope import Envelope

TOO_MUCH_DATA = Reply(421, "4.7.0", "Too much data after the message was refused")
LOST_COUNT = Reply(421, "4.7.0", "No telling where the chunk ends")


class Content(Envelope):
    """Takes the message in."""

    async def smtp_DATA(self, arg: str | None) -> None:
        transaction = self._transaction
        if await self.check_helo_needed():
            return
        if self._sink is not None:
            await self.push("503 5.5.1 The message has begun with BDAT")
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
            self._receiving = DataSink(self._node, transaction.incoming)
            received = await receive(self._reader, self._receiving, self._heard)
            if received.reply is not None:
                self._brought(received.reply)
                await self._reply(received.reply)
        finally:
            self._in_data, self._receiving = False, None
        self._awaits_command()
        if not received.ended:
            if received.reply is not None:  # the refusal is for the message, this one for the session
                await self._last_word(TOO_MUCH_DATA, "stopped_data")
            self._end()
        if self._node.draining:
            self.drain_session()

    def _brought(self, reply: Reply) -> None:
        """A message has ended; one that was taken speaks for the session."""
        if reply.positive:
            self._junk = 0
            if self._place is not None:
                self._place.progress()
            if self._listener.kind == "mx":
                self._node.harvest.note_taken(self._client_address, self._node.clock.monotonic())

    async def smtp_BDAT(self, arg: str | None) -> None:
        chunk = Chunk.parse(arg)
        if chunk is None:
            await self.push("501 5.5.4 Syntax: BDAT <octets> [LAST]")
            await self._last_word(LOST_COUNT, "malformed_chunk")
        if not chunk.octets and not chunk.last:
            await self._count_junk()
        assert self.session is not None  # set by connection_made
        if self._sink is None:
            transaction = self._transaction
            if not self.session.host_name or transaction is None or not transaction.has_recipients:
                await self._swallow(chunk)
                if not await self.check_helo_needed():
                    await self.push(f"503 5.5.1 Need {'MAIL' if transaction is None else 'RCPT'} command")
                return
            self._sink = DataSink(self._node, transaction.incoming)
        await self._chunk(self._sink, chunk)

    async def _swallow(self, chunk: Chunk) -> None:
        """Read on over a chunk that nobody waits for: it must not be taken for commands (RFC 3030 2)."""
        smtp = self._node.settings.smtp
        self._swallowed += chunk.octets
        if self._swallowed > smtp.stopped_data_sizes * smtp.size_limit_bytes:
            await self._last_word(TOO_MUCH_DATA, "stopped_data")

        async def take(_piece: bytes) -> bool:
            self._heard()
            return True

        if not await read_chunk(self._reader, chunk.octets, take):
            self._end()
        self._awaits_command()

    async def _chunk(self, sink: DataSink, chunk: Chunk) -> None:
        """A chunk of a message that is open; the last one ends it."""
        told = sink.refusal is not None
        if chunk.octets > sink.patience_octets:
            await self._reply(sink.refusal or TOO_BIG)
            await self._last_word(TOO_MUCH_DATA, "stopped_data")
        self._in_data, self._receiving = True, sink
        try:
            whole, reply = await self._take_chunk(sink, chunk)
        finally:
            self._in_data, self._receiving = False, None
        if self.transport is None and not (whole and chunk.last):
            self._drop_message()
        self._awaits_command()
        if not whole and sink.refusal is None:
            self._end()  # the input ended within the chunk: nothing was received that a reply could be to
        if chunk.last:
            self._sink = self._transaction = None
            self._brought(reply)
        if told and whole:
            await self._send(reply.line().encode() + b"\r\n")  # counted when it was said first
        else:
            await self._reply(reply)
        if not whole:
            await self._last_word(TOO_MUCH_DATA, "stopped_data")
        if chunk.last and self._node.draining:
            self.drain_session()

    async def _take_chunk(self, sink: DataSink, chunk: Chunk) -> tuple[bool, Reply]:
        """Whether the chunk was read to its end, and the reply to it."""
        try:
            whole = await receive_chunk(self._reader, sink, chunk, self._heard)
        except BaseException:
            sink.abandon()
            raise
        if whole and chunk.last:
            return True, await sink.end()
        if self.transport is None or not (whole or sink.out_of_patience):  # nobody is there any more
            sink.abandon()
        return whole, sink.refusal or Reply(250, "2.0.0", f"{chunk.octets} octets received")
