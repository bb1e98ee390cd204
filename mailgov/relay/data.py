"""A message's bytes as they arrive: dots undone, limits kept, the header judged as it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from mailgov.mail.headers import HeaderBlock
from mailgov.mail.reply import INTERNAL_ERROR, OUT_OF_STORAGE, Reply
from mailgov.relay import accept, intake
from mailgov.relay.incoming import Incoming
from mailgov.relay.legible import illegible_header
from mailgov.relay.line_ends import BareLineEnd, Lines
from mailgov.relay.node import INLINE_BYTES, Node
from mailgov.relay.rejecting import reject_message
from mailgov.store.spool import BodyWriter, SpoolError, SpoolFull

log = structlog.get_logger()

READ_BYTES = 65_536
END = b"\r\n.\r\n"
TOO_BIG = Reply(552, "5.3.4", "Message too big")
HEADER_TOO_BIG = Reply(552, "5.3.4", "Message header too big")
BARE_LINE_END = Reply(554, "5.6.0", "Bare CR or LF in the message (RFC 5321 2.3.8)")
LINE_TOO_LONG = Reply(554, "5.6.0", "A line of the message is too long (RFC 5321 4.5.3.1.6)")
PACE_OCTETS_S = 500
"""What a message brings at least in a second, on average (Postfix's smtpd_min_data_rate): a modem's tenth."""
SETTLING_S = 10.0
"""How long it may take until that counts."""
LOOP = Reply(554, "5.4.6", "Too many hops, this message may be looping")


class DotReader:
    """Turns the DATA stream into the message (RFC 5321 4.5.2), whatever the chunks' edges.

    Only CRLF.CRLF ends it. `rest` holds what came after the end, once `ended`.
    """

    def __init__(self) -> None:
        self._carry = b"\r\n"  # the line end of the DATA command itself
        self._virtual = True
        self.ended = False
        self.rest = b""

    def feed(self, chunk: bytes) -> bytes:
        """The message bytes that `chunk` completes."""
        buffer = self._carry + chunk
        end = buffer.find(END)
        if end >= 0:
            self.ended, self.rest, self._carry = True, buffer[end + len(END) :], b""
            data = buffer[: end + 2]
        else:
            keep = _pending(buffer)
            data, self._carry = buffer[: len(buffer) - keep], buffer[len(buffer) - keep :]
        data = data.replace(b"\r\n.", b"\r\n")
        if self._virtual and len(data) >= 2:
            self._virtual = False
            data = data[2:]
        return data


def _pending(buffer: bytes) -> int:
    """How many final bytes may yet be the beginning of the end."""
    for length in range(min(len(END) - 1, len(buffer)), 0, -1):
        if END.startswith(buffer[-length:]):
            return length
    return 0


class DataSink:
    """Takes one message. `feed` every piece, then `end` for the reply, or `abandon`. None of them raises.

    Whatever breaks inside becomes the refusal 451 4.3.0, said when the message ends: what is still
    coming of it must not be taken for commands.
    """

    def __init__(self, node: Node, incoming: Incoming) -> None:
        self._node, self._incoming = node, incoming
        smtp = node.settings.smtp
        self._writer: BodyWriter = node.spool.body_writer(incoming.queue_id, smtp.memory_body_bytes)
        self._memory_bytes = smtp.memory_body_bytes
        self._whole = False
        """All of it came before its header was judged, and nothing of it touches the disk: once is enough."""
        self._head: bytearray | None = bytearray()
        self._header: HeaderBlock | None = None
        self._searched = 0
        self._size = 0
        self._begun_s = node.clock.monotonic()
        self._lines = Lines(
            normalize=smtp.bare_line_ends == "normalize",
            # A person is told at once; what others write is not ours to turn away: docs/smtp.md.
            limit_octets=smtp.submitted_line_limit_octets
            if incoming.source == "submission"
            else smtp.line_limit_octets,
        )
        self.refusal: Reply | None = None
        """Set as soon as the message is not to be kept."""
        self._refused_at: float | None = None
        self.deciding = False
        """True once all of it came: what still takes time is ours."""

    @property
    def patience_octets(self) -> int:
        """How large a refused message may get before the session ends."""
        smtp = self._node.settings.smtp
        return smtp.stopped_data_sizes * smtp.size_limit_bytes

    @property
    def keeps_pace(self) -> bool:
        """Whether it comes fast enough to be waited for while others wait for a session."""
        took_s = self._node.clock.monotonic() - self._begun_s
        return self.refusal is None and (took_s < SETTLING_S or self._size >= took_s * PACE_OCTETS_S)

    async def expect(self, octets: int) -> None:
        """So many more octets are announced: what cannot fit is refused before it comes."""
        if self.refusal is None and self._size + octets > self._node.settings.smtp.size_limit_bytes:
            await self._refuse(TOO_BIG, "size")

    async def feed(self, data: bytes, *, last: bool = False) -> None:
        """Take message bytes, the `last` of them or not. After a refusal they are only counted."""
        self._size += len(data)
        self._whole = last and self._head is not None and len(self._head) + len(data) <= self._memory_bytes
        if self.refusal is None and data:
            try:
                await self._take(data)
            except Exception as error:  # answered at the end of data: see the class
                log.error("message not taken", queue_id=self._incoming.queue_id, exc_info=error)
                self._fail()

    async def _take(self, given: bytes) -> None:
        try:
            data = self._lines.feed(given)
        except BareLineEnd:
            await self._refuse(BARE_LINE_END, "bare_line_end")
            return
        self._size += max(0, len(data) - len(given) - 1)  # what mending adds; a CR may have waited
        await self._add(data)

    async def _add(self, data: bytes) -> None:
        if self._size > self._node.settings.smtp.size_limit_bytes:
            await self._refuse(TOO_BIG, "size")
        elif self._head is None:
            await self._write(data)
        else:
            self._head += data
            if not self._whole:
                await self._look_for_header(final=False)
        await self._refuse_long_line()

    async def _refuse_long_line(self) -> None:
        """Once the header was judged: what it is refused for comes first."""
        if self._lines.too_long and self._head is None and self.refusal is None:
            await self._refuse(LINE_TOO_LONG, "line_length")

    async def _end_lines(self) -> None:
        try:
            await self._add(self._lines.end())
        except BareLineEnd:
            await self._refuse(BARE_LINE_END, "bare_line_end")

    async def end(self) -> Reply:
        """The reply to the end of data. 250 only when the message is on disk."""
        self.deciding = True
        try:
            if self.refusal is None:
                await self._end_lines()
            if self.refusal is None:
                await self._look_for_header(final=True)
                await self._refuse_long_line()
            if self.refusal is None and self._header is not None:
                return await accept.take_in(self._node, self._incoming, self._writer, self._header)
        except Exception as error:  # as in `feed`
            log.error("message not taken", queue_id=self._incoming.queue_id, exc_info=error)
            self._fail()
        return self.refusal or INTERNAL_ERROR

    def abandon(self) -> None:
        """The client went away before the end: leave no trace. Does not wait."""
        self._writer.discard_soon()

    @property
    def out_of_patience(self) -> bool:
        """True once a refused message has gone on for `stopped_data_timeout_s` or `stopped_data_sizes`."""
        if self.refusal is None:
            return False
        smtp = self._node.settings.smtp
        if self._size > self.patience_octets:
            return True
        now = self._node.clock.monotonic()
        if self._refused_at is None:
            self._refused_at = now
        return now - self._refused_at > smtp.stopped_data_timeout_s

    def _fail(self) -> None:
        self._node.counters.add("internal_errors")
        self.refusal = INTERNAL_ERROR
        self.abandon()

    async def _look_for_header(self, *, final: bool) -> None:
        head = self._head
        if head is None:
            return
        # Only the new bytes are searched: a client that trickles must not cost a scan for each.
        body_at = 2 if head.startswith(b"\r\n") else head.find(b"\r\n\r\n", self._searched) + 4
        found = body_at != 3
        self._searched = max(0, len(head) - 3)
        if (body_at if found else len(head)) > self._node.settings.smtp.header_limit_bytes:
            await self._refuse(HEADER_TOO_BIG, "header_size")
        elif found or final:
            self._head = None
            # Mended line ends make it longer; what refuses it anyway must not come before a stop for secrecy.
            self._whole &= len(head) <= self._memory_bytes and not self._lines.too_long
            await self._judge(HeaderBlock.scan(bytes(head[: body_at if found else len(head)])))
            if self.refusal is None:
                await self._write(bytes(head))

    async def _judge(self, header: HeaderBlock) -> None:
        """Before a byte of it may reach the disk: is the message to be stopped by its header?"""
        if header.count(b"received") > self._node.settings.smtp.hop_limit:
            await self._refuse(LOOP, "hops")
            return
        if illegible := illegible_header(header, submitted=self._incoming.submitted):
            await self._refuse(illegible.reply, illegible.reason)
            return
        self._header = header
        if self._whole and header.size <= INLINE_BYTES:
            return
        decision = await intake.judge_header(self._node, self._incoming, header)
        if decision is not None and decision.secrecy is not None:
            await self._writer.discard()
            self.refusal = await reject_message(self._node, self._incoming, decision)

    async def _write(self, data: bytes) -> None:
        try:
            await self._writer.write(data)
        except SpoolError as error:
            log.error("message not kept", queue_id=self._incoming.queue_id, cause=str(error))
            await self._refuse(OUT_OF_STORAGE if isinstance(error, SpoolFull) else INTERNAL_ERROR, "storage")

    async def _refuse(self, reply: Reply, reason: str) -> None:
        self.refusal = reply
        self._node.counters.refuse(
            self._node.clock.now_ms(),
            str(self._incoming.facts["session.listener"]),
            self._incoming.trace.client_address,
            reason,
            self._incoming.told,
        )
        await self._writer.discard()


@dataclass(frozen=True, slots=True)
class Received:
    """How DATA went. `ended`: the end was reached; `reply` is None when the connection closed before it."""

    reply: Reply | None
    ended: bool


async def receive(reader: asyncio.StreamReader, sink: DataSink, heard: Callable[[], None]) -> Received:
    """Read a message to its end into `sink`; what was pipelined behind the end stays in `reader`.

    `heard` is called for each chunk. A refused message is read on for a while, since few
    clients listen before they have sent all of it. Not to be cancelled: a connection
    that closes ends it, after what had come before.
    """
    dots = DotReader()
    try:
        while True:
            chunk = await read_some(reader, READ_BYTES)
            if not chunk:
                sink.abandon()
                return Received(None, ended=False)
            heard()
            data = dots.feed(chunk)
            await sink.feed(data, last=dots.ended)
            if dots.ended:
                break
            if sink.out_of_patience:
                return Received(sink.refusal, ended=False)
    except BaseException:
        sink.abandon()
        raise
    if dots.rest:
        # What was pipelined behind the end goes back; StreamReader has no public way to.
        reader._buffer[:0] = dots.rest  # type: ignore[attr-defined]  # see above
    return Received(await sink.end(), ended=True)


async def read_some(reader: asyncio.StreamReader, octets: int) -> bytes:
    """The next bytes, so many at most; none when the connection is closed, in whatever way."""
    try:
        return await reader.read(octets)
    except OSError:
        return b""
