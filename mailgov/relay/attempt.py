"""One attempt: the decision at the route, the delivery, and the writing down of what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog

from mailgov.mail.events import DecisionRecord
from mailgov.mail.reply import INTERNAL_ERROR, MailError, Reply
from mailgov.policy import Stage, render_reply
from mailgov.policy.facts import FactValue, Unknown
from mailgov.relay import judge, mailbox, notify, sender_reports
from mailgov.relay.client import Connection, Stale
from mailgov.relay.content import Content, content_of
from mailgov.relay.first_hop import first_connection
from mailgov.relay.node import Node
from mailgov.relay.outcome import Outcome, settle
from mailgov.relay.outgoing import Envelope
from mailgov.relay.route import Hops, Lane, Router
from mailgov.relay.throttle import Verdict, verdict
from mailgov.relay.tls_out.demand import TlsRefused, Wish
from mailgov.relay.tls_out.policies import Minimum
from mailgov.relay.tls_out.wish import wish_of
from mailgov.settings import Settings
from mailgov.store.spool import QueuedMessage, QueuedRecipient, Spool, SpoolError

log = structlog.get_logger()
T = TypeVar("T")

GAVE_WAY = Reply(451, "4.4.1", "No mail host has answered yet, and other mail waited for the place")


class LaneSession:
    """What a runner keeps between attempts on its lane: hops and an open connection."""

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self.hops: Hops | None = None
        self.connection: Connection | None = None
        self.heard: tuple[Verdict, Reply] | None = None
        """What the last attempt says of the next hop."""
        self.minimum: Minimum | None = None
        """What the settings asked for when it was opened."""
        self.settings: Settings | None = None
        """Those that it was opened by."""
        self.gave_way = False
        self._looking: asyncio.Future[Any] | None = None

    async def found(self, work: Coroutine[Any, Any, T]) -> T:
        """What the search for a session comes to; `give_way` ends it with MailError 4xx."""
        self._looking = looking = asyncio.ensure_future(work)
        try:
            return await looking
        except asyncio.CancelledError:
            if self.gave_way:
                raise MailError(GAVE_WAY) from None
            raise
        finally:
            self._looking = None

    def give_way(self) -> bool:
        """End the search, whose place is wanted for other mail; False where none is under way."""
        if self._looking is None or self._looking.done():
            return False
        self.gave_way = True
        return self._looking.cancel()

    async def close(self) -> None:
        if self.connection is not None:
            connection, self.connection = self.connection, None
            await connection.close()


@dataclass(slots=True)
class Attempt:
    """Runs attempts for the scheduler."""

    node: Node
    router: Router

    async def run(
        self,
        spool: Spool,
        message: QueuedMessage,
        recipients: Sequence[QueuedRecipient],
        session: LaneSession,
    ) -> None:
        """Attempt all `recipients`, which share the session's lane, and write the outcomes."""
        met = True
        try:
            outcomes = await self._outcomes(spool, message, recipients, session)
        except MailError as error:
            # What of TLS is asked for may be one recipient's domain's, and then says nothing of the others.
            met = isinstance(error, TlsRefused)
            outcomes = [Outcome(r, error.reply) for r in recipients]
        except Exception as error:  # whatever it is, it must not stop the lane, nor lose the mail
            log.error("attempt failed", queue_id=message.queue_id, exc_info=error)
            self.node.counters.add("internal_errors")
            # A disk that fails is nothing that the message did.
            broke = not isinstance(error, (OSError, SpoolError, MemoryError))
            outcomes = [Outcome(r, INTERNAL_ERROR, broke=broke) for r in recipients]
        session.heard = verdict([o.reply for o in outcomes], session=met), outcomes[-1].reply
        if session.connection is not None and session.connection.broken:
            await session.close()  # it may go on talking
        await self._settle(spool, message, outcomes)

    async def put_off(
        self, spool: Spool, message: QueuedMessage, recipients: Sequence[QueuedRecipient], reply: Reply
    ) -> None:
        """The next hop is known to be away: these wait as if they had been told so themselves."""
        await self._settle(spool, message, [Outcome(r, reply) for r in recipients])

    async def _settle(self, spool: Spool, message: QueuedMessage, outcomes: Sequence[Outcome]) -> None:
        try:
            await settle(self.node, spool, message, outcomes)
        except SpoolError as error:
            # The lease runs out and the attempt is made again: perhaps twice, never not at all.
            log.error("outcome not written", queue_id=message.queue_id, cause=str(error))

    async def _outcomes(
        self,
        spool: Spool,
        message: QueuedMessage,
        recipients: Sequence[QueuedRecipient],
        session: LaneSession,
    ) -> list[Outcome]:
        if session.lane.kind == "maildir":
            return [await self._to_maildir(spool, message, recipient) for recipient in recipients]
        if (
            session.settings is not self.node.settings
            or session.connection is None
            or session.connection.broken
        ):
            await self._renew(session)
        assert session.hops is not None  # `_renew` asked for them
        outcomes, allowed, watched = await self._judge(message, recipients, session.hops)
        if not allowed:
            return outcomes
        content = await content_of(spool, message, message.variants[allowed[0].variant])
        wish = wish_of(message)
        envelope = Envelope(
            message.reverse_path,
            tuple([r.address for r in allowed]),
            message.smtputf8,
            message.eight_bit,
            notify.mail_parameters(message),
            tuple([notify.rcpt_parameters(message, r) for r in allowed]),
            requiretls=wish == "required",
        )
        connection = await self._connected(session, allowed, wish)
        try:
            replies = await connection.send(envelope, content)
        except Stale:
            await session.close()
            connection = await self._connected(session, allowed, wish)
            replies = await connection.send(envelope, content)
        host, provider = connection.hop.host, self._provider(session)
        taken, tls = connection.taken, connection.tls
        for recipient, reply in zip(allowed, replies, strict=True):
            if reply.positive and "@" in recipient.destination:
                await self._note_reports(spool, message, recipient, content)
            outcomes.append(
                Outcome(recipient, reply, host, provider, watched.get(recipient.position), taken, tls)
            )
        return outcomes

    async def _renew(self, session: LaneSession) -> None:
        """Let go of a connection that broke, or that other settings opened; without one ask for the hops."""
        settings, kept = self.node.settings, session.connection
        if kept is not None and (kept.broken or session.settings is not settings):
            await session.close()
        if session.hops is None or session.connection is None:
            session.settings = settings
            session.hops = await session.found(self.router.hops(session.lane))

    async def _connected(
        self, session: LaneSession, recipients: Sequence[QueuedRecipient], wish: Wish
    ) -> Connection:
        """The session's connection, opened if need be. Raises MailError when no hop greets us as it must."""
        node = self.node
        minimum = node.tls.minimum(session.lane, (r.destination for r in recipients))
        kept = session.connection
        if kept is not None and not (kept.serves(wish) and (minimum is None or minimum == session.minimum)):
            await session.close()
        if session.connection is None:
            way = await node.tls.way(session.lane, minimum, wish)
            hops = session.hops.hops if session.hops else ()
            session.connection = await session.found(
                first_connection(hops, node.settings.delivery, node.settings.hostname, node.executor, way)
            )
            session.minimum = minimum
        return session.connection

    async def _to_maildir(self, spool: Spool, message: QueuedMessage, recipient: QueuedRecipient) -> Outcome:
        node = self.node
        maildir = mailbox.maildir_of(node.settings.data_dir, recipient.destination)
        content = await content_of(spool, message, message.variants[recipient.variant])
        unique = (
            f"{message.received_ms // 1000}.{message.queue_id}-{recipient.position}.{node.settings.hostname}"
        )
        entry = node.directory.snapshot.account(recipient.destination)
        limit = mailbox.limit_of(
            node.settings.delivery, recipient.destination, entry.agency if entry is not None else None
        )
        reply = await asyncio.get_running_loop().run_in_executor(
            node.executor,
            lambda: mailbox.deliver(
                maildir,
                content,
                unique=unique,
                reverse_path=message.reverse_path,
                limit_bytes=limit,
            ),
        )
        await self._note_reports(spool, message, recipient, content)
        return Outcome(recipient, reply)

    async def _note_reports(
        self, spool: Spool, message: QueuedMessage, recipient: QueuedRecipient, content: Content
    ) -> None:
        """What reached the mailbox for others' reports is read as one."""
        if sender_reports.meant_for(self.node, recipient):
            await sender_reports.note(self.node, spool, message, content)

    def _provider(self, session: LaneSession) -> str | None:
        if session.lane.kind != "mx" or session.hops is None:
            return None
        return self.node.policy.policy.providers.classify(session.lane.target, session.hops.mx_hosts)

    async def _judge(
        self, message: QueuedMessage, recipients: Sequence[QueuedRecipient], hops: Hops
    ) -> tuple[list[Outcome], list[QueuedRecipient], dict[int, DecisionRecord]]:
        """Ask the policy again, now that the MX is known.

        Who may not be written to; the rest; and, by position, what rules in monitor mode noted.
        """
        refused: list[Outcome] = []
        allowed: list[QueuedRecipient] = []
        watched: dict[int, DecisionRecord] = {}
        policy = self.node.policy.policy
        for recipient in recipients:
            if "@" in recipient.destination:  # a mailbox of ours that is kept elsewhere: RCPT has said all
                allowed.append(recipient)
                continue
            kept = {**(message.context.get("facts") or {}), **(recipient.context.get("facts") or {})}
            if hops.mx_hosts is None and kept.get("recipient.mx_provider"):
                # A configured route hides the MX; what was found at RCPT stands, or is asked for now.
                kept["route.mx_provider"] = kept["recipient.mx_provider"]
            else:
                kept["route.mx_provider"] = await self._route_provider(recipient, hops)
            if policy.silent(Stage.ROUTE, kept):
                allowed.append(recipient)
                continue
            decision = await judge.decide(self.node, Stage.ROUTE, _facts(kept))
            if decision is None or not decision.rejected:
                allowed.append(recipient)
                if decision is not None and decision.watched:
                    watched[recipient.position] = decision.record(recipient.position)
                continue
            reply = render_reply(decision, utf8=False, public_url=self.node.settings.http.public_url)
            record: DecisionRecord = decision.record(recipient.position)
            refused.append(Outcome(recipient, Reply(550, reply.enhanced, reply.text), decision=record))
        return refused, allowed, watched

    async def _route_provider(self, recipient: QueuedRecipient, hops: Hops) -> FactValue | Unknown:
        domain = recipient.address.rpartition("@")[2].lower()
        if hops.mx_hosts is None:
            return await judge.mx_provider(self.node, domain)
        return self.node.policy.policy.providers.classify(domain, hops.mx_hosts)


def _facts(kept: dict[str, object]) -> judge.Known:
    """Facts as the spool kept them; lists become tuples again."""
    return {
        name: tuple(map(str, value)) if type(value) is list else value  # type: ignore[misc]  # JSON holds no others
        for name, value in kept.items()
    }
