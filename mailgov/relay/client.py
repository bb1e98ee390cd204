"""Mail out over SMTP: aiosmtplib's connection, our transactions on it.

TLS is as the way to the host demands (`tls_out`). Where nobody demands anything it is opportunistic
(RFC 7435): used where offered, whatever the certificate; a handshake that fails is followed by a
connection in the clear.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Literal

import aiosmtplib
from aiosmtplib.response import SMTPResponse

from mailgov.mail.reply import MailError, Reply
from mailgov.relay import outgoing
from mailgov.relay.answer import Ours, positive, reply_of
from mailgov.relay.content import Content, dotted, whole
from mailgov.relay.encrypted import encrypted
from mailgov.relay.exchange import Exchange
from mailgov.relay.opening import spoken
from mailgov.relay.outgoing import Envelope
from mailgov.relay.route import Hop
from mailgov.relay.tls_out.demand import OPPORTUNISTIC, Demand, Opened, Wish
from mailgov.settings import DeliverySettings

QUIT_S = 5.0
"""For the reply to QUIT, and then for the other side to close too."""
_SIZE = re.compile(r"[0-9]{1,20}\Z")  # RFC 1870 3


def _broke(hop: Hop, error: Exception) -> str:
    return f"The connection to {hop.host} broke: {spoken(error)}"


class Stale(Exception):
    """The next hop has ended a session that was kept open; nothing of the transaction was said."""


class Connection:
    """One session with a next hop, ready for transactions one after another."""

    def __init__(
        self,
        hop: Hop,
        client: aiosmtplib.SMTP,
        settings: DeliverySettings,
        executor: Executor,
        opened: Opened,
    ) -> None:
        self.hop, self.opened = hop, opened
        self._client, self._settings, self._executor = client, settings, executor
        assert isinstance(client.protocol, Exchange)  # it is connected
        self._protocol = client.protocol
        self._offered = dict(client.esmtp_extensions)
        """What was named in the answer to EHLO, in lower case, and with which words."""
        size = self._offered.get("size", "")
        self._size_limit = int(size) if _SIZE.match(size) else 0
        self.broken = False
        self._used = False
        self._missing: SMTPResponse | None = None
        # StreamWriter is how asyncio lets others wait for a transport; it lives as long as we do.
        self._writer = asyncio.StreamWriter(
            client.transport,  # type: ignore[arg-type]  # connected: not None
            client.protocol,
            None,
            asyncio.get_running_loop(),
        )

    @classmethod
    async def open(
        cls,
        hop: Hop,
        settings: DeliverySettings,
        hostname: str,
        executor: Executor,
        demand: Demand = OPPORTUNISTIC,
    ) -> Connection:
        """As `encrypted`, ready for transactions."""
        client, opened = await encrypted(hop, settings, hostname, executor, demand)
        return cls(hop, client, settings, executor, opened)

    @property
    def tls(self) -> str | None:
        """What encrypts it, in the traffic record's words; None in the clear."""
        return None if self.opened.security is None else str(self.opened.security)

    @property
    def takes_requiretls(self) -> bool:
        """Whether the host says that it hands mail on as REQUIRETLS asks (RFC 8689 2)."""
        return "requiretls" in self._offered

    def serves(self, wish: Wish) -> bool:
        """Whether what it was opened for is enough for mail with this wish."""
        if wish == "required":
            return self.opened.demand.requiretls
        return wish == "waived" or not self.opened.demand.waived

    async def send(self, envelope: Envelope, content: Content) -> list[Reply]:
        """One transaction; a reply for each recipient, in order.

        Of the peer's faults only Stale is raised: a session that had served before ended, as any
        next hop may end one between transactions (RFC 5321 3.8), and a new one is in order.
        """
        count = len(envelope.recipients)
        try:
            unfit = self._unfit(envelope, content)
            if unfit is None and "8bitmime" not in self._offered:
                unfit = await self._unfit_for_seven_bits(content)
            if unfit is not None:
                return [unfit] * count
            return await self._transaction(envelope, content)
        except MailError as error:
            return [error.reply] * count
        except aiosmtplib.SMTPResponseException as error:
            self.broken = True
            return [reply_of(Ours(451, f"4.5.0 unexpected reply: {error.message}"))] * count
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            self.broken = True
            return [Reply(451, "4.4.2", _broke(self.hop, error))] * count
        except asyncio.CancelledError:  # nobody knows where the session stands: no QUIT is waited for
            self.broken = True
            raise

    def _unfit(self, envelope: Envelope, content: Content) -> Reply | None:
        """What the next hop says beforehand that it cannot take; the message is not changed for it."""
        if envelope.smtputf8 and "smtputf8" not in self._offered:
            return Reply(553, "5.6.7", f"{self.hop.host} does not take internationalized addresses")
        if 0 < self._size_limit < content.size_bytes:
            return Reply(552, "5.3.4", f"{self.hop.host} takes {self._size_limit} octets at most")
        return None

    async def _unfit_for_seven_bits(self, content: Content) -> Reply | None:
        if not await _has_eight_bits(content, self._executor):
            return None
        return Reply(554, "5.6.3", f"{self.hop.host} takes 7-bit mail alone (no 8BITMIME)")  # RFC 6152 3

    async def _transaction(self, envelope: Envelope, content: Content) -> list[Reply]:
        commands = outgoing.commands(envelope, content.size_bytes, self._offered)
        pipelined = "pipelining" in self._offered
        if pipelined:
            said = await self._begin([*commands, b"DATA\r\n"])
        else:
            said = await self._begin(commands[:1])
            if positive(said[0]):
                for command in commands[1:]:
                    said += await self._heard([command])
        if not positive(said[0]):
            return await self._give_up([reply_of(said[0])] * len(envelope.recipients), said[len(commands) :])
        taken = said[1 : len(commands)]
        replies = [None if positive(one) else reply_of(one) for one in taken]
        if None not in replies:
            refused = [reply for reply in replies if reply is not None]
            return await self._give_up(refused, said[len(commands) :])
        data = said[-1] if pipelined else (await self._heard([b"DATA\r\n"]))[0]
        if data.code == 354:
            count = replies.count(None) if self.hop.manner.lmtp else 1
            final = [reply_of(one) for one in await self._deliver(content, count)]
        elif data.code < 400:
            self.broken = True
            final = [reply_of(Ours(451, "4.5.0 unexpected reply to DATA"))]
        else:
            await self._reset(data)
            final = [reply_of(data)]
        said_last = iter(final if len(final) > 1 else final * len(replies))
        return [next(said_last) if reply is None else reply for reply in replies]

    async def _give_up(self, replies: list[Reply], data: Sequence[SMTPResponse]) -> list[Reply]:
        """Nobody may be written to. A DATA that was taken all the same is ended, empty (RFC 2920 3.1)."""
        if self.broken:
            return replies
        commands = [b".\r\n", b"RSET\r\n"] if any(one.code == 354 for one in data) else [b"RSET\r\n"]
        try:
            *_, reset = await self._exchange(commands)
        except aiosmtplib.SMTPException:
            self.broken = True  # a refusal stays one where the next hop hangs up on it
        else:
            self.broken = reset.code != 250
        return replies

    async def _reset(self, refused: SMTPResponse) -> None:
        """After a refused DATA the transaction is still open there: the next MAIL would be "nested" (503),
        or its message would go to these recipients too. Without a reset the session is not used again.
        """
        self.broken = self.broken or refused.code == 421
        if self.broken:
            return
        try:
            self.broken = (await self._exchange([b"RSET\r\n"]))[0].code != 250
        except (aiosmtplib.SMTPException, OSError, TimeoutError):
            self.broken = True

    async def _deliver(self, content: Content, count: int) -> Sequence[SMTPResponse]:
        """The replies to the end of data: one, or of LMTP one for each recipient taken (RFC 2033 4.2).

        A refusal that comes before the end is as good, and ends the session; what is taken before it was
        sent is not delivered.
        """
        protocol = self._protocol
        protocol.expect(count)
        if content.file is None:
            protocol.say(whole(content.head))
            if protocol.full:
                await self._drained()
        else:
            async for chunk in dotted(content, self._executor):
                if protocol.answered:
                    self.broken = True
                    break
                protocol.say(chunk)
                if protocol.full:
                    await self._drained()
        early = self.broken
        try:
            replies = await protocol.answers(self._settings.data_timeout_s)
        except aiosmtplib.SMTPException as error:
            if not protocol.replies:
                raise
            # Whoever has his answer has the message or not: only the others are asked for again.
            self.broken = True
            rest = Ours(451, f"4.4.2 no reply for this recipient ({spoken(error)})")
            replies = (*protocol.replies, *[rest] * (count - len(protocol.replies)))
        unsent = Ours(451, "4.5.0 unexpected reply before the end of the message")
        return [unsent if early and positive(reply) else reply for reply in replies]

    async def _drained(self) -> None:
        async with asyncio.timeout(self._settings.command_timeout_s):  # RFC 5321 4.5.3.2.5
            await self._writer.drain()

    async def _begin(self, commands: Sequence[bytes]) -> tuple[SMTPResponse, ...]:
        """The replies to a group that begins with MAIL, of which the first alone may have come.

        Raises Stale where an earlier transaction's session has ended (RFC 5321 3.8).
        """
        used, self._used = self._used, True
        replies = await self._heard(commands, stale=used)
        if replies[0].code == 421:
            self.broken = True
            if used:
                raise Stale
        return replies

    async def _heard(self, commands: Sequence[bytes], *, stale: bool = False) -> tuple[SMTPResponse, ...]:
        """The replies; where the connection broke, a temporary one for each that did not come.

        Raises Stale instead where none came of a session that may be `stale`.
        """
        if self._missing is not None:  # what comes late belongs to a command before
            return (self._missing,) * len(commands)
        try:
            self._protocol.ask(commands)
            return await self._protocol.answers(self._settings.command_timeout_s)
        except (aiosmtplib.SMTPServerDisconnected, aiosmtplib.SMTPReadTimeoutError) as error:
            self.broken = True
            said = self._protocol.replies
            if stale and not said and isinstance(error, aiosmtplib.SMTPServerDisconnected):
                raise Stale from None
            self._missing = Ours(451, f"4.4.2 {_broke(self.hop, error)}")
            return said + (self._missing,) * (len(commands) - len(said))

    async def _exchange(self, commands: Sequence[bytes]) -> tuple[SMTPResponse, ...]:
        self._protocol.ask(commands)
        return await self._protocol.answers(self._settings.command_timeout_s)

    @property
    def knows_dsn(self) -> bool:
        """Whether the next hop takes over what the sender wishes to be told (RFC 3461)."""
        return "dsn" in self._offered

    @property
    def taken(self) -> Literal["delivered", "relayed", "passed"]:
        """What a positive reply means: see `Outcome.taken`. LMTP delivers for good (RFC 2033)."""
        if self.knows_dsn:
            return "passed"
        return "delivered" if self.hop.manner.lmtp else "relayed"

    async def close(self) -> None:
        """QUIT where the session still works; never raises."""
        transport = self._writer.transport
        try:
            if not self.broken:
                await self._client.execute_command(b"QUIT", timeout=QUIT_S)
        except (aiosmtplib.SMTPException, OSError, TimeoutError):
            self.broken = True
        finally:
            if self.broken:  # without the goodbyes of TLS too: who floods would be listened to meanwhile
                transport.abort()
            elif not transport.is_closing():
                asyncio.get_running_loop().call_later(QUIT_S, transport.abort)
            self._client.close()


async def _has_eight_bits(content: Content, executor: Executor) -> bool:
    async for chunk in content.chunks(executor):
        if not chunk.isascii():
            return True
    return False
