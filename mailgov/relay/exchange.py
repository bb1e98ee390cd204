"""A session's bytes to a next hop and its replies: several commands in one write (RFC 2920).

aiosmtplib greets, says EHLO, STARTTLS and AUTH; from then on the transactions are ours.
"""

from __future__ import annotations

import asyncio
import re
from typing import cast

import aiosmtplib
from aiosmtplib.protocol import SMTPProtocol
from aiosmtplib.response import SMTPResponse

REPLIES_LIMIT_BYTES = 65_536
"""What is kept of replies that are not complete yet: a next hop may say no more without an end."""
LINE_LIMIT_BYTES = 8192
_LINE = re.compile(rb"(\d\d\d)([ -]?)([^\n]*)\n")


class Exchange(SMTPProtocol):
    """aiosmtplib's protocol with `expect` and `answers`. It becomes so by a change of class."""

    _answered: asyncio.Future[None] | None = None
    _expected = 0
    _patience_s = 0.0
    _heard_at = 0.0
    replies: tuple[SMTPResponse, ...] = ()
    """What came of the replies that were asked for last."""

    def expect(self, number: int) -> None:
        """From now on what comes are replies, and so many are to come. Raises SMTPServerDisconnected."""
        if self.transport is None or self.transport.is_closing():
            raise aiosmtplib.SMTPServerDisconnected("Connection lost")
        self._buffer.clear()
        self.replies, self._expected = (), number
        self._answered = self._loop.create_future()

    @property
    def answered(self) -> bool:
        """True once all replies came, or none can come any more."""
        return self._answered is None or self._answered.done()

    async def answers(self, timeout_s: float) -> tuple[SMTPResponse, ...]:
        """The replies, each waited for so long (RFC 5321 4.5.3.2).

        Raises SMTPException: the connection ended, nothing came in time, or what came was no reply;
        `replies` has those before it.
        """
        answered = self._answered
        assert answered is not None  # by `expect`
        self._patience_s, self._heard_at = timeout_s, self._loop.time()
        timer = None if answered.done() else self._loop.call_later(timeout_s, self._look_at_clock)
        try:
            await answered
        finally:
            if timer is not None:
                timer.cancel()
            self._answered = None
        return self.replies

    def say(self, data: bytes) -> None:
        """Write, without waiting."""
        cast(asyncio.WriteTransport, self.transport).write(data)

    def data_received(self, data: bytes) -> None:
        if self._answered is None:
            super().data_received(data)
            return
        if self._answered.done():
            return  # nobody asked for it
        self._buffer += data
        self._heard_at = self._loop.time()
        try:
            while len(self.replies) < self._expected and (reply := self._next_reply()):
                self.replies += (reply,)
        except aiosmtplib.SMTPException as error:
            self._fail(error)
            return
        if len(self.replies) == self._expected:
            self._answered.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._fail(aiosmtplib.SMTPServerDisconnected("Connection lost"))

    def _look_at_clock(self) -> None:
        late_s = self._loop.time() - self._heard_at - self._patience_s
        if late_s >= 0:
            self._fail(aiosmtplib.SMTPReadTimeoutError("Timed out waiting for server response"))
        elif self._answered is not None:
            self._loop.call_later(-late_s, self._look_at_clock)

    def _fail(self, error: aiosmtplib.SMTPException) -> None:
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(error)
            self._answered.exception()  # whoever does not come to ask is not to be told of it in the log

    def _next_reply(self) -> SMTPResponse | None:
        """The next whole reply in the buffer (RFC 5321 4.2.1); lines that differ in their code make none."""
        buffer, at, code = self._buffer, 0, b""
        words: list[bytes] = []
        while line := _LINE.match(buffer, at):
            if code not in (b"", line[1]):
                raise aiosmtplib.SMTPResponseException(451, f"contradicts itself: {_text([*words, line[3]])}")
            if line.end() - at > LINE_LIMIT_BYTES:
                raise aiosmtplib.SMTPResponseException(451, "a line without end")
            code, at = line[1], line.end()
            words.append(line[3])
            if line[2] != b"-":
                del buffer[:at]
                return SMTPResponse(int(code), _text(words))
        end = buffer.find(b"\n", at)
        if end >= 0:
            raise aiosmtplib.SMTPResponseException(451, f"no reply: {_text([bytes(buffer[at:end])])}")
        if len(buffer) > REPLIES_LIMIT_BYTES:
            raise aiosmtplib.SMTPResponseException(451, "a reply without end")
        return None


def _text(words: list[bytes]) -> str:
    return "\n".join(word.strip().decode("utf-8", "surrogateescape") for word in words)
