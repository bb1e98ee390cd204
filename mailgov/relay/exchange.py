"""A session's bytes to a next hop and its replies: several commands in one write (RFC 2920).

aiosmtplib greets, says EHLO, STARTTLS and AUTH; from then on the transactions are ours.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import cast

import aiosmtplib
from aiosmtplib.protocol import SMTPProtocol
from aiosmtplib.response import SMTPResponse

from mailgov.relay.patience import Patience

REPLIES_LIMIT_BYTES = 65_536
"""What is kept of replies that are not complete yet: a next hop may say no more without an end."""
LINE_LIMIT_BYTES = 8192
PLAIN_LIMIT_BYTES = 1024
"""What comes at once and is longer is read line by line."""
_LINE = re.compile(rb"(\d\d\d)([ -]?)([^\n]*)\n")


class Exchange(SMTPProtocol):
    """aiosmtplib's protocol with `expect` and `answers`. It becomes so by a change of class."""

    _answered: asyncio.Future[None] | None = None
    _expected = 0
    _timeout_s = 0.0
    _patience: Patience | None = None
    _unasked = False
    _code = b""
    _kept_bytes = 0
    replies: tuple[SMTPResponse, ...] = ()
    """What came of the replies that were asked for last."""

    def expect(self, number: int) -> None:
        """From now on what comes are replies, and so many are to come.

        Raises SMTPServerDisconnected where none can come, or where more came than was asked for: such a
        session is out of step, and what is said next would be taken for the answer to something else.
        """
        self.replies, self._expected = (), number
        if self.transport is None or self.transport.is_closing():
            raise aiosmtplib.SMTPServerDisconnected("Connection lost")
        if self._unasked:
            raise aiosmtplib.SMTPServerDisconnected("Out of step")
        self._buffer.clear()
        self._begin_reply()
        self._answered = self._loop.create_future()

    def ask(self, commands: Sequence[bytes]) -> None:
        """Say them in one write, and `expect` a reply to each."""
        self.expect(len(commands))
        self.say(b"".join(commands))

    @property
    def answered(self) -> bool:
        """True once all replies came, or none can come any more."""
        return self._answered is None or self._answered.done()

    async def answers(self, timeout_s: float) -> tuple[SMTPResponse, ...]:
        """The replies, each waited for so long (RFC 5321 4.5.3.2), whole.

        Raises SMTPException: the connection ended, nothing came in time, or what came was no reply;
        `replies` has those before it.
        """
        answered = self._answered
        assert answered is not None  # by `expect`
        self._timeout_s = timeout_s
        if self._patience is None:
            self._patience = Patience(self._loop)
        if not answered.done():
            self._wait()
        try:
            await answered
        finally:
            self._patience.end()
            self._answered = None
        return self.replies

    @property
    def full(self) -> bool:
        """Whether the transport holds as much as it will, or the connection is lost: `drain` tells."""
        return self._paused or self._connection_lost

    def say(self, data: bytes) -> None:
        """Write, without waiting."""
        self.transport.write(data)  # type: ignore[union-attr]  # connected: it is one that writes

    def data_received(self, data: bytes) -> None:
        if self._answered is None or self._answered.done():
            if self._response_pending:
                super().data_received(data)
            elif self._expected > 0:
                self._heard_unasked()
            return
        replies = () if self._buffer or self._words else _plain(data)
        if 0 < len(replies) <= self._expected - len(self.replies):
            self._take(replies)
            if len(self.replies) == self._expected:
                self._unasked = False
                self._answered.set_result(None)
            return
        self._buffer += data
        if b"\n" not in data and self._kept_bytes + len(self._buffer) <= REPLIES_LIMIT_BYTES:
            return  # looked at with each octet, a long line would be looked at so often from its start
        try:
            self._read_replies()
        except aiosmtplib.SMTPException as error:
            self._fail(error)
            return
        if len(self.replies) == self._expected:
            self._unasked = bool(self._buffer)
            self._answered.set_result(None)

    def _heard_unasked(self) -> None:
        """Nothing it says is of use any more, and a flood of it is not read: it would cost others time."""
        self._unasked = True
        if self._answered is None:
            cast(asyncio.WriteTransport, self.transport).abort()
        else:  # replies that nobody has come for yet outlive the session, but not its end
            cast(asyncio.ReadTransport, self.transport).pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._patience is not None:
            self._patience.close()
        self._fail(aiosmtplib.SMTPServerDisconnected("Connection lost"))

    def _wait(self) -> None:
        """For the next reply, so long and no longer."""
        assert self._patience is not None  # by `answers`
        self._patience.begin(self._timeout_s, self._late)

    def _late(self) -> None:
        self._fail(aiosmtplib.SMTPReadTimeoutError("Timed out waiting for server response"))

    def _fail(self, error: aiosmtplib.SMTPException) -> None:
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(error)
            self._answered.exception()  # whoever does not come to ask is not to be told of it in the log

    def _begin_reply(self) -> None:
        self._words: list[bytes] = []
        self._code, self._kept_bytes = b"", 0

    def _read_replies(self) -> None:
        """Take whole replies from the buffer, and whole lines of one that is not: each is read once.

        Raises SMTPResponseException: lines of a reply that differ in their code make none (RFC 5321 4.2.1).
        """
        at = 0
        while len(self.replies) < self._expected and (line := _LINE.match(self._buffer, at)):
            self._take_line(line)
            at = line.end()
        del self._buffer[:at]
        if len(self.replies) == self._expected:
            return
        end = self._buffer.find(b"\n")
        if end >= 0:
            raise aiosmtplib.SMTPResponseException(451, f"no reply: {_text([bytes(self._buffer[:end])])}")
        if self._kept_bytes + len(self._buffer) > REPLIES_LIMIT_BYTES:
            raise aiosmtplib.SMTPResponseException(451, "a reply without end")

    def _take_line(self, line: re.Match[bytes]) -> None:
        code, separator, words = line.groups()
        if self._code not in (b"", code):
            raise aiosmtplib.SMTPResponseException(451, f"contradicts itself: {_text([*self._words, words])}")
        if len(line[0]) > LINE_LIMIT_BYTES:
            raise aiosmtplib.SMTPResponseException(451, "a line without end")
        self._code = code
        self._words.append(words)
        self._kept_bytes += len(line[0])
        if separator != b"-":
            self._take((SMTPResponse(int(code), _text(self._words)),))
            self._begin_reply()

    def _take(self, replies: tuple[SMTPResponse, ...]) -> None:
        self.replies += replies
        if len(self.replies) < self._expected and self._patience is not None and self._patience.runs:
            self._wait()


def _plain(data: bytes) -> tuple[SMTPResponse, ...]:
    """The replies, where `data` is whole ones of one line of ASCII each, as nearly always; else none."""
    return _whole_lines(data) if len(data) <= PLAIN_LIMIT_BYTES else ()


@lru_cache(maxsize=64)  # a host says the same to nearly every envelope
def _whole_lines(data: bytes) -> tuple[SMTPResponse, ...]:
    if not data.isascii():
        return ()
    *lines, rest = data.decode().split("\r\n")
    replies = []
    for line in lines:
        code = line[:3]
        if line[3:4] != " " or not (code.isdigit() and line.isprintable()):
            return ()
        replies.append(SMTPResponse(int(code), line[4:].strip()))
    return () if rest else tuple(replies)


def _text(words: list[bytes]) -> str:
    return "\n".join(word.strip().decode("utf-8", "surrogateescape") for word in words)
