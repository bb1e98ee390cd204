"""One mail transaction: reverse-path, recipients, message (RFC 5321 3.3)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mailgov.mail.address import Address, AddressError
from mailgov.mail.reply import INTERNAL_ERROR, OUT_OF_STORAGE, MailError, Reply
from mailgov.policy import Decision, Stage
from mailgov.policy.facts import FACTS
from mailgov.relay import dnsbl, greylist, harvest, judge, sending, sending_alarm
from mailgov.relay.edits import Trace
from mailgov.relay.expand import Target, TooManyTargets, UnknownRecipient, resolve
from mailgov.relay.incoming import Incoming, Recipient
from mailgov.relay.listener import inside
from mailgov.relay.node import Node
from mailgov.relay.notify import NO_WISHES, NOTHING, MessageWishes, RecipientWishes
from mailgov.relay.rejecting import reject_message
from mailgov.relay.senders.early import begin_spf
from mailgov.store.entries import AccountEntry

RECIPIENT_FACTS = tuple(name for name in FACTS if name.startswith("recipient."))
JUDGED_AT_ONCE = 100
"""Members of a list whose facts are gathered side by side: a client waits 5 minutes (RFC 5321 4.5.3.2.3)."""
MAIL_OK = Reply(250, "2.1.0", "Originator ok")
RCPT_OK = Reply(250, "2.1.5", "Recipient ok")
NO_MAILBOX = Reply(550, "5.1.1", "No such mailbox here")
NOT_NOW = Reply(451, "4.1.1", "The directory is not at hand, please try again later")
NO_RELAY = Reply(554, "5.7.1", "Relay access denied")
TOO_MANY = Reply(452, "4.5.3", "Too many recipients, send to the rest in another transaction")
DISABLED = Reply(550, "5.1.2", "The domain is no longer in use")


@dataclass(slots=True)  # not frozen: each message makes one, and that would take it three times as long
class Peer:
    """Whom a transaction is with: the listener, the client, and the account it acts for."""

    listener: str
    client_address: str
    account: AccountEntry | None
    authenticated: bool
    trace: Trace


@dataclass(frozen=True, slots=True)
class MailParameters:
    """What MAIL announced (RFC 1870, 3461, 6152, 6531, 8689)."""

    smtputf8: bool = False
    eight_bit: bool = False
    size_bytes: int = 0
    wishes: MessageWishes = NO_WISHES
    requiretls: bool = False

    @classmethod
    def read(cls, given: Mapping[str, str | None]) -> MailParameters:
        """From MAIL's parameters by name. Raises MailError 555 for others and 501 for malformed values.

        AUTH (RFC 4954 5) is taken and nothing is made of it: everyone writes as himself.
        """
        if not given:
            return NO_PARAMETERS
        body = (given.get("BODY") or "7BIT").upper()
        size = given.get("SIZE") or "0"
        known = given.keys() <= {"SMTPUTF8", "BODY", "SIZE", "AUTH", "RET", "ENVID", "REQUIRETLS"}
        flags = given.get("SMTPUTF8") is None and given.get("REQUIRETLS") is None
        if not known or not flags or body not in ("7BIT", "8BITMIME"):
            raise MailError(Reply(555, "5.5.4", "MAIL parameter not recognized or not implemented"))
        if not (size.isascii() and size.isdigit()) or len(size) > 20:
            raise MailError(Reply(501, "5.5.4", "SIZE takes a number of octets"))
        if "AUTH" in given and not given["AUTH"]:
            raise MailError(Reply(501, "5.5.4", "AUTH takes an address or <>"))
        wishes = MessageWishes.read(given)
        return cls("SMTPUTF8" in given, body == "8BITMIME", int(size), wishes, "REQUIRETLS" in given)


NO_PARAMETERS = MailParameters()


class Transaction:
    """Collects an envelope, asking directory and policy at each step."""

    def __init__(self, node: Node, peer: Peer, reverse_path: str, parameters: MailParameters) -> None:
        self._node, self._peer = node, peer
        source = peer.listener if peer.listener in ("mx", "trusted") else "submission"
        facts = judge.session_facts(
            node,
            listener=peer.listener,
            authenticated=peer.authenticated,
            tls=peer.trace.tls is not None,
            client=peer.client_address,
            helo=peer.trace.helo,
        )
        facts |= judge.account_facts(peer.account)
        facts |= judge.path_facts(peer.account, _key(reverse_path), own=False)
        self.incoming = Incoming(
            queue_id=node.clock.queue_id(),
            source=source,  # type: ignore[arg-type]  # one of the literals, by the line above
            account=peer.account,
            reverse_path=reverse_path,
            trace=peer.trace,
            facts=facts,
            smtputf8=parameters.smtputf8,
            eight_bit=parameters.eight_bit,
            wishes=parameters.wishes,
            requiretls=parameters.requiretls,
        )
        self._keys: set[str] = set()
        self._alarm: asyncio.Task[None] | None = None

    @property
    def has_recipients(self) -> bool:
        return any(not r.rejected for r in self.incoming.recipients)

    async def mail(self) -> Reply:
        """The reply to MAIL: may this account write as this reverse-path, and is there room?"""
        node = self._node
        if node.spool.full:
            return self._refuse(OUT_OF_STORAGE, "storage")
        # What we would refuse, a gateway would have to send back to whoever is named as its sender.
        if self._peer.account is None and not inside(
            self._peer.client_address, node.settings.smtp.gateway_networks
        ):
            listed = await dnsbl.listed(node.resolver, node.settings.dnsbl, self._peer.client_address)
            self.incoming.facts["sender.listed"] = listed
        decision = await judge.decide(node, Stage.MAIL, dict(self.incoming.facts))
        if decision is None:
            return INTERNAL_ERROR
        if decision.outcome == "reject":
            return await reject_message(node, self.incoming, decision)
        self._note(decision)
        return MAIL_OK

    async def rcpt(self, address: Address, wishes: RecipientWishes = NOTHING) -> Reply:
        """The reply to RCPT. A rejection for one recipient leaves the others alone."""
        closed = self._closed_to(address)
        if closed is not None:
            return closed
        try:
            targets = self._targets(address)
        except UnknownRecipient:
            # "No such user" for good needs a directory that is known to be current.
            return self._not_here(NO_MAILBOX, "unknown_recipient", address)
        except TooManyTargets:
            return self._refuse(TOO_MANY, "too_many_recipients", address)
        if targets is None:
            # Nor does anything else know for good that the domain is not ours.
            return self._not_here(NO_RELAY, "relaying", address)
        new = [t for t in targets if t.address.key not in self._keys]
        if len(self._keys) + len(new) > self._node.settings.smtp.recipient_limit and self._keys:
            return self._refuse(TOO_MANY, "too_many_recipients", address)
        if not new:
            return RCPT_OK
        judged = await self._all_judged(new, wishes if len(targets) == 1 else wishes.for_member())
        rejected = [r for r in judged if r.rejected]
        if len(rejected) == len(judged) and rejected[0].decision is not None:
            return await self._reject(judged, rejected[0].decision)
        if self._peer.account is None:
            refusal = await self._put_off(address, judged[0].target)
        else:
            refusal = await self._over_limit(self._peer.account, [r for r in judged if not r.rejected])
        if refusal is not None:
            return refusal
        # Some members of a list may not be written to: the others get the message, the record tells.
        self._keys.update(r.target.address.key for r in judged)
        for position, r in enumerate(judged, len(self.incoming.recipients)):
            if r.decision is not None:
                self._note(r.decision, position)
        self.incoming.recipients += judged
        self._note_expanded(address, targets, wishes)
        begin_spf(self._node, self.incoming)
        return RCPT_OK

    def _note_expanded(self, address: Address, targets: Sequence[Target], wishes: RecipientWishes) -> None:
        """Where an address stands for several, its own arrival is what is reported (RFC 3461 5.2.7.3)."""
        if len(targets) > 1 and wishes.notify is not None and "SUCCESS" in wishes.notify:
            self.incoming.expanded.append((str(address), wishes))

    def _closed_to(self, address: Address) -> Reply | None:
        """What is said of an address before anybody looks who it is."""
        if address.domain in self._node.directory.snapshot.disabled_domains:
            return self._refuse(DISABLED, "disabled_domain", address)
        if self._harvests(address):
            return self._refuse(harvest.PUT_OFF, "harvest", address)
        return None

    def _harvests(self, address: Address) -> bool:
        """Whether a stranger tried too many names to be told of another; trouble with us is still heard."""
        node, peer = self._node, self._peer
        if peer.account is not None or node.door.unlimited(peer.client_address):
            return False
        suspected = node.harvest.suspects(peer.client_address, node.clock.monotonic())
        return suspected and not greylist.always_reached(str(address))

    def _not_here(self, reply: Reply, reason: str, address: Address) -> Reply:
        """For good where the directory is known to be current, and for now where it is not."""
        node = self._node
        if not node.directory.fresh:
            return NOT_NOW
        if reply is NO_MAILBOX and self._peer.account is None:
            node.harvest.note(self._peer.client_address, node.clock.monotonic())
        return self._refuse(reply, reason, address)

    async def _put_off(self, address: Address, target: Target) -> Reply | None:
        """What a stranger hears who is to come back later."""
        path = str(self.incoming.facts["mail.reverse_path"])
        reply = await greylist.put_off(self._node, self._peer.client_address, path, address, target)
        return None if reply is None else self._refuse(reply, "greylisted", address)

    async def _over_limit(self, account: AccountEntry, accepted: Sequence[Recipient]) -> Reply | None:
        """What an account hears that has sent too much already; counts what is accepted otherwise."""
        node = self._node
        if not accepted:
            return None
        outside = [r.target.address.key for r in accepted if not r.target.local]
        first = not self.incoming.recipients
        exceeded = await sending.take(node, account, outside, recipients=1, first=first)
        if exceeded is None:
            return None
        self._alarm = node.keep(sending_alarm.tell(node, account, self.incoming, accepted[0], exceeded))
        return self._refuse(exceeded.reply, "sending_limit", accepted[0].target.address)

    def _targets(self, address: Address) -> tuple[Target, ...] | None:
        """Final recipients; None when the address is neither ours nor this peer's to relay to."""
        snapshot = self._node.directory.snapshot
        if snapshot.is_local(address.domain):
            return resolve(snapshot, address, self._node.settings.province.renamed_domains)
        if self._peer.account is None:
            return None
        return (Target(address, str(address)),)

    async def _all_judged(self, targets: Sequence[Target], wishes: RecipientWishes) -> list[Recipient]:
        """Each target in order; a list's members side by side, since the DNS may be slow for each."""
        judged: list[Recipient] = []
        for start in range(0, len(targets), JUDGED_AT_ONCE):
            some = targets[start : start + JUDGED_AT_ONCE]
            if len(some) == 1:
                judged.append(await self._judged(some[0], wishes))
            else:
                judged += await asyncio.gather(*(self._judged(target, wishes) for target in some))
        return judged

    async def _judged(self, target: Target, wishes: RecipientWishes) -> Recipient:
        facts = judge.recipient_facts(self._node, target)
        if target.local and greylist.always_reached(target.original):
            facts["sender.listed"] = ()
        question = {**self.incoming.facts, **facts}
        decision = await judge.decide(self._node, Stage.RCPT, question)
        if not target.local:
            facts = {name: question[name] for name in RECIPIENT_FACTS if name in question}
            # The record tells who hosts the recipient's mail, whether or not a rule asked.
            if "recipient.mx_provider" not in facts:
                facts["recipient.mx_provider"] = await judge.mx_provider(
                    self._node, target.address.domain, stranger=self._peer.account is None
                )
        inside = "internal" if self._peer.account is not None else "inbound"
        told = decision if decision is not None and (decision.rule or decision.watched) else None
        return Recipient(
            target=target,
            direction=inside if target.local else "outbound",  # type: ignore[arg-type]  # literals
            facts=facts,
            decision=told,
            rejected=decision is not None and decision.outcome == "reject",
            wishes=wishes,
        )

    async def _reject(self, judged: list[Recipient], decision: Decision) -> Reply:
        """A record of its own: the transaction may go on with other recipients."""
        apart = Incoming(
            queue_id=self._node.clock.queue_id(),
            source=self.incoming.source,
            account=self.incoming.account,
            reverse_path=self.incoming.reverse_path,
            trace=self.incoming.trace,
            facts=self.incoming.facts,
            smtputf8=self.incoming.smtputf8,
            recipients=judged,
        )
        return await reject_message(self._node, apart, decision)

    def _note(self, decision: Decision, position: int | None = None) -> None:
        if decision.rule or decision.watched:
            self.incoming.decisions.append(decision.record(position))

    def _refuse(self, reply: Reply, reason: str, recipient: Address | None = None) -> Reply:
        node, peer = self._node, self._peer
        known = self.incoming.told
        if recipient is not None:
            known["recipient"] = str(recipient)
        node.counters.refuse(node.clock.now_ms(), peer.listener, peer.client_address, reason, known)
        return reply


def _key(reverse_path: str) -> str:
    if not reverse_path:
        return ""
    try:
        return Address.parse(reverse_path).key
    except AddressError:
        return reverse_path.lower()
