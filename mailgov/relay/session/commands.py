"""The loop of a session: a line, its command, the time limit until the next.

aiosmtpd's own is replaced: it makes a timer and four log lines of each command, answers some with words that
the client chose, and ends the session at the fifth unknown one without the 421 of RFC 5321 3.8.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any

from aiosmtpd.smtp import TLSSetupException

from mailgov.mail.reply import MailError
from mailgov.relay.listener import COMMAND_LENGTHS, Command
from mailgov.relay.session.replies import Replies

PATHS = ("MAIL", "RCPT")
"""Commands that may be quoted in the log: no secret stands in them."""
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
PLAIN_LENGTH = 512
"""Octets of a command line of a client that said HELO, or nothing yet (RFC 5321 4.5.3.1.4)."""


class CommandLoop(Replies):
    """Reads commands and runs them."""

    _silent_after = 0.0
    """The loop's time at which the client has been silent for too long."""
    _timer_due: float | None = None
    """When the timer that is set fires."""

    async def _run_commands(self) -> None:
        """Greet and obey until the connection ends."""
        await self.push(f"220 {self.hostname} {self.__ident__}")
        while self.transport is not None and not self._over:
            try:
                await self._obey(await self._line())
            except asyncio.CancelledError:
                self._writer.close()
                raise
            except ConnectionResetError:
                self._writer.close()
                return
            except Exception as error:  # noqa: BLE001 - whatever broke, the session goes on: 451
                reply = await self.handle_exception(error)
                if isinstance(error, TLSSetupException):
                    self.transport.close()
                    self.connection_lost(error)
                else:
                    await self.push(reply)

    async def _line(self) -> bytes | None:
        """The next line; None for one beyond the reader's bound, which is read to its end.

        Raises EOFError at the end of input.
        """
        reader: Any = self._reader  # what `readuntil` does for one line that came alone takes twice as long
        buffer: bytearray = reader._buffer
        if not buffer and not reader._eof and reader._exception is None:
            await reader._wait_for_data("_line")
        if 0 < len(buffer) <= self.line_length_limit and buffer.find(b"\n") == len(buffer) - 1:
            line = bytes(buffer)
            buffer.clear()
            return line
        try:
            return await self._reader.readuntil()
        except asyncio.LimitOverrunError as error:
            consumed = error.consumed
        while True:
            await self._reader.read(consumed)
            try:
                await self._reader.readuntil()
            except asyncio.LimitOverrunError as error:
                consumed = error.consumed
            else:
                return None

    async def _obey(self, line: bytes | None) -> None:
        """Run one command line. Its argument is UTF-8, other octets as lone surrogates."""
        if line is None:
            await self.push("500 5.5.2 Command line too long")
            return
        line = line.rstrip(b"\r\n")
        name, _, given = line.partition(b" ")
        if not name.isascii() or not line:
            await self.push("500 5.5.2 Bad syntax")
            return
        command = name.upper().decode()
        assert self.session is not None  # set by connection_made
        limit = COMMAND_LENGTHS[command] if self.session.extended_smtp else PLAIN_LENGTH
        if len(line) > limit:
            await self.push("500 5.5.2 Command line too long")
            return
        if command not in self._known_commands:
            await self._unknown(command)
            return
        self._reset_timeout()
        argument = given.strip().decode("utf-8", "surrogateescape") if given else None
        # Argument is text (RFC 5321 4.1.2): nothing else may reach logs and headers. BDAT judges its own: it
        # must know how much follows.
        if argument is not None and command != "BDAT" and _CONTROL.search(argument):
            await self.push("501 5.5.4 Control characters in a command")
            return
        run: Command = getattr(self, f"smtp_{command}")
        try:
            await run(argument)
        except MailError as error:
            if command in PATHS:
                self._tell_malformed(f"{command} {argument or ''}", error.reply)
            raise

    def _reset_timeout(self, duration: float | None = None) -> None:
        """The client may be silent for so many seconds from now on, by default for a command's.

        Most timers never fire: one is set, and moved when it does.
        """
        now, patience = self.loop.time(), duration or self._timeout_duration
        self._silent_after = now + patience
        if self._timer_due is not None and self._timer_due <= self._silent_after:
            return
        if self._timeout_handle is not None:
            self._timeout_handle.cancel()
        # What comes next may have less time: a timer that fires early looks again, and a new one costs more.
        self._set_timer(min(self._silent_after, now + self._node.settings.smtp.data_timeout_s))

    def _set_timer(self, due: float) -> None:
        self._timer_due = due
        self._timeout_handle = self.loop.call_at(due, self._look_at_clock)

    def _look_at_clock(self) -> None:
        if self._silent_after > self.loop.time():
            self._set_timer(self._silent_after)
        else:
            self._timer_due = None
            self._timeout_cb()  # type: ignore[no-untyped-call]  # aiosmtpd leaves it untyped
